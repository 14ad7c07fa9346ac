import type { HttpCaller } from "./callers.js";
import type { HttpAnswer } from "./exchange.js";

/** An answer in JSON that may be asked for again with its tag. */
export function taggedAnswer(caller: HttpCaller, etag: string, body: string | Uint8Array): HttpAnswer {
  return { status: 200, headers: { "Content-Type": "application/json", ...cachedHeaders(caller, etag) }, body };
}

/** The client has what it would be told. */
export function notModified(caller: HttpCaller, etag: string): HttpAnswer {
  return { status: 304, headers: cachedHeaders(caller, etag) };
}

/**
 * For a cache that asks each time. What depends on who asks is for that of one browser alone; and none may show one page's answer to another, nor one form of it
 * for another.
 */
function cachedHeaders({ isKnown }: HttpCaller, etag: string): Readonly<Record<string, string>> {
  return { "Cache-Control": isKnown ? "private, no-cache" : "no-cache", ETag: etag, Vary: "Accept, Origin" };
}

/** An answer in JSON that is good for this moment alone. */
export function freshAnswer(body: string): HttpAnswer {
  return { status: 200, headers: { "Content-Type": "application/json", "Cache-Control": "no-store" }, body };
}
