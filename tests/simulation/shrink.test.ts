import { describe, expect, it } from "vitest";
import { listOf, type Selection } from "./parts.js";
import { breaks } from "./profiles.js";
import { runSeed, type SeedResult } from "./run-seed.js";
import { shrink, type Trial } from "./shrink.js";

const broken = breaks["dedupe"];
if (broken === undefined) throw new Error("there is no such guard");
const run = (seed: number, selection?: Selection): Promise<SeedResult> =>
  runSeed(seed, { profile: broken.profile, guards: broken, ...(selection !== undefined && { selection }) });

async function firstFailure(): Promise<SeedResult> {
  for (let seed = 1; ; seed++) {
    const result = await run(seed);
    if (result.violations.length > 0) return result;
  }
}

describe("shrinking", () => {
  it("SIM-3 a failing seed shrinks to fewer parts that still fail, and none of them can be left out", async () => {
    const whole = await firstFailure();
    const rule = whole.violations[0]?.rule;
    const shrunk = await shrink((selection) => run(whole.seed, selection));
    if (shrunk === undefined) throw new Error("the seed does not fail any more");
    const { selection } = shrunk;
    expect(selection.only.size).toBeLessThan(whole.parts.length);
    expect(selection.untilMs).toBeLessThan(whole.endsAtMs);
    // As the command has it.
    const only = listOf(selection.only).split(",");
    const again = await run(whole.seed, { only: new Set(only), untilMs: selection.untilMs });
    expect(again.violations).toEqual(shrunk.violations);
    expect(again.violations.map((violation) => violation.rule)).toContain(rule);
    for (const part of only) {
      const without = await run(whole.seed, { only: new Set(only.filter((other) => other !== part)), untilMs: selection.untilMs });
      expect([part, without.violations.some((violation) => violation.rule === rule)]).toEqual([part, false]);
    }
  });

  it("SIM-3 leaves nothing of what a failure does not need, and keeps to the rule that was broken first", async () => {
    const parts = ["cut", "cut#0", "cut#1", "stall", "ada", "ada@0", "ada@1", "ada@2", "bob", "bob@0"];
    const trial = ({ only = new Set(parts), untilMs = 10_000 }: Selection): Promise<Trial> => {
      const fails = only.has("cut#1") && only.has("ada@2") && untilMs >= 4_000;
      const fallsToo = { rule: "INV-7", what: "something else" };
      const violations = fails ? [{ rule: "INV-1", what: "lost" }, fallsToo] : only.size > 0 ? [fallsToo] : [];
      return Promise.resolve({ parts: [...only], endsAtMs: untilMs, violations });
    };
    const shrunk = await shrink(trial);
    expect(shrunk && listOf(shrunk.selection.only)).toBe("ada@2,cut#1");
    expect(shrunk?.selection.untilMs).toBeGreaterThanOrEqual(4_000);
    expect(shrunk?.selection.untilMs).toBeLessThan(4_300);
    expect(await shrink(() => Promise.resolve({ parts, endsAtMs: 1, violations: [] }))).toBeUndefined();
  });

  it("SIM-3 what is left out changes nothing in what the others do", async () => {
    const profile = { cut: 1, reload: 1 };
    const whole = await runSeed(3, { profile, keepLines: true });
    // An act that comes last changes nothing before it.
    const [left = ""] = whole.parts.filter((part) => part.startsWith("bob@")).toReversed();
    const rest = await runSeed(3, { profile, keepLines: true, selection: { only: new Set(whole.parts.filter((part) => part !== left)) } });
    expect(rest.parts).toEqual(whole.parts.filter((part) => part !== left));
    const timesOf = ({ lines }: SeedResult): readonly string[] => lines.filter((line) => /machine timer|scene +· (cut|reload)#/.test(line));
    expect(timesOf(rest)).toEqual(timesOf(whole));
  });
});
