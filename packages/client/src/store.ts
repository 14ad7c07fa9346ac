import type { Cancel } from "@tutti/protocol";
import { Listeners, type Report } from "./emitter.js";

/** A value that changes. Fits React's `useSyncExternalStore`; both functions may be passed on unbound. */
export interface ReadonlyStore<T> {
  /** The value now: the same reference until it changed. */
  readonly getSnapshot: () => T;
  /** Calls `listener` after each change; returns its unsubscribe. */
  readonly subscribe: (listener: () => void) => Cancel;
}

/** A store whose value is computed when somebody asks, and kept until `invalidate`. */
export class Store<T> implements ReadonlyStore<T> {
  readonly #compute: () => T;
  readonly #listeners: Listeners<void>;
  #cached: { readonly value: T } | undefined;

  constructor(compute: () => T, report: Report) {
    this.#compute = compute;
    this.#listeners = new Listeners(report);
  }

  readonly getSnapshot = (): T => (this.#cached ??= { value: this.#compute() }).value;

  readonly subscribe = (listener: () => void): Cancel => this.#listeners.add(listener);

  /** The next snapshot is a new one. Listeners are told by `changed`, once for several changes. */
  invalidate(): void {
    this.#cached = undefined;
  }

  changed(): void {
    this.invalidate();
    this.#listeners.emit();
  }
}
