import type { Cancel } from "@tutti/protocol";

/** Hears what a listener of the application threw: it must not break what called it. */
export type Report = (cause: unknown) => void;

/** The listeners of one thing; each entry is one registration, so that the same function added twice is called twice. */
export type Listeners<T> = Set<{ readonly call: (value: T) => void }>;

export function listen<T>(listeners: Listeners<T>, call: (value: T) => void): Cancel {
  const entry = { call };
  listeners.add(entry);
  return () => void listeners.delete(entry);
}

/** Calls the listeners. They may add and remove listeners meanwhile, themselves too: who is added was not there when it happened. */
export function tellAll<T>(listeners: Listeners<T>, value: T, report: Report): void {
  for (const entry of Array.from(listeners)) {
    try {
      if (listeners.has(entry)) entry.call(value);
    } catch (cause) {
      report(cause);
    }
  }
}

/** Listeners by the name of what they listen to; as many names as the application uses. */
export interface Emitter {
  on(name: string, listener: (value: never) => void): Cancel;
  emit(name: string, value: unknown): void;
}

export function makeEmitter(report: Report): Emitter {
  const byName = new Map<string, Listeners<never>>();
  return {
    on(name, listener) {
      const listeners: Listeners<never> = byName.get(name) ?? new Set();
      byName.set(name, listeners);
      return listen(listeners, listener);
    },
    emit: (name, value) => tellAll(byName.get(name) ?? new Set(), value as never, report),
  };
}
