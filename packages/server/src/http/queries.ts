import { TuttiError, type Rewind } from "@tutti/protocol";
import type { StartFrom } from "../channels/replay.js";
import { parseCursor } from "./cursor.js";
import type { HttpRequest } from "./exchange.js";

/** What a reader asks for. */
export interface EventsQuery extends StartFrom {
  /** How many events a page has at most. */
  readonly limit: number;
  /** How long to wait where there is nothing; 0 for not at all. */
  readonly waitMs: number;
}

/** Of a page; as many as the node fans out together, so that a batch is a page. */
export const LIMIT_MAX = 1_024;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** @throws TuttiError `FRAME_INVALID` with the parameter named that is none of what it may be */
export function readEventsQuery({ query, headers }: Pick<HttpRequest, "query" | "headers">, waitMsMax: number): EventsQuery {
  const start = startOf(query, headers["last-event-id"]);
  const limit = wholeNumber(one(query, "limit"), "limit") ?? LIMIT_MAX;
  const waitS = wholeNumber(one(query, "wait"), "wait") ?? 0;
  if (limit === 0) throw invalid("limit", "at least 1");
  return {
    ...start,
    limit: Math.min(limit, LIMIT_MAX),
    waitMs: Math.min(waitS * 1_000, waitMsMax),
  };
}

/** Where to begin: an `EventSource` that comes back asks by its first URL, and names a later position in a header. */
function startOf(query: URLSearchParams, lastEventId: string | readonly string[] | undefined): StartFrom {
  if (typeof lastEventId === "string" && lastEventId !== "") return { since: parseCursor(lastEventId, "Last-Event-ID") };
  const [since, rewind] = [one(query, "since"), one(query, "rewind")];
  if (since !== undefined && rewind !== undefined) throw invalid("rewind", "alone: since is there too");
  if (since !== undefined) return { since: parseCursor(since, "since") };
  return rewind === undefined ? {} : { rewind: readRewind(rewind) };
}

function readRewind(text: string): Rewind {
  const [, digits, unit] = /^(\d{1,12})([smh]?)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) throw invalid("rewind", "a number of events, or of seconds, minutes or hours as 30s, 5m, 2h");
  const unitMs = UNIT_MS[unit];
  return unitMs === undefined ? { count: Number(digits) } : { ageMs: Number(digits) * unitMs };
}

function wholeNumber(text: string | undefined, field: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw invalid(field, "a whole number");
  return Number(text);
}

/** The one value of a parameter. */
function one(query: URLSearchParams, name: string): string | undefined {
  const [value, second] = query.getAll(name);
  if (second !== undefined) throw invalid(name, "one value");
  return value;
}

function invalid(field: string, expected: string): TuttiError {
  return new TuttiError("FRAME_INVALID", { message: `${field} is not ${expected}`, field });
}
