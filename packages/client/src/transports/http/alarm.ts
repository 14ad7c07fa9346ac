import type { Environment } from "@tutti/protocol";
import type { Asked } from "./fetch.js";

/** The pauses before a request that was not answered is made again. */
const AGAIN_DELAYS_MS = [200, 1_000];

/** One pause at a time, which may be cut short. */
export interface Alarm {
  pause(delayMs: number): Promise<void>;
  ring(): void;
}

export function makeAlarm(environment: Pick<Environment, "after">): Alarm {
  let ring = (): void => {};
  return {
    pause: (delayMs) =>
      new Promise((resolve) => {
        const cancel = environment.after(delayMs, () => ring());
        ring = () => {
          ring = () => {};
          cancel();
          resolve();
        };
      }),
    ring: () => ring(),
  };
}

/** Makes a request, and makes it again where it may get its answer a moment later; a few times, unless all is over meanwhile. Never rejects. */
export async function askAgain(alarm: Alarm, signal: AbortSignal, request: () => Promise<Asked>): Promise<Asked> {
  for (const delayMs of AGAIN_DELAYS_MS) {
    const asked = await request();
    if (asked.kind === "answered" || !asked.isPassing || signal.aborted) return asked;
    await alarm.pause(Math.max(delayMs, asked.retryAfterMs ?? 0));
    if (signal.aborted) return asked;
  }
  return request();
}
