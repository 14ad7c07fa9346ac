import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventHeap } from "../src/event-heap.js";

describe("the heap of events", () => {
  it("gives events back by time, then by serial, whatever the order they came in", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 })), fc.nat(30), (times, takenEarly) => {
        const heap = new EventHeap<{ atMs: number; serial: number }>();
        const expected = times.map((atMs, serial) => ({ atMs, serial }));
        const taken = [];
        for (const event of expected.slice(0, takenEarly)) heap.push(event);
        const early = heap.pop();
        if (early !== undefined) heap.push(early);
        for (const event of expected.slice(takenEarly)) heap.push(event);
        for (let event = heap.pop(); event !== undefined; event = heap.pop()) taken.push(event);
        expect(taken).toEqual(expected.toSorted((a, b) => a.atMs - b.atMs || a.serial - b.serial));
        expect(heap.size).toBe(0);
      }),
    );
  });
});
