// oxlint-disable no-restricted-globals -- an edge: the application calls it because it has a process
import type { Server } from "./server.js";

/**
 * Drains and closes the server when the process is told to stop, then calls `done`. A second signal ends the process as it would without.
 *
 * @returns what undoes it
 */
export function closeOnSignals(server: Server, done: (error?: unknown) => void, signals: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT"]): () => void {
  const remove = (): void => {
    for (const signal of signals) process.removeListener(signal, stop);
  };
  const stop = (): void => {
    remove();
    server
      .drain()
      .then(() => server.close())
      .then(() => done(), done);
  };
  for (const signal of signals) process.once(signal, stop);
  return remove;
}
