import { SERVER_DEPTH_MAX, jsonCodec, wireErrorOf, type LastSeen, type Position, type ServerFrame, type ServerFrameOf, type SubscriptionStart, type TuttiError, type WireError } from "@tutti/protocol";
import type { LoggedEvent } from "../broker/broker.js";
import { formatCursor } from "./cursor.js";

/** An event as it is read over HTTP. */
interface EventRecord {
  /** For the next `since`. */
  readonly position: string;
  readonly eventId: string;
  readonly type: string;
  readonly payload?: unknown;
  /** The server's clock when it was appended, Unix ms. */
  readonly timestamp: number;
  readonly user?: string;
}

/** Where a reader begins, or goes on after a gap. */
export interface StartRecord {
  /** What comes next follows this position. */
  readonly position: string;
  /** What came after `from`, up to and including `to`, cannot be had. */
  readonly gap?: { readonly from: string; readonly to: string };
  /** The state at `position`, where it is needed to go on. */
  readonly snapshot?: { readonly version: number; readonly state?: unknown };
}

/** What a stream says, one after the other. */
export type StreamRecord =
  | ({ readonly kind: "start" } & StartRecord)
  | ({ readonly kind: "event" } & EventRecord)
  | ({ readonly kind: "gap" } & StartRecord)
  /** The last one: why nothing more comes. */
  | ({ readonly kind: "end" } & WireError);

export function eventRecord(epoch: string, { seq, eventId, type, payload, timestamp, user }: Omit<LoggedEvent, "prev">): EventRecord {
  return { position: formatCursor({ epoch, seq, eventId }), eventId, type, payload, timestamp, ...(user !== undefined && { user }) };
}

export function startRecord({ position, gap, snapshot }: SubscriptionStart): StartRecord {
  return {
    position: formatCursor(position),
    ...(gap !== undefined && { gap: gapRecord(gap) }),
    ...(snapshot !== undefined && { snapshot }),
  };
}

export function gapRecord({ from, to }: { readonly from: Position; readonly to: LastSeen }): { readonly from: string; readonly to: string } {
  return { from: formatCursor({ epoch: from.epoch, seq: from.seq }), to: formatCursor({ epoch: to.epoch, seq: to.seq }) };
}

export function endRecord(error: TuttiError): StreamRecord {
  return { ...wireErrorOf(error), kind: "end" };
}

/**
 * What a channel hands to those who are subscribed, as records. Signals and presence are none: who reads over HTTP reads events.
 */
export function recordsOf(frames: readonly object[]): readonly StreamRecord[] {
  return frames.flatMap((frame) => {
    // A channel and its subscriptions push the server's own frames, and a stream its own records.
    const pushed = frame as ServerFrame | StreamRecord;
    if ("kind" in pushed) return [pushed];
    if (pushed.op === "events") return eventRecords(pushed);
    return pushed.op === "gap" ? [{ kind: "gap" as const, ...startRecord(pushed.start) }] : [];
  });
}

function eventRecords({ epoch, seq: first, events }: ServerFrameOf<"events">): readonly StreamRecord[] {
  let next = first;
  return events.map((event) => {
    const seq = event.seq ?? next;
    next = seq + 1;
    return { kind: "event", ...eventRecord(epoch, { ...event, seq, payload: event.payload }) };
  });
}

/** A record as one line of JSON: no text in it has a line's end. @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP` */
export function lineOf(record: object): string {
  return jsonCodec.encode([record], SERVER_DEPTH_MAX);
}
