import { describe, expect, it } from "vitest";
import { planOf } from "./command-line.js";
import { SEVERAL, breaks, nodeProfiles, profiles } from "./profiles.js";
import { regressions } from "./regressions.js";
import { runSeed, type SeedResult } from "./run-seed.js";

const SEEDS = 40;
const BREAK_SEEDS = 500;

/** The first seed that breaks a promise, or `undefined`. */
async function firstFailure(seeds: number, run: (seed: number) => Promise<SeedResult>): Promise<SeedResult | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const result = await run(seed);
    if (result.violations.length > 0) return result;
  }
  return undefined;
}

describe("every run keeps the promises", () => {
  it.each(Object.entries(profiles))("INV-1 INV-2 INV-3 INV-4 INV-5 INV-6 INV-7 INV-8 INV-9 hold under the faults of %s", async (name, profile) => {
    const failure = await firstFailure(SEEDS, (seed) => runSeed(seed, { profile }));
    expect(failure && { seed: failure.seed, profile: name, violations: failure.violations }).toBeUndefined();
  });

  it.each(Object.entries(nodeProfiles))("INV-1 INV-2 INV-3 INV-4 INV-5 INV-6 INV-7 INV-8 INV-9 hold at several nodes under the faults of %s", async (name, profile) => {
    const failure = await firstFailure(SEEDS, (seed) => runSeed(seed, { profile, nodes: SEVERAL }));
    expect(failure && { seed: failure.seed, profile: name, violations: failure.violations }).toBeUndefined();
  });

  it.each(regressions)("INV-1 to INV-9 hold in seed $seed of $profile: $story", async ({ seed, profile, nodes }) => {
    const plan = planOf({ profile, nodes, without: undefined });
    expect((await runSeed(seed, plan)).violations).toEqual([]);
  });
});

describe("the simulation", () => {
  it("SIM-1 replays a seed to the same trace hash, and no other seed to it", async () => {
    const profile = profiles["mixed"] ?? {};
    const first = await runSeed(7, { profile });
    const again = await runSeed(7, { profile, keepLines: true });
    const other = await runSeed(8, { profile });
    expect([again.hash, again.count]).toEqual([first.hash, first.count]);
    expect(other.hash).not.toBe(first.hash);
    expect(again.lines.length).toBeGreaterThan(again.count - 1);
    expect(first.lines).toEqual([]);
  });

  it("SIM-1 replays a seed of several nodes to the same trace hash, which is not that of one", async () => {
    const profile = nodeProfiles["cluster"] ?? {};
    const first = await runSeed(7, { profile, nodes: SEVERAL });
    const again = await runSeed(7, { profile, nodes: SEVERAL });
    const alone = await runSeed(7, { profile });
    expect([again.hash, again.count]).toEqual([first.hash, first.count]);
    expect(alone.hash).not.toBe(first.hash);
  });

  it.each(Object.keys(breaks))("SIM-2 finds a violation without %s", async (name) => {
    const plan = planOf({ profile: undefined, without: name });
    const failure = await firstFailure(BREAK_SEEDS, (seed) => runSeed(seed, plan));
    expect(failure?.violations.length).toBeGreaterThan(0);
  });
});
