import { RandomStream } from "@tutti/testkit";
import { faultNames, type FaultName } from "./faults.js";
import { violationsOf, type Violation } from "./invariants.js";
import type { Break, Profile } from "./profiles.js";
import { Scene } from "./scene.js";

/**
 * INV-5's time: so long after the last fault everything has to be as if there had been none. It counts from the moment when the network and
 * the broker are well: a half-open link is then reset, as a router that comes back resets it, and not left to the heartbeat, which takes 30 s
 * of its own; and clients reconnect with pauses of at most 15 s, since the default of 30 s may by itself take most of the time.
 */
const SETTLE_MS = 35_000;
/** Long enough for a server to notice that nobody is there any more. */
const EMPTY_MS = 12_000;

export interface SeedOptions {
  readonly profile: Profile;
  readonly guards?: Pick<Break, "client" | "server" | "broker">;
  readonly keepLines?: boolean;
}

export interface SeedResult {
  readonly seed: number;
  readonly hash: string;
  /** How many events ran. */
  readonly count: number;
  readonly faults: readonly FaultName[];
  readonly violations: readonly Violation[];
  readonly lines: readonly string[];
}

function drawFaults(seed: number, profile: Profile): Set<FaultName> {
  const random = new RandomStream(seed, "faults");
  return new Set(faultNames.filter((name) => random.chance(profile[name] ?? 0)));
}

/** Promises that nobody handled, since the last call. */
function unhandledRejections(): { take: () => unknown[]; stop: () => void } {
  const reasons: unknown[] = [];
  const note = (reason: unknown): void => void reasons.push(reason);
  process.on("unhandledRejection", note);
  return { take: () => reasons, stop: () => process.off("unhandledRejection", note) };
}

/** Runs one seed: faults and acts, then calm, then what must hold, then the end of it all. */
export async function runSeed(seed: number, { profile, guards = {}, keepLines = false }: SeedOptions): Promise<SeedResult> {
  const rejections = unhandledRejections();
  const faults = drawFaults(seed, profile);
  const scene = new Scene({ seed, faults, guards, keepLines });
  const { clock } = scene;
  scene.begin();
  await clock.runUntil(scene.endsAtMs);
  scene.heal();
  await clock.advance(SETTLE_MS);
  const violations = [...(await violationsOf(scene))];
  await closeAll(scene, violations);
  // Rejections that nobody handled are told once the promises of this turn are through.
  await new Promise((resolve) => setImmediate(resolve));
  for (const reason of rejections.take()) violations.push({ rule: "REJECTED", what: reason instanceof Error ? (reason.stack ?? reason.message) : String(reason) });
  rejections.stop();
  const { trace } = clock;
  return { seed, hash: trace.hash, count: trace.count, faults: [...faults], violations, lines: trace.lines };
}

/** INV-6: when everybody has gone, the server holds nothing. */
async function closeAll({ actors, host, clock }: Scene, violations: Violation[]): Promise<void> {
  for (const { client } of actors) void client.close();
  await clock.advance(EMPTY_MS);
  const { connections, sessions, channels, subscriptions, outboxBytes } = host.server.stats();
  const left = { connections, sessions, channels, subscriptions, outboxBytes };
  if (Object.values(left).some((count) => count > 0)) violations.push({ rule: "INV-6", what: `the server still holds ${JSON.stringify(left)}` });
}
