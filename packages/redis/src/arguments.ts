import type { AppendRequest, IdempotencyKey, PublisherCount, Retention } from "@tutti/server";
import { encodeEvent, encodeId } from "./event-text.js";
import type { Seen } from "./feeds.js";
import { digestOf } from "./keys.js";

/** Longer than that is for ever: a retention by count alone names an age beyond all. */
const LIFETIME_MS_MAX = 10 * 365 * 24 * 3_600_000;

const NO_EXPECTATION = ["", "0", ""] as const;
const NO_RETENTION = ["", "", "", ""] as const;
const NO_COUNT = ["", "", "", ""] as const;

/**
 * The event, its id, who publishes and what is expected.
 *
 * @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP`
 */
export function appendArgs({ event, publisher, key, expected }: AppendRequest, seen: Seen | undefined): readonly [event: string, ...others: string[]] {
  // The id makes sure that the head is the one that was seen, where that is known: a place alone may have been given twice.
  const isSeen = expected !== undefined && seen?.epoch === expected.epoch && seen.seq === expected.seq;
  const expectation = expected === undefined ? NO_EXPECTATION : [expected.epoch, String(expected.seq), isSeen ? encodeId(seen.eventId) : ""];
  return [encodeEvent(event), encodeId(event.eventId), ...whoArgs(publisher, key), ...expectation];
}

/** Session, n, settled. */
export function countArgs({ session, n, settled }: PublisherCount): readonly string[] {
  return [session, String(n), String(settled)];
}

export function lookupArgs(id: PublisherCount | IdempotencyKey): readonly string[] {
  return "session" in id ? ["publisher", id.session, String(id.n)] : ["key", digestOf(id)];
}

/** Four, of which the first is empty where there is no retention. */
export function retentionArgs(retention: Retention | undefined): readonly string[] {
  if (retention === undefined) return NO_RETENTION;
  const { countMin, ageMsMin, countMax, bytesMax } = retention;
  return [String(countMin), String(ageMsMin), String(countMax), String(bytesMax)];
}

/** How long a channel stays that nobody uses, in ms: as long as publishers or events are remembered; `0`, which is for ever, where it has state. */
export function lifetimeMs(retention: Retention | "state" | undefined, deduplicationMs: number): string {
  if (retention === "state") return "0";
  const lifetime = Math.max(deduplicationMs, retention?.ageMsMin ?? 0);
  return lifetime > LIFETIME_MS_MAX ? "0" : String(Math.ceil(lifetime));
}

function whoArgs(publisher: PublisherCount | undefined, key: IdempotencyKey | undefined): readonly string[] {
  if (publisher !== undefined) return ["publisher", ...countArgs(publisher)];
  return key === undefined ? NO_COUNT : ["key", digestOf(key), "", ""];
}
