import type { ReadonlyStore } from "./store.js";

/**
 * A part of a store, or something computed from it: the same reference until `isEqual` says that it is another, and listeners hear of that
 * alone. It listens to `store` only while somebody listens to it, and is right also when nobody does. Fits React's `useSyncExternalStore`:
 * make it once, not while rendering.
 *
 * @param selector pure; asked again only when `store` has another value
 * @param isEqual for what is made anew each time: an array, an object
 * @example
 * const count = select(board.state, (notes) => notes.length);
 * count.subscribe(() => console.log(count.getSnapshot()));
 */
export function select<S, T>(store: ReadonlyStore<S>, selector: (value: S) => T, isEqual: (before: T, now: T) => boolean = Object.is): ReadonlyStore<T> {
  let last: { readonly value: S; readonly selected: T } | undefined;
  const getSnapshot = (): T => {
    const value = store.getSnapshot();
    if (last === undefined || !Object.is(last.value, value)) {
      const selected = selector(value);
      last = { value, selected: last !== undefined && isEqual(last.selected, selected) ? last.selected : selected };
    }
    return last.selected;
  };
  return {
    getSnapshot,
    subscribe(listener) {
      let told = getSnapshot();
      return store.subscribe(() => {
        const selected = getSnapshot();
        if (Object.is(told, selected)) return;
        told = selected;
        listener();
      });
    },
  };
}
