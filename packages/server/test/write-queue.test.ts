import { describe, expect, it } from "vitest";
import { WriteQueue, type Writer } from "../src/write-queue.js";

const writer = (): Writer => ({ isInLine: false, flush: () => true });

/** All that are in line, in the order in which they are taken. */
function takeAll(queue: WriteQueue): Writer[] {
  const taken: Writer[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) taken.push(next);
  return taken;
}

describe("the line of those who wait to write", () => {
  it("FAN-3 is first come, first served, each once", () => {
    const queue = new WriteQueue();
    const [a, b, c] = [writer(), writer(), writer()];
    for (const each of [a, b, a, c, b]) queue.join(each);
    expect(takeAll(queue)).toEqual([a, b, c]);
    expect(queue.isEmpty).toBe(true);
    queue.join(b);
    queue.join(a);
    expect(takeAll(queue)).toEqual([b, a]);
  });

  it("FAN-3 grows with those who join, wherever in the ring it stands", () => {
    const queue = new WriteQueue();
    const early = Array.from({ length: 10 }, writer);
    for (const each of early) queue.join(each);
    expect(takeAll(queue)).toEqual(early);
    const many = Array.from({ length: 100 }, writer);
    for (const each of many) queue.join(each);
    const taken = [...takeAll(queue)];
    expect(taken.map((each) => many.indexOf(each))).toEqual(many.map((_, index) => index));
    expect([queue.joined, queue.taken]).toEqual([110, 110]);
  });
});
