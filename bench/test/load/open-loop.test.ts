import { RandomStream } from "@tutti/testkit";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { clock } from "../../src/load/clock.js";
import { metronomes, openLoop } from "../../src/load/open-loop.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "performance"] });
  const numbers = new RandomStream(1);
  vi.spyOn(Math, "random").mockImplementation(() => numbers.next());
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("an open loop", () => {
  test("sends at the moments of a Poisson process: so many a second, and gaps that spread as much as they are long", () => {
    const moments: number[] = [];
    const stop = openLoop(100, (intendedAt) => moments.push(intendedAt));
    vi.advanceTimersByTime(100_000);
    stop();
    // 10,000 are expected, with a deviation of 100.
    expect(Math.abs(moments.length - 10_000)).toBeLessThan(400);
    const gaps = moments.slice(1).map((moment, index) => moment - (moments[index] ?? NaN));
    const longerThanMean = gaps.filter((gap) => gap > 10).length / gaps.length;
    expect(Math.abs(longerThanMean - Math.exp(-1))).toBeLessThan(0.02);
  });

  test("sends what it came too late for, each with the moment that was meant", () => {
    const sent: { readonly intendedAt: number; readonly at: number }[] = [];
    let isBusy = false;
    const stop = openLoop(1_000, (intendedAt) => {
      sent.push({ intendedAt, at: clock() });
      // Once, sending takes a second.
      if (isBusy || sent.length < 100) return;
      isBusy = true;
      vi.advanceTimersByTime(1_000);
    });
    vi.advanceTimersByTime(2_000);
    stop();
    expect(Math.abs(sent.length - 3_000)).toBeLessThan(300);
    expect(sent.every(({ intendedAt, at }) => intendedAt <= at)).toBe(true);
    expect(sent.filter(({ intendedAt, at }) => at - intendedAt > 500).length).toBeGreaterThan(400);
  });

  test("sends no more when it is stopped", () => {
    let count = 0;
    const stop = openLoop(1_000, () => count++);
    vi.advanceTimersByTime(100);
    stop();
    const before = count;
    vi.advanceTimersByTime(1_000);
    expect(before).toBeGreaterThan(0);
    expect(count).toBe(before);
  });
});

describe("metronomes", () => {
  test("each has its even pace, and a phase of its own", () => {
    const momentsOf = Array.from({ length: 5 }, (): number[] => []);
    const startAt = clock();
    const stop = metronomes(5, 20, (who, intendedAt) => momentsOf[who]?.push(intendedAt - startAt));
    vi.advanceTimersByTime(1_000);
    stop();
    const expected = momentsOf.map((_, who) => Array.from({ length: 20 }, (__, beat) => 10 * (who + 1) + 50 * beat));
    for (const [who, moments] of momentsOf.entries()) {
      expect(moments).toHaveLength(20);
      for (const [beat, moment] of moments.entries()) expect(moment).toBeCloseTo(expected[who]?.[beat] ?? NaN, 6);
    }
  });
});
