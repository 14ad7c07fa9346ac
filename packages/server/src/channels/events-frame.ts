import type { ServerFrameOf, WireEvent } from "@tutti/protocol";
import type { LoggedEvent } from "../broker/broker.js";

/** Events that follow each other, as they travel: what they share stands once, and a `seq` only where it is not the next. */
export function eventsFrame(channel: string, epoch: string, events: readonly LoggedEvent[]): ServerFrameOf<"events"> {
  const { seq: start = 0, prev = 0 } = events[0] ?? {};
  let expected = start;
  const wire = events.map((event): WireEvent => {
    const { seq, eventId, type, payload, timestamp, user } = event;
    const jumped = seq !== expected;
    expected = seq + 1;
    return { eventId, type, payload, timestamp, ...(user !== undefined && { user }), ...(jumped && { seq }) };
  });
  return { op: "events", channel, epoch, seq: start, ...(prev !== start - 1 && { prev }), events: wire };
}
