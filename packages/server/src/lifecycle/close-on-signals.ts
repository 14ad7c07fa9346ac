// oxlint-disable no-restricted-globals -- an edge: the application calls it because it has a process
import type { DrainOptions } from "./drain.js";
import { assertDelay } from "../options.js";
import type { Server } from "../server.js";

export interface CloseOnSignalsOptions extends DrainOptions {
  /** `SIGTERM` and `SIGINT`, unless given. */
  readonly signals?: readonly NodeJS.Signals[];
}

/**
 * Drains and closes the server when the process is told to stop, then calls `done`. A second signal ends the process as it would without.
 *
 * Give the process more time to stop than `noticeMs` and `withinMs` take together, and 2 s for those who still wait for an answer.
 *
 * @returns what undoes it
 * @throws TuttiError `CONTRACT_INVALID` for a number that is none: at the signal it would be too late
 */
export function closeOnSignals(
  server: Server,
  done: (error?: unknown) => void,
  { signals = ["SIGTERM", "SIGINT"], ...drain }: CloseOnSignalsOptions = {},
): () => void {
  assertDelay(drain.withinMs, "withinMs");
  assertDelay(drain.noticeMs, "noticeMs");
  const remove = (): void => {
    for (const signal of signals) process.removeListener(signal, stop);
  };
  const stop = (): void => {
    remove();
    server
      .drain(drain)
      .then(() => server.close())
      .then(() => done(), done);
  };
  for (const signal of signals) process.once(signal, stop);
  return remove;
}
