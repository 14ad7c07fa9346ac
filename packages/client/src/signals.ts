import type { Cancel, Environment } from "@tutti/protocol";

interface Window {
  /** The newest that came within the interval; it is sent at its end. */
  newest: { readonly payload: unknown } | undefined;
  readonly cancel: Cancel;
}

/** Sends signals of each type at most once an interval: the first at once, and the newest always last. */
export class SignalThrottle {
  readonly #environment: Environment;
  readonly #intervalMs: number;
  readonly #send: (type: string, payload: unknown) => void;
  readonly #windows = new Map<string, Window>();

  constructor(environment: Environment, intervalMs: number, send: (type: string, payload: unknown) => void) {
    this.#environment = environment;
    this.#intervalMs = intervalMs;
    this.#send = send;
  }

  push(type: string, payload: unknown): void {
    const window = this.#windows.get(type);
    if (window !== undefined) window.newest = { payload };
    else this.#pass(type, payload);
  }

  /** Forgets what waits. */
  clear(): void {
    for (const { cancel } of this.#windows.values()) cancel();
    this.#windows.clear();
  }

  #pass(type: string, payload: unknown): void {
    const cancel = this.#environment.after(this.#intervalMs, () => {
      const newest = this.#windows.get(type)?.newest;
      this.#windows.delete(type);
      if (newest !== undefined) this.#pass(type, newest.payload);
    });
    this.#windows.set(type, { newest: undefined, cancel });
    this.#send(type, payload);
  }
}
