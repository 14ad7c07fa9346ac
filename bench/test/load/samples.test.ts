import { RandomStream } from "@tutti/testkit";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Samples } from "../../src/load/samples.js";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("samples", () => {
  test("all are kept while there is room", () => {
    const samples = new Samples(3);
    for (const value of [5, 1, 4]) samples.add(value);
    expect(samples.kept).toEqual([5, 1, 4]);
  });

  test("each is kept with the same chance, the first as well as the last", () => {
    const numbers = new RandomStream(1);
    vi.spyOn(Math, "random").mockImplementation(() => numbers.next());
    const samples = new Samples(1_000);
    for (let value = 0; value < 10_000; value++) samples.add(value);
    expect(samples.seen).toBe(10_000);
    const tenths = Array.from({ length: 10 }, (_, tenth) => samples.kept.filter((value) => Math.floor(value / 1_000) === tenth).length);
    expect(tenths.reduce((sum, count) => sum + count)).toBe(1_000);
    // A hundred are expected of each tenth, with a deviation of ten.
    for (const count of tenths) expect(Math.abs(count - 100)).toBeLessThan(40);
  });
});
