import { expect, test } from "vitest";
import { nameText, numberText, ratioText, shortSpreadText, spreadText } from "../../src/results/number.js";

test("three digits of a figure count, and thousands are apart", () => {
  expect([19_912_345, 1_234, 99.94, 4.5, 0.04251, 0].map((value) => numberText(value))).toEqual(["19,900,000", "1,230", "99.9", "4.5", "0.0425", "0"]);
});

test("what is almost a whole does not look like one", () => {
  expect([99.97, 0.9996, 100, 1].map((value) => numberText(value))).toEqual(["99.97", "0.9996", "100", "1"]);
});

test("a spread is said where the rounds differ", () => {
  expect(spreadText({ median: 500, min: 500, max: 500 })).toBe("500");
  expect(spreadText({ median: 4.5, min: 4, max: 5.256 })).toBe("4.5 (4 to 5.26)");
  expect(shortSpreadText({ median: 500, min: 500, max: 500 })).toBe("500");
  expect(shortSpreadText({ median: 10, min: 9, max: 11 })).toBe("10 ±10%");
});

test("a ratio has the digits that its verdict needs", () => {
  const ratio = { median: 1.2004, min: 1.1, max: 1.3 };
  expect(ratioText({ quantity: "cpu", of: "tutti", goal: { atMost: 1.2 }, ratio, verdict: "not met" })).toBe("1.2004 (1.1 to 1.3)");
  expect(ratioText({ quantity: "cpu", of: "tutti", goal: { atMost: 1.3 }, ratio, verdict: "met" })).toBe("1.2 (1.1 to 1.3)");
  expect(ratioText({ quantity: "cpu", of: "tutti", goal: { atMost: 1.3 }, ratio: undefined, verdict: "not measured" })).toBe("–");
});

test("a contender that is a number is one for people", () => {
  expect(["1000000", "ws-turn"].map(nameText)).toEqual(["1,000,000", "ws-turn"]);
});
