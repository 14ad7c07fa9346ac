import type { HttpCaller } from "./callers.js";
import type { HttpAnswer } from "./exchange.js";

/** An answer in JSON that may be asked for again with its tag. What depends on who asks is for that browser's cache alone. */
export function taggedAnswer({ isKnown }: HttpCaller, etag: string, body: string | Uint8Array): HttpAnswer {
  return { status: 200, headers: { "Content-Type": "application/json", "Cache-Control": isKnown ? "private, no-cache" : "no-cache", ETag: etag }, body };
}

/** The client has what it would be told. */
export function notModified({ isKnown }: HttpCaller, etag: string): HttpAnswer {
  return { status: 304, headers: { "Cache-Control": isKnown ? "private, no-cache" : "no-cache", ETag: etag } };
}

/** An answer in JSON that is good for this moment alone. */
export function freshAnswer(body: string): HttpAnswer {
  return { status: 200, headers: { "Content-Type": "application/json", "Cache-Control": "no-store" }, body };
}
