import type { Cancel } from "@tutti/protocol";
import { listen, tellAll, type Listeners, type Report } from "./emitter.js";

/** A value that changes. Fits React's `useSyncExternalStore`; both functions may be passed on unbound. */
export interface ReadonlyStore<T> {
  /** The value now: the same reference until it changed. */
  readonly getSnapshot: () => T;
  /** Calls `listener` after each change; returns its unsubscribe. */
  readonly subscribe: (listener: () => void) => Cancel;
}

/** A store whose value is computed when somebody asks, and kept until it changes. */
export interface Store<T> extends ReadonlyStore<T> {
  /** The next snapshot is a new one. Listeners are told by `changed`, once for several changes. */
  readonly invalidate: () => void;
  readonly changed: () => void;
}

export function makeStore<T>(report: Report, compute: () => T): Store<T> {
  const listeners: Listeners<void> = new Set();
  let cached: { readonly value: T } | undefined;
  const invalidate = (): void => {
    cached = undefined;
  };
  return {
    subscribe: (listener) => listen(listeners, listener),
    getSnapshot: () => (cached ??= { value: compute() }).value,
    invalidate,
    changed() {
      invalidate();
      tellAll(listeners, undefined, report);
    },
  };
}
