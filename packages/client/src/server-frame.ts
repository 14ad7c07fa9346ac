import { TuttiError, type ServerFrame } from "@tutti/protocol";

/*
 * A client believes its server as it believes the page that brought it. A frame that lacks something throws where that is used, which ends
 * the connection; looked at before is only what would go wrong unseen. `readServerFrame` of the protocol looks at everything.
 */

/** The frame in a decoded message; one of a newer server may have an `op` that this client does not know. @throws TuttiError `FRAME_INVALID` */
export function readFrame(value: unknown): ServerFrame {
  const { op, channel = "" } = Object(value) as { readonly op?: unknown; readonly channel?: unknown };
  if (typeof op !== "string" || typeof channel !== "string") throw new TuttiError("FRAME_INVALID");
  const frame = value as ServerFrame;
  // A bad event is found before the good ones in front of it have done anything.
  if (frame.op === "events") for (const { seq = frame.seq, eventId } of frame.events) assertCounts(seq, eventId.length);
  return frame;
}

/** For what is counted with, or waited for: `undefined` would go on as `NaN`. @throws TuttiError `FRAME_INVALID` */
export function assertCounts(...counts: readonly unknown[]): void {
  if (!counts.every(Number.isSafeInteger)) throw new TuttiError("FRAME_INVALID");
}
