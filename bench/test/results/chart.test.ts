import { describe, expect, test } from "vitest";
import { reportOf } from "../../src/report.js";
import { chartsOf, type Chart } from "../../src/results/chart.js";
import { madeUp, madeUpMeasured } from "../support/made-up.js";

const scenario = madeUp();
const draw = (measured = madeUpMeasured()): readonly Chart[] => chartsOf(reportOf(measured, scenario), scenario);

describe("charts", () => {
  test("each quantity has one that has something to compare, details have none", () => {
    expect(draw().map(({ file }) => file)).toEqual(["room-highest.svg", "room-cpu.svg", "room-p50.svg"]);
    const alone = madeUpMeasured({ rounds: madeUpMeasured().rounds.map(({ tutti = {} }) => ({ tutti })) });
    expect(draw(alone).map(({ file }) => file)).toEqual(["room-cpu.svg", "room-p50.svg"]);
  });

  test("the same report gives the same bytes, whatever was drawn before", () => {
    expect(draw()).toEqual(draw());
  });

  test("nothing in them moves, runs or refers to anything", () => {
    for (const { svg } of draw()) {
      expect(svg).toMatch(/^<svg [^>]+>/);
      expect(svg).not.toMatch(/<style|<script|<animate|class=|ecmeta|zr\d|href="|NaN|Infinity/);
    }
  });

  test("words are words: names, units and points", () => {
    const [bars, lines] = draw().map(({ svg }) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, words]) => words));
    expect(bars).toEqual(expect.arrayContaining(["room: highest", "deliveries/s", "tutti", "ws-turn", "20,000,000"]));
    expect(lines).toEqual(expect.arrayContaining(["room: cpu", "µs", "publishes/s", "10", "1,000", "tutti", "ws", "ws-turn"]));
  });

  test("the rounds' least and most are marked where there are several", () => {
    const marks = (measured = madeUpMeasured()): number => draw(measured)[1]?.svg.match(/opacity="0\.7"/g)?.length ?? 0;
    expect(marks()).toBeGreaterThan(0);
    expect(marks(madeUpMeasured({ rounds: madeUpMeasured().rounds.slice(0, 1) }))).toBe(0);
  });
});
