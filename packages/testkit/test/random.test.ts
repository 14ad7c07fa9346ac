import { describe, expect, it } from "vitest";
import { RandomStream } from "../src/index.js";

describe("a random stream", () => {
  it("repeats from its seed, and differs by concern", () => {
    const draw = (seed: number, concern: string): number[] => {
      const random = new RandomStream(seed, concern);
      return Array.from({ length: 5 }, () => random.bits());
    };
    expect(draw(7, "network")).toEqual(draw(7, "network"));
    expect(draw(7, "network")).not.toEqual(draw(8, "network"));
    expect(draw(7, "network")).not.toEqual(draw(7, "broker"));
    expect(draw(7, "network")).not.toEqual(draw(7 + 2 ** 32, "network"));
  });

  it("is even: neighbouring seeds, and draws of one seed, fill all tenths alike", () => {
    for (const draws of [
      Array.from({ length: 10_000 }, (_, seed) => new RandomStream(seed, "x").next()),
      ((random) => Array.from({ length: 10_000 }, () => random.next()))(new RandomStream(3)),
    ]) {
      const tenths = Array.from({ length: 10 }, () => 0);
      for (const draw of draws) tenths[Math.floor(draw * 10)]! += 1;
      for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
    }
  });

  it("keeps to the range that is asked for", () => {
    const random = new RandomStream(1);
    for (let draw = 0; draw < 1000; draw++) {
      expect(random.between(3, 4)).toBeGreaterThanOrEqual(3);
      expect(random.between(3, 4)).toBeLessThan(4);
      expect([0, 1, 2]).toContain(random.below(3));
      expect(["a", "b"]).toContain(random.pick(["a", "b"]));
    }
    expect(random.chance(0)).toBe(false);
    expect(random.chance(1)).toBe(true);
  });
});
