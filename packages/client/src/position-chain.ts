import type { LastSeen, Position, WireEvent } from "@tutti/protocol";
import type { Guards } from "./options.js";

/** Events of a channel as they arrive, one after the other. */
export interface EventBatch {
  readonly epoch: string;
  readonly seq: number;
  /** The `seq` before the first event; without it, the number before. */
  readonly prev?: number | undefined;
  readonly events: readonly WireEvent[];
}

export interface PlacedEvent {
  readonly position: Position;
  readonly event: WireEvent;
}

export type Chain =
  /** These follow the last position; repeats are left out. */
  | { readonly kind: "follows"; readonly events: readonly PlacedEvent[] }
  /** Something is missing before them, or the log is not the one that was seen. */
  | { readonly kind: "hole" };

/** Joins a batch to the last event that was seen. An event without a `seq` has the number after the one before it. */
export function follow(last: LastSeen, { epoch, seq: first, prev = first - 1, events: batch }: EventBatch, guards: Guards = {}): Chain {
  const minds = guards.recovery !== false;
  if (minds && epoch !== last.epoch) return { kind: "hole" };
  const events: PlacedEvent[] = [];
  let previous = prev;
  for (const [index, event] of batch.entries()) {
    const seq = index === 0 ? first : (event.seq ?? previous + 1);
    // Another event at the place that was seen: the log lost its tail and went on.
    const isOther = seq === last.seq && last.eventId !== undefined && event.eventId !== last.eventId;
    const isEarly = seq > last.seq && events.length === 0 && previous !== last.seq;
    if (minds && (isOther || isEarly)) return { kind: "hole" };
    if (seq > last.seq || guards.dedupe === false) events.push({ position: { epoch, seq }, event });
    previous = seq;
  }
  return { kind: "follows", events };
}
