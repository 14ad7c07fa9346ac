import { clock } from "./clock.js";

/** Below this, timers are not to be trusted with what is due next. */
const SPIN_MS = 2;

/**
 * Calls `send` at the moments of a Poisson process: as many independent people would. Who is late, sends late, and the moment meant is part of the
 * call: so a server that slows its load down is not flattered.
 *
 * @param isPrecise whether to spin rather than to wait for a timer, which may be a millisecond late
 * @returns what stops it
 */
export function openLoop(perSecond: number, send: (intendedAt: number) => void, { isPrecise = false } = {}): () => void {
  const gapMs = (): number => (-Math.log(1 - Math.random()) * 1000) / perSecond;
  let nextAt = clock() + gapMs();
  let isStopped = false;
  const go = (): void => {
    if (isStopped) return;
    for (const now = clock(); nextAt <= now; nextAt += gapMs()) send(nextAt);
    const waitMs = nextAt - clock();
    if (isPrecise && waitMs < SPIN_MS) setImmediate(go);
    else setTimeout(go, Math.max(1, waitMs - (isPrecise ? 1 : 0)));
  };
  go();
  return () => {
    isStopped = true;
  };
}

/** Calls `send` for each of `count` people at an even pace, each with a phase of their own. @returns what stops it */
export function metronomes(count: number, perSecondEach: number, send: (who: number, intendedAt: number) => void): () => void {
  const periodMs = 1000 / perSecondEach;
  const startAt = clock();
  let done = 0;
  let isStopped = false;
  const go = (): void => {
    if (isStopped) return;
    const due = Math.floor(((clock() - startAt) / periodMs) * count);
    for (; done < due; done++) send(done % count, startAt + ((done + 1) / count) * periodMs);
    setTimeout(go, 1);
  };
  go();
  return () => {
    isStopped = true;
  };
}
