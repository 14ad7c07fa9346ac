import { SERVER_DEPTH_MAX, TuttiError, jsonCodec } from "@tutti/protocol";
import type { LoggedEvent, NewEvent } from "@tutti/server";

/** A place in the log: the event there, or the floor before the first. All of it rises along a channel, so each part can be searched. */
export interface Mark {
  readonly seq: number;
  /** When it was appended, by the log's clock. */
  readonly at: number;
  /** What all events of the channel before it take encoded, in bytes. */
  readonly start: number;
  /** The same, with its own. */
  readonly total: number;
}

/** A place with the event there, which may be forgotten. None is known at the beginning, nor at a floor that was written before floors had one. */
export interface Tip extends Mark {
  readonly eventId?: string;
}

/** Before everything. */
export const ORIGIN: Tip = { seq: 0, at: 0, start: 0, total: 0 };

/** An event and how it is stored: when, what stands before it in bytes, and it as JSON, which is not read where the mark is enough. */
export interface EventRecord {
  readonly event: LoggedEvent;
  readonly mark: Tip;
  readonly text: string;
}

/**
 * The record of an event that is appended behind `head`.
 *
 * @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP`
 */
export function encodeEvent(newEvent: NewEvent, { seq: prev, total: start }: Mark, at: number): EventRecord {
  // The copy comes last for its speed. The place is written over it, since an event that was read from another log brings one.
  const event = { seq: 0, prev: 0, ...newEvent };
  // The log counts by ones; what reads it does not rely on that.
  event.seq = prev + 1;
  event.prev = prev;
  const json = jsonCodec.encode([event], SERVER_DEPTH_MAX);
  const mark: Tip = { seq: event.seq, at, start, total: start + Buffer.byteLength(json), eventId: event.eventId };
  return { event, mark, text: `${at} ${start} ${json}` };
}

export function markOf(seq: number, text: string): Mark {
  const [first, second] = separators(text);
  const start = Number(text.slice(first + 1, second));
  return { seq, at: Number(text.slice(0, first)), start, total: start + Buffer.byteLength(text) - second - 1 };
}

export function decodeEvent(text: string): LoggedEvent {
  const [, second] = separators(text);
  const [event] = jsonCodec.decode(text.slice(second + 1), SERVER_DEPTH_MAX) as readonly [LoggedEvent];
  return event;
}

export function tipOf(seq: number, text: string): Tip {
  const { at, start, total } = markOf(seq, text);
  return { seq, at, start, total, eventId: decodeEvent(text).eventId };
}

function separators(text: string): readonly [number, number] {
  const first = text.indexOf(" ");
  return [first, text.indexOf(" ", first + 1)];
}

/** A channel's number, and where its log begins. */
export interface ChannelRecord {
  readonly id: number;
  readonly floor: Tip;
}

export function encodeChannel({ id, floor: { seq, at, start, total, eventId } }: ChannelRecord): string {
  const record = [id, seq, at, start, total];
  return JSON.stringify(eventId === undefined ? record : [...record, eventId]);
}

export function decodeChannel(text: string): ChannelRecord {
  const [id, seq, at, start, total, eventId] = JSON.parse(text) as [number, number, number, number, number, string?];
  return { id, floor: eventId === undefined ? { seq, at, start, total } : { seq, at, start, total, eventId } };
}

/** Thrown where an event that must be there is not. */
export function missing(channel: string, seq: number): TuttiError {
  return new TuttiError("UNAVAILABLE", { message: `the event ${seq} of ${channel} is not on the disk` });
}
