import type { FetchInit } from "@tutti/client";
import type { HttpRequest } from "@tutti/server";

/** What a client fetches, as its server gets it. */
export function requestOf(url: string, { method, headers, body = "" }: FetchInit, remoteAddress: string): HttpRequest {
  const { pathname, search, searchParams } = new URL(url);
  const lowerCase = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  return { method, url: `${pathname}${search}`, path: pathname, query: searchParams, headers: Object.fromEntries(lowerCase), body: Buffer.from(body), remoteAddress };
}
