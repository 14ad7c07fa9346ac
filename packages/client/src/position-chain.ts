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

/** Every event with its position; an event without a `seq` has the number after the one before it. */
function place({ epoch, seq, events }: EventBatch): readonly PlacedEvent[] {
  let next = seq;
  return events.map((event, index) => {
    const own = index === 0 ? seq : (event.seq ?? next);
    next = own + 1;
    return { position: { epoch, seq: own }, event };
  });
}

/** Joins a batch to the last event that was seen. */
export function follow(last: LastSeen, batch: EventBatch, guards: Guards = {}): Chain {
  const minds = guards.recovery !== false;
  if (minds && batch.epoch !== last.epoch) return { kind: "hole" };
  const events: PlacedEvent[] = [];
  let previous = batch.prev ?? batch.seq - 1;
  for (const placed of place(batch)) {
    const { seq } = placed.position;
    // Another event at the place that was seen: the log lost its tail and went on.
    if (minds && seq === last.seq && last.eventId !== undefined && placed.event.eventId !== last.eventId) return { kind: "hole" };
    if (minds && seq > last.seq && events.length === 0 && previous !== last.seq) return { kind: "hole" };
    if (seq > last.seq || guards.dedupe === false) events.push(placed);
    previous = seq;
  }
  return { kind: "follows", events };
}
