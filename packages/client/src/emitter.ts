import type { Cancel } from "@tutti/protocol";

/** Hears what a listener of the application threw: it must not break what called it. */
export type Report = (cause: unknown) => void;

/** The listeners of one thing. A listener may add and remove listeners, itself too, while they are called. */
export class Listeners<T> {
  readonly #entries = new Set<{ readonly call: (value: T) => void }>();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The same function added twice is called twice. */
  add(call: (value: T) => void): Cancel {
    const entry = { call };
    this.#entries.add(entry);
    return () => void this.#entries.delete(entry);
  }

  emit(value: T): void {
    // A copy: who is added meanwhile was not there when it happened.
    for (const entry of Array.from(this.#entries)) {
      if (!this.#entries.has(entry)) continue;
      try {
        entry.call(value);
      } catch (cause) {
        this.#report(cause);
      }
    }
  }
}

/** Listeners by the name of what they listen to. */
export class Emitter {
  readonly #byName = new Map<string, Listeners<never>>();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  on(name: string, listener: (value: never) => void): Cancel {
    const listeners = this.#byName.get(name) ?? new Listeners<never>(this.#report);
    this.#byName.set(name, listeners);
    const cancel = listeners.add(listener);
    return () => {
      cancel();
      if (listeners.size === 0 && this.#byName.get(name) === listeners) this.#byName.delete(name);
    };
  }

  emit(name: string, value: unknown): void {
    this.#byName.get(name)?.emit(value as never);
  }
}
