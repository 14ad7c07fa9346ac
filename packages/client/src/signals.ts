import type { Cancel } from "@tutti/protocol";
import type { Core } from "./core.js";

/** Sends signals of each type at most once an interval: the first at once, and the newest always last. */
export class SignalThrottle {
  readonly #core: Core;
  readonly #send: (type: string, payload: unknown) => void;
  /** The types whose interval is not over, with the newest that came meanwhile. */
  readonly #intervals = new Map<string, { readonly newest?: unknown; readonly cancel: Cancel }>();

  constructor(core: Core, send: (type: string, payload: unknown) => void) {
    this.#core = core;
    this.#send = send;
  }

  push(type: string, newest: unknown): void {
    const interval = this.#intervals.get(type);
    if (interval === undefined) this.#pass(type, newest);
    else this.#intervals.set(type, { ...interval, newest });
  }

  /** Forgets what waits. */
  clear(): void {
    for (const { cancel } of this.#intervals.values()) cancel();
    this.#intervals.clear();
  }

  #pass(type: string, payload: unknown): void {
    const { environment, config } = this.#core;
    const cancel = environment.after(config.signalIntervalMs, () => {
      const interval = this.#intervals.get(type);
      this.#intervals.delete(type);
      if (interval !== undefined && "newest" in interval) this.#pass(type, interval.newest);
    });
    this.#intervals.set(type, { cancel });
    this.#send(type, payload);
  }
}
