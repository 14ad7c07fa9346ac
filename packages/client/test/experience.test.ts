import { describe, expect, it } from "vitest";
import { adaptiveNumbers, attemptOrder, forgotten, freshExperience, nextProbe, noted, notedDry, notedEnd, notedRest, patience, type Experience, type Outcome } from "../src/adaptive/experience.js";

/** What is known after these outcomes, in this order. */
function after(...outcomes: readonly (readonly [place: number, outcome: Outcome])[]): Experience {
  return outcomes.reduce((known, [place, outcome]) => noted(known, place, outcome), freshExperience({ count: 4 }));
}

const dry = (experience: Experience, count: number): Experience => (count === 0 ? experience : dry(notedDry(experience), count - 1));

describe("what is known of transports", () => {
  it("TRN-3 all are tried in their order while nothing is known", () => {
    expect(attemptOrder(freshExperience({ count: 4 }))).toEqual([0, 1, 2, 3]);
  });

  it("TRN-8 what is remembered comes first, and nothing is left out for it", () => {
    expect(attemptOrder(freshExperience({ count: 4, worked: 2 }))).toEqual([2, 0, 1, 3]);
  });

  it("TRN-7 where something has worked, one other is tried beside it: first one that is not known to be bad", () => {
    expect(attemptOrder(after([0, "works"]))).toEqual([0, 1]);
    expect(attemptOrder(after([0, "refused"], [1, "works"]))).toEqual([1, 2]);
  });

  it("TRN-7 while nobody answers, the others take turns", () => {
    const known = after([0, "works"], [0, "refused"], [1, "refused"]);
    expect([1, 2, 3].map((count) => attemptOrder(dry(known, count)))).toEqual([
      [0, 3],
      [0, 1],
      [0, 2],
    ]);
  });

  it("TRN-7 a word of the server ends the turns", () => {
    expect(attemptOrder(noted(dry(after([0, "refused"]), 2), 0, "works"))).toEqual([0, 1]);
  });

  it("TRN-7 a list of one has no others", () => {
    expect(attemptOrder(freshExperience({ count: 1 }))).toEqual([0]);
    expect(attemptOrder(notedDry(freshExperience({ count: 1 })))).toEqual([0]);
  });

  it("TRN-10 what a probe found comes first, and what worked last after it", () => {
    expect(attemptOrder(after([0, "refused"], [1, "refused"], [2, "works"], [0, "available"]))).toEqual([0, 2]);
  });

  it("TRN-9 one that is unsteady gives way to one that is not known to be bad, or, where all are, to the first", () => {
    expect(attemptOrder(after([0, "works"], [0, "unsteady"]))[0]).toBe(1);
    expect(attemptOrder(after([0, "slow"], [1, "silent"], [2, "works"], [3, "refused"], [2, "unsteady"]))[0]).toBe(0);
  });

  it("TRN-5 patience doubles with what has worked and while nobody answers, up to fourfold", () => {
    const fresh = freshExperience({ count: 4 });
    expect([0, 1, 2, 3, 9].map((count) => patience(dry(fresh, count), 0))).toEqual([1, 2, 4, 4, 4]);
    expect(patience(after([0, "works"]), 0)).toBe(2);
    expect(patience(after([0, "works"]), 1)).toBe(1);
    expect(patience(dry(after([0, "works"]), 2), 0)).toBe(4);
  });

  it("TRN-9 probes only what is better than what is in use", () => {
    expect(nextProbe(after([0, "works"]), 0, 0.5, adaptiveNumbers)).toBeUndefined();
    expect(nextProbe(after([0, "refused"], [1, "works"]), 1, 0.5, adaptiveNumbers)).toEqual({ place: 0, inMs: 10_000, proof: "opened" });
  });

  it("TRN-9 probes first what failed least, and doubts what was silent or unsteady", () => {
    const known = after([0, "refused"], [0, "refused"], [1, "slow"], [2, "works"]);
    expect(nextProbe(known, 2, 0.5, adaptiveNumbers)).toEqual({ place: 1, inMs: 10_000, proof: "opened" });
    expect(nextProbe(after([0, "silent"], [1, "works"]), 1, 0.5, adaptiveNumbers)).toEqual({ place: 0, inMs: 300_000, proof: "spoken" });
    expect(nextProbe(after([0, "silent"], [0, "refused"], [1, "works"]), 1, 0.5, adaptiveNumbers)).toEqual({ place: 0, inMs: 600_000, proof: "spoken" });
    const often = after(...Array.from({ length: 20 }, () => [0, "silent"] as const), [1, "works"]);
    expect(nextProbe(often, 1, 0.5, adaptiveNumbers)?.inMs).toBe(3_600_000);
  });

  it("TRN-9 tries in earnest, and seldom, what opens without having asked anybody", () => {
    const blind = (...outcomes: readonly Outcome[]): Experience => outcomes.reduce((known, outcome) => noted(known, 0, outcome), freshExperience({ count: 2, blind: [0] }));
    expect(nextProbe(blind(), 1, 0.5, adaptiveNumbers)).toEqual({ place: 0, inMs: 300_000, proof: "opened" });
    expect(nextProbe(blind("silent", "silent"), 1, 0.5, adaptiveNumbers)).toEqual({ place: 0, inMs: 600_000, proof: "opened" });
    expect(forgotten(blind("silent"))).toEqual(blind());
  });

  it("TRN-9 lets one that has to wait long have its turn between the probes of one that has not", () => {
    let known = after([0, "refused"], [1, "silent"], [2, "works"]);
    const probed: number[] = [];
    for (let probe = 0; probe < 40; probe++) {
      const plan = nextProbe(known, 2, 0.5, adaptiveNumbers)!;
      probed.push(plan.place);
      expect(plan.inMs).toBeGreaterThanOrEqual(adaptiveNumbers.probeMs);
      known = noted(notedRest(known, plan), plan.place, "slow");
    }
    const longAgo = notedRest(after([0, "refused"], [1, "works"]), { place: 1, inMs: 3_600_000, proof: "opened" });
    expect(nextProbe(longAgo, 1, 0.5, adaptiveNumbers)?.inMs).toBe(adaptiveNumbers.probeMs);
    expect(probed.filter((place) => place === 1).length).toBeGreaterThan(5);
    expect(probed.slice(0, 5)).toEqual([0, 0, 0, 0, 1]);
  });

  it("TRN-9 a link that lasted clears what its transport failed before", () => {
    const failed = after([0, "refused"], [0, "refused"], [0, "works"]);
    const kept = noted(notedEnd(failed, 0, 59_999, false, adaptiveNumbers), 0, "refused");
    expect(kept.verdicts[0]?.failures).toBe(3);
    const cleared = noted(notedEnd(failed, 0, 60_000, true, adaptiveNumbers), 0, "refused");
    expect(cleared.verdicts[0]?.failures).toBe(1);
  });
});
