import { SERVER_DEPTH_MAX, jsonCodec } from "@tutti/protocol";
import type { EventRun, LoggedEvent, NewEvent } from "@tutti/server";

/** What stands for an event id where texts are taken apart at spaces: itself, unless that has some, or is not ASCII. */
const PLAIN = /^[!-$&-~]+$/;

/** The id of an event as a token of a line; empty for none. */
export function encodeId(eventId: string | undefined): string {
  if (eventId === undefined || PLAIN.test(eventId)) return eventId ?? "";
  return `%${Buffer.from(eventId, "utf16le").toString("base64url")}`;
}

export function decodeId(token: string): string {
  return token.startsWith("%") ? Buffer.from(token.slice(1), "base64url").toString("utf16le") : token;
}

/** The id of an event as the event's JSON has it; empty for none. */
export function idText(eventId: string | undefined): string {
  return eventId === undefined ? "" : JSON.stringify(eventId);
}

/**
 * An event as JSON, made once: Redis stores it, delivers it, and reads no more of it than the id with which it begins. Its place is not in it, since Redis assigns that.
 *
 * @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP`
 */
export function encodeEvent({ eventId, type, payload, timestamp, user }: NewEvent): string {
  return jsonCodec.encode([{ eventId, type, payload, timestamp, user }], SERVER_DEPTH_MAX);
}

/** `undefined` where it is no event. */
export function decodeEvent(text: string, seq: number, prev: number): LoggedEvent | undefined {
  const value = parsed(text);
  if (typeof value !== "object" || value === null) return undefined;
  const { eventId, type, payload, timestamp, user } = value as Partial<Record<keyof NewEvent, unknown>>;
  if (typeof eventId !== "string" || typeof type !== "string" || typeof timestamp !== "number") return undefined;
  if (user !== undefined && typeof user !== "string") return undefined;
  return { seq, prev, eventId, type, payload, timestamp, ...(user !== undefined && { user }) };
}

/**
 * `<epoch> <seq> <prev> <id of the one before>` of the first event, and in a line each the events, which count by ones. `undefined` for anything else.
 */
export function decodeDelivery(message: string): EventRun | undefined {
  const end = message.indexOf("\n");
  const [epoch, seqText, prevText, before, ...others] = message.slice(0, Math.max(end, 0)).split(" ");
  if (epoch === undefined || epoch === "" || before === undefined || others.length > 0) return undefined;
  const seq = placeOf(seqText);
  const prev = placeOf(prevText);
  if (seq === undefined || prev === undefined || prev >= seq) return undefined;
  const events: LoggedEvent[] = [];
  // No line feed is left in JSON that was made without spaces.
  for (const text of message.slice(end + 1).split("\n")) {
    const last = events.at(-1);
    const event = last === undefined ? decodeEvent(text, seq, prev) : decodeEvent(text, last.seq + 1, last.seq);
    if (event === undefined) return undefined;
    events.push(event);
  }
  return { epoch, events, ...(before !== "" && { before: decodeId(before) }) };
}

/** A place in the log: a whole number that is counted exactly. */
export function placeOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const place = Number(text);
  return Number.isSafeInteger(place) ? place : undefined;
}

function parsed(text: string): unknown {
  try {
    const values = jsonCodec.decode(text, SERVER_DEPTH_MAX);
    return values.length === 1 ? values[0] : undefined;
  } catch {
    return undefined;
  }
}
