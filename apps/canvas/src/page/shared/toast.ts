import { createStore, useStore } from "./store.js";

/** A sentence that shows for a while. */
export interface Toast {
  readonly id: number;
  readonly text: string;
}

const shownMs = 7_000;
const toastsMax = 4;

const toasts = createStore<readonly Toast[]>([]);
let lastId = 0;

export function dismiss(id: number): void {
  toasts.set(toasts.getSnapshot().filter((toast) => toast.id !== id));
}

/** Shows a sentence; the same one twice shows once. */
export function tell(text: string): void {
  lastId += 1;
  const id = lastId;
  toasts.set([...toasts.getSnapshot().filter((toast) => toast.text !== text), { id, text }].slice(-toastsMax));
  setTimeout(() => dismiss(id), shownMs);
}

export function useToasts(): readonly Toast[] {
  return useStore(toasts);
}
