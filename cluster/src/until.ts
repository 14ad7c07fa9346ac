import { setTimeout as pause } from "node:timers/promises";

const pauseMs = 20;

/**
 * Asks until the answer is yes.
 *
 * @param otherwise what it was that did not come to be; the promise rejects with it
 */
export async function until(isSo: () => boolean | Promise<boolean>, otherwise: () => string, msMax = 20_000): Promise<void> {
  const startedAt = performance.now();
  while (!(await isSo())) {
    if (performance.now() - startedAt > msMax) throw new Error(`not within ${msMax} ms: ${otherwise()}`);
    await pause(pauseMs);
  }
}
