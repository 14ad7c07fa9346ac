import { describe, expect, it } from "vitest";
import { KeptEvents } from "../src/broker/kept-events.js";
import type { LoggedEvent } from "../src/broker/broker.js";

const event = (seq: number, payload: unknown = seq): LoggedEvent => ({ seq, prev: seq - 1, eventId: `event-${seq}`, type: "note:add", payload, timestamp: 0 });

/** Events 1 to `count`, one a second from 1 s on. */
function keptUpTo(count: number, payload?: unknown): KeptEvents {
  const kept = new KeptEvents();
  for (let seq = 1; seq <= count; seq++) kept.push(event(seq, payload), seq * 1_000);
  return kept;
}

const seqsOf = (kept: KeptEvents): number[] => kept.slice(0, kept.length).map(({ seq }) => seq);
const EVERYTHING = { countMin: 0, ageMsMin: Number.POSITIVE_INFINITY, countMax: Number.POSITIVE_INFINITY, bytesMax: Number.POSITIVE_INFINITY };

describe("the events that a log holds", () => {
  it("BRK-7 are forgotten from the oldest on, many or few at a time, and the others stay where they are", () => {
    const kept = keptUpTo(100);
    for (const [count, first] of [[1, 2], [5, 7], [50, 57], [1, 58]] as const) {
      kept.forget(count);
      expect(kept.at(0)?.seq).toBe(first);
      expect(seqsOf(kept)).toEqual(Array.from({ length: 101 - first }, (_, index) => first + index));
    }
    kept.push(event(101), 101_000);
    expect([kept.at(43)?.seq, kept.at(44), kept.at(-1), kept.length]).toEqual([101, undefined, undefined, 44]);
    expect(kept.slice(2, 2).map(({ seq }) => seq)).toEqual([60, 61]);
  });

  it("BRK-11 are found by when they were appended", () => {
    const kept = keptUpTo(10);
    kept.forget(2);
    const firstSince = (at: number): number | undefined => kept.at(kept.indexSince(at))?.seq;
    expect([0, 3_000, 3_001, 10_000].map(firstSince)).toEqual([3, 3, 4, 10]);
    expect(kept.indexSince(10_001)).toBe(8);
    expect(new KeptEvents().indexSince(5)).toBe(0);
  });

  it("BRK-12 are wanted while they are young, or among the last", () => {
    const kept = keptUpTo(10);
    expect(kept.spare({ ...EVERYTHING, ageMsMin: 5_000 }, 10_000)).toBe(5);
    expect(kept.spare({ ...EVERYTHING, ageMsMin: 5_000, countMin: 7 }, 10_000)).toBe(3);
    expect(kept.spare({ ...EVERYTHING, ageMsMin: 5_000, countMin: 70 }, 10_000)).toBe(0);
    expect(kept.spare({ ...EVERYTHING, countMax: 4, countMin: 7 }, 10_000)).toBe(6);
  });

  it.each([
    ["text", "x".repeat(98), 100],
    ["bytes, as they travel", new Uint8Array(75), 100],
    ["a list", [null, true, 1], 2 + 3 * 9],
    ["an object", { id: "c1", at: { x: 1 } }, 2 + 6 + 4 + 6 + (2 + 5 + 8)],
  ])("BRK-12 are weighed: %s", (_title, payload, bytes) => {
    const kept = keptUpTo(10, payload);
    expect(kept.spare({ ...EVERYTHING, bytesMax: 10 * bytes }, 0)).toBe(0);
    expect(kept.spare({ ...EVERYTHING, bytesMax: 10 * bytes - 1 }, 0)).toBe(1);
    expect(kept.spare({ ...EVERYTHING, bytesMax: 3 * bytes }, 0)).toBe(7);
    kept.forget(7);
    expect(kept.spare({ ...EVERYTHING, bytesMax: 3 * bytes }, 0)).toBe(0);
  });

  it("BRK-12 are never forgotten to the last by a retention: what was just published can be read", () => {
    const kept = keptUpTo(3, "x".repeat(1_000));
    expect(kept.spare({ countMin: 0, ageMsMin: 0, countMax: 0, bytesMax: 10 }, 100_000)).toBe(2);
    expect(new KeptEvents().spare({ countMin: 0, ageMsMin: 0, countMax: 0, bytesMax: 0 }, 100_000)).toBe(0);
  });
});
