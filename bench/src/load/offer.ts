import { setTimeout as pause } from "node:timers/promises";
import type { Size } from "../scenario.js";
import type { RunningServer } from "../peers/peer.js";
import { clock } from "./clock.js";
import type { Crowd } from "./crowd.js";
import { quantileOf } from "../statistics.js";

/** How long each part of an offer takes. */
export interface Durations {
  readonly warmUpMs: number;
  readonly measuredMs: number;
  /** How long to wait at most for what is still under way. */
  readonly drainMsMax: number;
}

export const durationsOf = { full: { warmUpMs: 700, measuredMs: 3_000, drainMsMax: 20_000 }, tiny: { warmUpMs: 50, measuredMs: 200, drainMsMax: 5_000 } };

/** Of so few publishes a hundredth would be one: rare ones are measured for longer. */
const publishesMin = 60;

export function durationsAt(size: Size, perSecond: number): Durations {
  const durations = durationsOf[size];
  return size === "tiny" ? durations : { ...durations, measuredMs: Math.max(durations.measuredMs, (publishesMin / perSecond) * 1000) };
}

/** What a server did with a load that was offered to it. */
export interface Borne {
  /** Of the server, for each delivery of the measured time. */
  readonly cpuUs: number;
  readonly latencies: readonly number[];
  readonly ackLatencies: readonly number[];
  /** Of what was due; 1 where everything came. */
  readonly share: number;
  /** Deliveries a second while it was measured. */
  readonly perSecond: number;
  /** How many deliveries a message bore. */
  readonly batch: number;
  /** How much of its core the server, and the load, used. */
  readonly serverCpu: number;
  readonly loadCpu: number;
  /** Of those that were read, how many came again or after a later one of the same publisher. */
  readonly disordered: number;
}

/** The bound of what counts as borne. */
const P99_MS_MAX = 100;
const SHARE_MIN = 0.999;

/** @param shareMin how much of what was due has to come; for signals less than all, since the latest replaces the one before */
export const isBorne = ({ latencies, share }: Pick<Borne, "latencies" | "share">, shareMin = SHARE_MIN): boolean =>
  latencies.length > 0 && quantileOf(latencies, 0.99) < P99_MS_MAX && share >= shareMin;

const SETTLED_MS = 300;

/**
 * Offers a load for a while, whatever becomes of it. `start` begins it and returns what stops it; `due` counts the deliveries that it asked for.
 *
 * @throws (rejects) Error where a connection ended, something was refused, or nothing came at all
 */
export async function offer(crowd: Crowd, server: Pick<RunningServer, "usage">, { warmUpMs, measuredMs, drainMsMax }: Durations, start: () => { stop(): void; due(): number }): Promise<Borne> {
  const { tally } = crowd;
  const deliveredBefore = tally.delivered;
  const disorderedBefore = tally.disordered;
  const from = clock() + warmUpMs;
  crowd.measure(from, from + measuredMs);
  const load = start();
  const now = () => ({ ...tally, server: server.usage(), load: process.cpuUsage(), at: performance.now() });
  const measured = async () => {
    await pause(warmUpMs);
    const before = now();
    await pause(measuredMs);
    return { before, after: now() };
  };
  const { before, after } = await measured().finally(() => load.stop());
  await settled(crowd, () => tally.delivered - deliveredBefore >= load.due() && crowd.unacked === 0, drainMsMax);
  crowd.assertWell();
  if (load.due() > 0 && tally.delivered === deliveredBefore) throw new Error(`nothing came of ${load.due()} deliveries that were due`);
  const delivered = after.delivered - before.delivered;
  const elapsedMs = after.at - before.at;
  const cpuMs = after.server.cpuMs - before.server.cpuMs;
  return {
    cpuUs: (cpuMs / delivered) * 1000,
    latencies: crowd.latencies.kept,
    ackLatencies: crowd.ackLatencies.kept,
    share: (tally.delivered - deliveredBefore) / load.due(),
    perSecond: (delivered / elapsedMs) * 1000,
    batch: delivered / (after.messages - before.messages),
    serverCpu: cpuMs / elapsedMs,
    loadCpu: (after.load.user + after.load.system - before.load.user - before.load.system) / 1000 / elapsedMs,
    disordered: tally.disordered - disorderedBefore,
  };
}

/**
 * Offers what may be too much: a server that hangs up, or refuses something, has not borne it, and leaves the figures of what it bore before. That is
 * said, and the crowd is of no more use.
 *
 * @returns `undefined` where it did
 */
export async function offerTooMuch(...parts: Parameters<typeof offer>): Promise<Borne | undefined> {
  try {
    return await offer(...parts);
  } catch (error) {
    console.error(`not borne: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Resolves when everything that is due came, or nothing more comes. */
async function settled(crowd: Crowd, isDone: () => boolean, msMax: number): Promise<void> {
  const until = performance.now() + msMax;
  const came = (): number => crowd.tally.delivered + crowd.tally.acked;
  let before = -1;
  while (!isDone() && performance.now() < until && before !== came()) {
    before = came();
    await pause(SETTLED_MS);
  }
}
