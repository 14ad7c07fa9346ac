import { describe, expect, test } from "vitest";
import { reportOf, type Report } from "../src/report.js";
import type { Comparison, Sample } from "../src/scenario.js";
import { madeUp, madeUpMeasured } from "./support/made-up.js";

const quantities = [
  { name: "cpu", unit: "µs" },
  { name: "p90", unit: "ms", quantile: { of: "latency", share: 0.9 } },
];

const reportWith = (rounds: readonly Readonly<Record<string, Sample>>[], comparisons: readonly Comparison[] = []): Report =>
  reportOf(madeUpMeasured({ rounds }), madeUp({ quantities, comparisons }));

const ones = (count: number, value: number): readonly number[] => Array.from({ length: count }, () => value);

describe("figures", () => {
  test("a figure is the median of its rounds, with the least and the most", () => {
    const { figures } = reportWith([{ tutti: { cpu: 3 } }, { tutti: { cpu: 30 } }, { tutti: { cpu: 2 } }]);
    expect(figures).toEqual({ tutti: { cpu: { median: 3, min: 2, max: 30 } } });
  });

  test("a quantile is one of all samples together, and no mean of the rounds' quantiles", () => {
    // Of 40 samples the slow eight are a fifth, though they are all of one round, whose own quantile they are.
    const { figures } = reportWith([{ tutti: { latency: ones(15, 1) } }, { tutti: { latency: ones(15, 2) } }, { tutti: { latency: [...ones(2, 1), ...ones(8, 100)] } }]);
    expect(figures["tutti"]?.["p90"]).toEqual({ median: 100, min: 1, max: 100 });
    // A hundredth is less than a tenth, whatever its round says alone.
    const { figures: others } = reportWith([{ tutti: { latency: ones(495, 1) } }, { tutti: { latency: ones(495, 2) } }, { tutti: { latency: ones(10, 100) } }]);
    expect(others["tutti"]?.["p90"]).toEqual({ median: 2, min: 1, max: 100 });
  });

  test("what was not measured in any round is no figure, and neither are no samples, nor what is no number", () => {
    const { figures } = reportWith([{ tutti: { cpu: NaN, latency: [] } }, { tutti: { cpu: Infinity } }]);
    expect(figures).toEqual({ tutti: {} });
  });

  test("a round without the figure leaves it to the others", () => {
    const { figures } = reportWith([{ tutti: {} }, { tutti: { cpu: 4 } }]);
    expect(figures["tutti"]?.["cpu"]).toEqual({ median: 4, min: 4, max: 4 });
  });
});

describe("ratios", () => {
  const comparison: Comparison = { quantity: "cpu", of: "tutti", to: "ws", goal: { atMost: 0.5 } };
  const verdictOf = (comparisons: Comparison, rounds: readonly Readonly<Record<string, Sample>>[]): unknown => reportWith(rounds, [comparisons]).ratios[0]?.verdict;

  test("a ratio is of one round, and the median of those", () => {
    // The medians of both are 10 and 10; in each round the one was half of the other, or a third, or three times it.
    const { ratios } = reportWith([{ tutti: { cpu: 5 }, ws: { cpu: 10 } }, { tutti: { cpu: 30 }, ws: { cpu: 10 } }, { tutti: { cpu: 10 }, ws: { cpu: 30 } }], [comparison]);
    expect(ratios[0]?.ratio).toEqual({ median: 0.5, min: 1 / 3, max: 3 });
  });

  test("a goal is met at its bound, and not beyond", () => {
    const roundWith = (cpu: number): readonly Readonly<Record<string, Sample>>[] => [{ tutti: { cpu }, ws: { cpu: 10 } }];
    expect(verdictOf(comparison, roundWith(5))).toBe("met");
    expect(verdictOf(comparison, roundWith(5.01))).toBe("not met");
    expect(verdictOf({ ...comparison, goal: { atLeast: 0.5 } }, roundWith(5))).toBe("met");
    expect(verdictOf({ ...comparison, goal: { atLeast: 0.5 } }, roundWith(4.99))).toBe("not met");
    expect(verdictOf({ quantity: "cpu", of: "tutti" }, roundWith(5))).toBe("no goal");
  });

  test("a goal beside somebody who was not measured is there, and neither met nor missed", () => {
    const { ratios } = reportWith([{ tutti: { cpu: 5 } }], [comparison]);
    expect(ratios).toEqual([{ ...comparison, ratio: undefined, verdict: "not measured" }]);
  });

  test("a goal without somebody beside is of the figure itself", () => {
    const { ratios } = reportWith([{ tutti: { cpu: 5 } }], [{ quantity: "cpu", of: "tutti", goal: { atMost: 6 } }]);
    expect(ratios[0]).toMatchObject({ ratio: { median: 5 }, verdict: "met" });
  });

  test("where it is asked for, it is what the one has more than the other", () => {
    const rounds = [{ tutti: { cpu: 7 }, ws: { cpu: 4 } }];
    expect(reportWith(rounds, [{ quantity: "cpu", of: "tutti", to: "ws", by: "difference", goal: { atMost: 3 } }]).ratios[0]).toMatchObject({ ratio: { median: 3 }, verdict: "met" });
  });

  test("another quantity is taken at its own point, the same one at the same", () => {
    const rounds = [{ tutti: { "cpu at 10": 6 }, ws: { "cpu at 10": 3, "cpu at 20": 2, highest: 1 } }];
    const at = { what: "publishes/s", points: [10, 20] };
    const scenario = madeUp({
      quantities: [
        { name: "cpu", unit: "µs", at },
        { name: "highest", unit: "1/s" },
      ],
      comparisons: [
        { quantity: "cpu", at: 10, of: "tutti", to: "ws" },
        { quantity: "cpu", at: 10, of: "tutti", to: "ws", toAt: 20 },
        { quantity: "cpu", at: 10, of: "tutti", to: "ws", toQuantity: "highest" },
      ],
    });
    expect(reportOf(madeUpMeasured({ rounds }), scenario).ratios.map(({ ratio }) => ratio?.median)).toEqual([2, 3, 6]);
  });
});
