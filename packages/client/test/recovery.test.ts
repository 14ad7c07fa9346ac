import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Gap } from "../src/index.js";
import { at } from "./support/fake-server.js";
import { note, notes, seqsOf } from "./support/notes.js";
import { Stage } from "./support/stage.js";

const subscribes = (stage: Stage) => stage.link.of("subscribe");

function heard(stage: Stage) {
  const gaps: Gap[] = [];
  stage.board.on("gap", (gap) => gaps.push(gap));
  return { gaps, seqs: seqsOf(stage.board) };
}

describe("a hole in the positions", () => {
  it("REC-4 is read from the log before the application sees what follows", () => {
    const stage = new Stage().live();
    const { seqs } = heard(stage);
    stage.link.events("board:1", 1, note(1));
    stage.link.events("board:1", 3, note(3));
    expect(seqs).toEqual([1]);
    expect(stage.link.last("subscribe")).toMatchObject({ since: { ...at(1), eventId: "other:1" } });
    stage.link.answer(stage.link.last("subscribe"), { position: at(1) });
    stage.link.events("board:1", 2, ...notes(2, 3));
    expect(seqs).toEqual([1, 2, 3]);
  });

  it("REC-4 stays live while it is mended, takes in nothing meanwhile, and is mended once", () => {
    const stage = new Stage().live();
    const { seqs } = heard(stage);
    stage.link.events("board:1", 2, note(2));
    stage.link.events("board:1", 3, note(3));
    stage.link.events("board:1", 1, note(1));
    expect(stage.board.status.getSnapshot()).toEqual({ status: "live" });
    expect(seqs).toEqual([]);
    expect(subscribes(stage)).toHaveLength(2);
  });

  it("REC-4 is not seen where the log counts in steps and says so", () => {
    const stage = new Stage().live({ position: at(4) });
    const { seqs } = heard(stage);
    stage.link.say({ op: "events", channel: "board:1", epoch: "e1", seq: 10, prev: 4, events: [note(10), { ...note(25), seq: 25 }] });
    expect(seqs).toEqual([10, 25]);
    expect(subscribes(stage)).toHaveLength(1);
  });

  it("REC-4 that mending did not mend is mended again after a pause", () => {
    const stage = new Stage().live();
    stage.link.events("board:1", 2, note(2));
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    stage.link.events("board:1", 2, note(2));
    expect(subscribes(stage)).toHaveLength(2);
    stage.environment.pass(10_000);
    expect(subscribes(stage)).toHaveLength(3);
  });

  it("REC-4 that comes after one that was mended is mended at once too", () => {
    const stage = new Stage().live();
    for (const hole of [1, 3]) {
      stage.link.events("board:1", hole + 1, note(hole + 1));
      expect(stage.link.last("subscribe").since).toMatchObject(at(hole - 1));
      stage.link.answer(stage.link.last("subscribe"), { position: at(hole - 1) });
      stage.link.events("board:1", hole, ...notes(hole, hole + 1));
    }
    expect(stage.board.state.position()).toEqual(at(4));
    expect(subscribes(stage)).toHaveLength(3);
  });

  it("REC-4 in a log of another epoch, or with another event at the last place, is one too", () => {
    const stage = new Stage().live();
    const { seqs } = heard(stage);
    stage.link.events("board:1", 1, note(1));
    stage.link.say({ op: "events", channel: "board:1", epoch: "e2", seq: 2, events: [note(2)] });
    expect(subscribes(stage)).toHaveLength(2);
    stage.link.answer(stage.link.last("subscribe"), { position: at(1) });
    stage.link.say({ op: "events", channel: "board:1", epoch: "e1", seq: 1, events: [{ ...note(1), eventId: "usurper" }, note(2)] });
    expect(seqs).toEqual([1]);
    stage.environment.pass(10_000);
    expect(subscribes(stage)).toHaveLength(3);
  });
});

describe("what was delivered already", () => {
  it("REC-6 is not delivered again: a batch twice, and one that overlaps", () => {
    const stage = new Stage().live();
    const { seqs } = heard(stage);
    stage.link.events("board:1", 1, ...notes(1, 3));
    stage.link.events("board:1", 1, ...notes(1, 3));
    stage.link.events("board:1", 2, ...notes(2, 5));
    expect(seqs).toEqual([1, 2, 3, 4, 5]);
    expect(stage.board.state.getSnapshot()).toHaveLength(5);
  });

  it("REC-6 is not delivered again when a reconnect replays it", () => {
    const stage = new Stage().live();
    const { seqs } = heard(stage);
    stage.link.events("board:1", 1, ...notes(1, 2));
    stage.reconnect();
    stage.link.answer(stage.link.last("subscribe"), { position: at(2) });
    stage.link.events("board:1", 1, ...notes(1, 3));
    expect(seqs).toEqual([1, 2, 3]);
  });

  it("REC-6 is not delivered by a link that was given up, which does nothing to the next one either", () => {
    const stage = new Stage().live();
    const { seqs } = heard(stage);
    const { link: old } = stage;
    stage.environment.pass(30_000);
    expect(old.status).toBe("closed");
    stage.environment.pass(1_000);
    stage.welcome();
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    // The network was only slow.
    old.open();
    old.events("board:1", 1, note(1));
    old.cut("KICKED");
    expect(seqs).toEqual([]);
    expect(stage.status).toBe("connected");
    expect([old, stage.link].map((link) => link.of("hello").length)).toEqual([1, 1]);
  });
});

