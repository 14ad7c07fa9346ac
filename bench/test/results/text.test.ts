import { expect, test } from "vitest";
import { reportOf } from "../../src/report.js";
import { textOf } from "../../src/results/text.js";
import { madeUp, madeUpMeasured } from "../support/made-up.js";

const scenario = madeUp();
const measured = madeUpMeasured();
const textWith = (changes: Partial<typeof measured>): string => textOf(reportOf({ ...measured, ...changes }, scenario), scenario);

test("the table for a terminal is as narrow as its figures, and what explains them comes last", () => {
  expect(textWith({})).toMatchInlineSnapshot(`
    "room: a room that was made up
    3 rounds: their median, ± half of what they lie apart
    A processor, 2 cores, linux 6 x64, Node 20.20.0, commit 0123abc; on core 0 and 1; load 0.1 before, 1.25 after
    ws-turn: the ceiling of this machine
    NOT MEASURED: centrifugo: there is no Go toolchain here

                     highest,
                 deliveries/s
    tutti     20,000,000 ±10%
    ws            80,000 ±10%
    ws-turn   25,000,000 ±10%

    cpu, µs, by publishes/s
                tutti        ws     ws-turn
    10         8 ±10%   10 ±10%      4 ±10%
    100      0.8 ±10%    1 ±10%    0.4 ±10%
    1,000   0.08 ±10%         –   0.04 ±10%

    p50, ms, by publishes/s
             tutti          ws    ws-turn
    10      5 ±10%   6.25 ±10%   2.5 ±10%
    100     5 ±10%   6.25 ±10%   2.5 ±10%
    1,000   5 ±10%           –   2.5 ±10%

    What explains them:

    share, of what was due, by publishes/s
            tutti   ws   ws-turn
    10          1    1         1
    100         1    1         1
    1,000       1    –         1

    highest: tutti / ws           250              goal ≥ 100: met
    highest: tutti / centrifugo   –                goal ≥ 10: not measured
    cpu at 10: tutti / ws         0.8              goal ≤ 1: met
    p50 at 10: tutti              5 (4.5 to 5.5)   goal ≤ 5: met
    cpu at 100: tutti / ws-turn   2"
  `);
});

test("one round has no spread", () => {
  const text = textWith({ rounds: measured.rounds.slice(0, 1) });
  expect(text).toContain("\n1 round\n");
  expect(text).not.toMatch(/±| to \d/);
});

test("a tiny run says that it has no figures, and of no goal whether it is met", () => {
  const text = textWith({ size: "tiny" });
  expect(text).toContain("of next to nothing: these are no figures");
  expect(text).not.toContain("goal");
});
