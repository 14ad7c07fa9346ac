import { describe, expect, it } from "vitest";
import { WriterLine, type Writer } from "../src/connections/writer-line.js";

const writer = (): Writer => ({ isInLine: false, flush: () => true });

/** All that are in line, in the order in which they are taken. */
function takeAll(line: WriterLine): Writer[] {
  const taken: Writer[] = [];
  for (let next = line.take(); next !== undefined; next = line.take()) taken.push(next);
  return taken;
}

describe("the line of those who wait to write", () => {
  it("FAN-3 is first come, first served, each once", () => {
    const line = new WriterLine();
    const [a, b, c] = [writer(), writer(), writer()];
    for (const each of [a, b, a, c, b]) line.join(each);
    expect(takeAll(line)).toEqual([a, b, c]);
    expect(line.isEmpty).toBe(true);
    line.join(b);
    line.join(a);
    expect(takeAll(line)).toEqual([b, a]);
  });

  it("FAN-3 grows with those who join, wherever in the ring it stands", () => {
    const line = new WriterLine();
    const early = Array.from({ length: 10 }, writer);
    for (const each of early) line.join(each);
    expect(takeAll(line)).toEqual(early);
    const many = Array.from({ length: 100 }, writer);
    for (const each of many) line.join(each);
    const taken = [...takeAll(line)];
    expect(taken.map((each) => many.indexOf(each))).toEqual(many.map((_, index) => index));
    expect([line.joined, line.taken]).toEqual([110, 110]);
  });
});
