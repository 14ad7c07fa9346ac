import { TuttiError } from "tutti/contract";
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

/** Why something was refused, for a person. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof TuttiError)) return "Something went wrong.";
  switch (error.code) {
    case "QUEUE_FULL":
      return "No more changes can be kept until the connection is back.";
    case "NOT_CONNECTED":
      return "There is no connection just now.";
    case "TIMEOUT":
    case "OUTCOME_UNKNOWN":
      return "The server did not answer in time.";
    case "INTERNAL":
      return "The server could not do it.";
    default:
      return error.message;
  }
}

/**
 * For a change that shows before the server has agreed to it. Tutti takes a refused change back by itself; this says that it did, and why.
 * `what` starts the sentence: "Adding the concept".
 */
export function explainRefusal(what: string, settled: Promise<unknown>): void {
  settled.catch((error: unknown) => {
    if (error instanceof TuttiError && error.code === "CLIENT_CLOSED") return;
    tell(`${what} was taken back. ${reasonOf(error)}`);
  });
}

export function useToasts(): readonly Toast[] {
  return useStore(toasts);
}
