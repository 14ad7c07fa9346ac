import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WireEvent } from "@tutti/protocol";
import { follow, type Chain } from "../src/position-chain.js";

const event = (eventId: string, seq?: number): WireEvent => ({ eventId, type: "x", timestamp: 0, ...(seq !== undefined && { seq }) });
const batch = (seq: number, ids: readonly string[], prev?: number) => ({ epoch: "e1", seq, prev, events: ids.map((id) => event(id)) });
const seqs = (chain: Chain): unknown => (chain.kind === "hole" ? "hole" : chain.events.map(({ position }) => position.seq));
const last = { epoch: "e1", seq: 5, eventId: "five" };

describe("the chain of positions", () => {
  it.each([
    ["the next events", batch(6, ["a", "b"]), [6, 7]],
    ["repeats with the next behind them", batch(4, ["four", "five", "a"]), [6]],
    ["repeats alone", batch(3, ["three", "four"]), []],
    ["no event", batch(6, []), []],
    ["a log that counts in steps", { ...batch(9, ["a"], 5), events: [event("a"), event("b", 20), event("c")] }, [9, 20, 21]],
    ["something missing", batch(7, ["a"]), "hole"],
    ["something missing, as the log counts", batch(9, ["a"], 8), "hole"],
    ["another epoch", { ...batch(6, ["a"]), epoch: "e2" }, "hole"],
    ["another event at the last place", batch(5, ["other", "a"]), "hole"],
    ["a log that leaves the last place out", { ...batch(4, ["four"]), events: [event("four"), event("six", 6)] }, "hole"],
  ])("REC-1: %s", (_name, frame, expected) => {
    expect(seqs(follow(last, frame))).toEqual(expected);
  });

  it("REC-6: however a log is cut into overlapping batches, each position comes once and in order", () => {
    const log = Array.from({ length: 30 }, (_, index) => `event ${index + 1}`);
    const cut = fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 10 }));
    fc.assert(
      fc.property(fc.array(cut, { maxLength: 40 }), (cuts) => {
        let seen = { epoch: "e1", seq: 0, eventId: "" };
        const got: number[] = [];
        for (const [from, length] of cuts) {
          const chain = follow({ ...seen, ...(seen.seq === 0 && { eventId: "none" }) }, batch(from, log.slice(from - 1, from - 1 + length)));
          // A hole is read from the log: the batch that starts where the client is.
          const followed = chain.kind === "hole" ? follow(seen, batch(seen.seq + 1, log.slice(seen.seq, from - 1 + length))) : chain;
          for (const { position, event: { eventId } } of followed.kind === "follows" ? followed.events : []) {
            got.push(position.seq);
            expect(eventId).toBe(`event ${position.seq}`);
            seen = { ...position, eventId };
          }
        }
        expect(got).toEqual(Array.from({ length: got.length }, (_, index) => index + 1));
      }),
    );
  });
});
