import type { Cancel } from "@tutti/protocol";

/** Hears what a listener of the application threw: it must not break what called it. */
export type Report = (cause: unknown) => void;

/** The listeners of one thing. A listener may add and remove listeners, itself too, while they are called. */
export class Listeners<T> {
  readonly #calls = new Set<{ readonly call: (value: T) => void }>();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** The same function added twice is called twice. */
  add(call: (value: T) => void): Cancel {
    const entry = { call };
    this.#calls.add(entry);
    return () => void this.#calls.delete(entry);
  }

  emit(value: T): void {
    // A copy: who is added meanwhile was not there when it happened.
    for (const entry of Array.from(this.#calls)) {
      try {
        if (this.#calls.has(entry)) entry.call(value);
      } catch (cause) {
        this.#report(cause);
      }
    }
  }
}

/** Listeners by the name of what they listen to; as many names as the application uses. */
export class Emitter {
  readonly #byName = new Map<string, Listeners<never>>();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  on(name: string, listener: (value: never) => void): Cancel {
    const listeners = this.#byName.get(name) ?? new Listeners<never>(this.#report);
    this.#byName.set(name, listeners);
    return listeners.add(listener);
  }

  emit(name: string, value: unknown): void {
    this.#byName.get(name)?.emit(value as never);
  }
}
