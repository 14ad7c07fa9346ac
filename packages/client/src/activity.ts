import type { Cancel, Environment } from "@tutti/protocol";

/** Calls `tell` with `idle` when `seen` was not called for a while, and with `active` when it is called. Never called, it decides nothing. */
export function activityWatch(environment: Environment, idleAfterMs: number, tell: (activity: "active" | "idle") => void): { readonly seen: () => void; readonly stop: () => void } {
  let seenAt = 0;
  let timer: Cancel | undefined;
  const wait = (delayMs: number): void => {
    timer = environment.after(delayMs, () => {
      timer = undefined;
      const leftMs = seenAt + idleAfterMs - environment.elapsed();
      if (leftMs > 0) wait(leftMs);
      else tell("idle");
    });
  };
  return {
    seen() {
      seenAt = environment.elapsed();
      tell("active");
      // Called with every move of the mouse: the timer finds out by itself how much later it should have been.
      if (timer === undefined) wait(idleAfterMs);
    },
    stop() {
      timer?.();
      timer = undefined;
    },
  };
}
