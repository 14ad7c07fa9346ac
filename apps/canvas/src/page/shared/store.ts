import { useCallback, useSyncExternalStore } from "react";
import type { ReadonlyStore } from "tutti/client";

/** A value that changes, in the shape that Tutti's own stores have. */
export interface Store<Value> extends ReadonlyStore<Value> {
  set(value: Value): void;
}

export function createStore<Value>(initial: Value): Store<Value> {
  let current = initial;
  const listeners = new Set<() => void>();
  return {
    getSnapshot: () => current,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(value) {
      current = value;
      for (const listener of listeners) listener();
    },
  };
}

/** What a store holds, rendered anew when it changes. */
export function useStore<Value>(store: ReadonlyStore<Value>): Value {
  const subscribe = useCallback((listener: () => void) => store.subscribe(listener), [store]);
  return useSyncExternalStore(subscribe, () => store.getSnapshot());
}
