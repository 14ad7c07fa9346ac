import { RandomStream } from "@tutti/testkit";
import { faultNames, type FaultName } from "./faults.js";
import { violationsOf } from "./invariants.js";
import { Parts, everything, type Part, type Selection } from "./parts.js";
import type { GuardsOff, Profile } from "./profiles.js";
import { Scene } from "./scene.js";
import type { Violation } from "./violation.js";

/**
 * INV-5's time: so long after the last fault everything has to be as if there had been none. It counts from the moment when the network and
 * the broker are well: a half-open link is then reset, as a router that comes back resets it, and not left to the heartbeat, which takes 30 s
 * of its own; and clients reconnect with pauses of at most 15 s, since the default of 30 s may by itself take most of the time.
 */
const SETTLE_MS = 35_000;
/** A link that polls, and does not any more, is found out by its silence alone, and its member is away for a time after that. */
const POLLED_SETTLE_MS = 50_000;
/** Long enough for a server to notice that nobody is there any more. */
const EMPTY_MS = 12_000;

export interface SeedOptions {
  readonly profile: Profile;
  /** How many nodes; 1 unless given. */
  readonly nodes?: number;
  readonly guards?: GuardsOff;
  readonly selection?: Selection;
  readonly keepLines?: boolean;
}

export interface SeedResult {
  readonly seed: number;
  readonly hash: string;
  /** How many events ran. */
  readonly count: number;
  readonly faults: readonly FaultName[];
  /** All that took part. */
  readonly parts: readonly Part[];
  /** How long people acted and faults lasted. */
  readonly endsAtMs: number;
  readonly violations: readonly Violation[];
  readonly lines: readonly string[];
}

function drawFaults(seed: number, profile: Profile, parts: Parts): Set<FaultName> {
  const drawn = faultNames.filter((name) => new RandomStream(seed, `whether ${name}`).chance(profile[name] ?? 0));
  return new Set(drawn.filter((name) => parts.take(name)));
}

/** Promises that nobody handled, since the last call. */
function unhandledRejections(): { take: () => unknown[]; stop: () => void } {
  const reasons: unknown[] = [];
  const note = (reason: unknown): void => void reasons.push(reason);
  process.on("unhandledRejection", note);
  return { take: () => reasons, stop: () => process.off("unhandledRejection", note) };
}

/** Runs one seed: faults and acts, then calm, then what must hold, then the end of it all. */
export async function runSeed(seed: number, { profile, nodes = 1, guards = {}, selection = everything, keepLines = false }: SeedOptions): Promise<SeedResult> {
  const rejections = unhandledRejections();
  const parts = new Parts(selection);
  const faults = drawFaults(seed, profile, parts);
  const scene = new Scene({ seed, nodes, faults, parts, untilMs: selection.untilMs ?? Infinity, guards, keepLines });
  const { clock } = scene;
  scene.begin();
  // A month that passes puts the end off.
  while (clock.nowMs < scene.endsAtMs) await clock.runUntil(scene.endsAtMs);
  scene.heal();
  await clock.advance(scene.hasPolled ? POLLED_SETTLE_MS : SETTLE_MS);
  const violations = [...(await violationsOf(scene))];
  await closeAll(scene, violations);
  // Rejections that nobody handled are told once the promises of this turn are through.
  await new Promise((resolve) => setImmediate(resolve));
  for (const reason of rejections.take()) violations.push({ rule: "REJECTED", what: reason instanceof Error ? (reason.stack ?? reason.message) : String(reason) });
  rejections.stop();
  const { trace } = clock;
  const { hash, count, lines } = trace;
  return { seed, hash, count, faults: [...faults], parts: parts.taken, endsAtMs: scene.actsForMs, violations, lines };
}

/** INV-6: when everybody has gone, the server holds nothing. */
async function closeAll({ actors, cluster, clock }: Scene, violations: Violation[]): Promise<void> {
  for (const { presentPages } of actors) for (const { client } of presentPages) void client.close();
  await clock.advance(EMPTY_MS);
  for (const { process, server } of cluster.nodes) {
    const { connections, sessions, channels, subscriptions, outboxBytes } = server.stats();
    const left = { connections, sessions, channels, subscriptions, outboxBytes };
    if (Object.values(left).some((count) => count > 0)) violations.push({ rule: "INV-6", what: `${process.name} still holds ${JSON.stringify(left)}` });
  }
}