describe("a gap", () => {
  it("REC-3 is told, and the state is that of the snapshot", () => {
    const stage = new Stage().live();
    const { gaps, seqs } = heard(stage);
    stage.link.events("board:1", 1, note(1));
    stage.link.say({ op: "gap", channel: "board:1", start: { position: at(90), gap: { from: at(1), to: at(90) }, snapshot: { version: 2, state: ["ninety"] } } });
    stage.link.events("board:1", 91, note(91));
    expect(gaps).toEqual([{ from: at(1), to: at(90) }]);
    expect(seqs).toEqual([1, 91]);
    expect(stage.board.state.getSnapshot()).toEqual(["ninety", "note 91"]);
  });

  it.each([
    ["behind", 9, at(8), at(12)],
    ["ahead", 7, at(8), at(12)],
    ["so far behind that nothing is missing", 16, at(8), at(9)],
  ])("REC-3 INV-3 asks from where this client is where the server believes it %s", (_, seen, from, to) => {
    const stage = new Stage().live({ position: at(seen - 1) });
    const { gaps, seqs } = heard(stage);
    stage.link.events("board:1", seen, note(seen));
    stage.link.say({ op: "gap", channel: "board:1", start: { position: to, gap: { from, to } } });
    expect(stage.link.last("subscribe")).toMatchObject({ since: at(seen) });
    expect(gaps).toEqual([]);
    stage.link.answer(stage.link.last("subscribe"), { position: at(seen) });
    stage.link.events("board:1", seen + 1, note(seen + 1));
    expect(gaps).toEqual([]);
    expect(seqs).toEqual([seen, seen + 1]);
  });

  it("REC-3 is told where the answer starts elsewhere than asked for, though the server does not call it one", () => {
    const stage = new Stage().live({ position: at(5) });
    const { gaps } = heard(stage);
    stage.reconnect();
    stage.link.answer(stage.link.last("subscribe"), { position: at(2, "e2") });
    expect(gaps).toEqual([{ from: at(5), to: at(2, "e2") }]);
  });

  it("REC-3 is not told at the first start, nor where the answer goes on from the last position", () => {
    const stage = new Stage();
    const { gaps } = heard(stage);
    stage.live({ position: at(5) });
    stage.reconnect();
    stage.link.answer(stage.link.last("subscribe"), { position: at(5) });
    expect(gaps).toEqual([]);
  });

  it("REC-3 a listener may unsubscribe when it hears of one", () => {
    const stage = new Stage().live({ position: at(5) });
    stage.board.on("gap", () => void stage.board.unsubscribe());
    stage.reconnect();
    stage.link.answer(stage.link.last("subscribe"), { position: at(90) });
    expect(stage.board.status.getSnapshot()).toEqual({ status: "unsubscribed" });
    expect(stage.link.of("unsubscribe")).toHaveLength(1);
  });
});

describe("on a network that loses, repeats, reorders and cuts", () => {
  const LOG = 40;
  type Move = { readonly kind: "batch"; readonly from: number; readonly length: number } | { readonly kind: "cut" | "answer" };
  const batch: fc.Arbitrary<Move> = fc.record({ kind: fc.constant("batch" as const), from: fc.integer({ min: 1, max: LOG }), length: fc.integer({ min: 1, max: 8 }) });
  const move: fc.Arbitrary<Move> = fc.oneof({ weight: 6, arbitrary: batch }, { weight: 3, arbitrary: fc.constant({ kind: "answer" }) }, { weight: 1, arbitrary: fc.constant({ kind: "cut" }) });

  it("REC-1 REC-4 REC-6 the application sees every position once and in order, and at the end all of them", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const stage = new Stage({ heartbeatIntervalMs: 100_000_000, reconnectAttemptsMax: 100, reconnectDelaysMs: [1_000] });
        const { seqs, gaps } = heard(stage);
        stage.live();
        const answered = new Set<object>();
        /** Answers the question that waits, and replays what follows it. */
        const answer = (length: number): void => {
          const asked = subscribes(stage).at(-1);
          if (asked === undefined || answered.has(asked)) return;
          answered.add(asked);
          const seq = asked.since?.seq ?? 0;
          stage.link.answer(asked, { position: at(seq) });
          if (seq < LOG) stage.link.events("board:1", seq + 1, ...notes(seq + 1, Math.min(seq + length, LOG)));
        };
        for (const next of moves) {
          if (next.kind === "batch") stage.link.events("board:1", next.from, ...notes(next.from, Math.min(LOG, next.from + next.length - 1)));
          else if (next.kind === "answer") answer(3);
          else stage.reconnect();
        }
        stage.reconnect();
        answer(LOG);
        expect(seqs).toEqual(notes(1, LOG).map(({ timestamp }) => timestamp));
        expect(stage.board.state.canonical()).toHaveLength(LOG);
        expect(gaps).toEqual([]);
      }),
    );
  });
});
