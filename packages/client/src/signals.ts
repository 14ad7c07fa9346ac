import type { Cancel } from "@tutti/protocol";
import type { Core } from "./core.js";

/** Sends signals of each type at most once an interval: the first at once, and the newest always last. */
export function makeThrottle({ environment, config }: Core, send: (type: string, payload: unknown) => void) {
  /** The types whose interval is not over, with the newest that came meanwhile. */
  const intervals = new Map<string, { readonly newest?: unknown; readonly cancel: Cancel }>();

  const pass = (type: string, payload: unknown): void => {
    const cancel = environment.after(config.signalIntervalMs, () => {
      const interval = intervals.get(type);
      intervals.delete(type);
      if (interval !== undefined && "newest" in interval) pass(type, interval.newest);
    });
    intervals.set(type, { cancel });
    send(type, payload);
  };

  return {
    push(type: string, newest: unknown): void {
      const interval = intervals.get(type);
      if (interval === undefined) pass(type, newest);
      else intervals.set(type, { ...interval, newest });
    },
    /** Forgets what waits. */
    clear(): void {
      for (const { cancel } of intervals.values()) cancel();
      intervals.clear();
    },
  };
}
