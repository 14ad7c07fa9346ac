import { describe, expect, it } from "vitest";
import { at } from "./support/fake-server.js";
import { note, notes, seqsOf } from "./support/notes.js";
import { outcome, Stage } from "./support/stage.js";

const ns = (stage: Stage): unknown[] => stage.link.of("publish").map(({ n }) => n);

describe("a guard that is switched off for a simulation", () => {
  it("SIM-2 dedupe: repeats reach the application", () => {
    const stage = new Stage({ guards: { dedupe: false } }).live();
    const seqs = seqsOf(stage.board);
    stage.link.events("board:1", 1, ...notes(1, 2));
    stage.link.events("board:1", 2, ...notes(2, 3));
    expect(seqs).toEqual([1, 2, 2, 3]);
  });

  it("SIM-2 recovery: holes are not seen, and a reconnect does not say where it was", () => {
    const stage = new Stage({ guards: { recovery: false } }).live();
    const seqs = seqsOf(stage.board);
    stage.link.events("board:1", 1, note(1));
    stage.link.events("board:1", 5, note(5));
    expect(seqs).toEqual([1, 5]);
    stage.reconnect();
    expect(stage.link.last("subscribe").since).toBeUndefined();
    stage.link.answer(stage.link.last("subscribe"), { position: at(9) });
    expect(stage.board.state.position()).toEqual(at(9));
  });

  it("SIM-2 order: what is sent again goes out newest first, and claims that all before it is settled", () => {
    const stage = new Stage({ guards: { order: false } }).connect();
    for (const text of ["a", "b", "c"]) void stage.board.publish("note:add", { text });
    stage.reconnect();
    expect(ns(stage)).toEqual([3, 2, 1]);
    expect(stage.link.of("publish").map(({ settled }) => settled)).toEqual([2, 1, 0]);
  });

  it("SIM-2 ack: a publish is settled when it was sent", async () => {
    const stage = new Stage({ guards: { ack: false } }).connect();
    const published = stage.board.publish("note:add", { text: "a" });
    expect(await outcome(published)).toMatchObject({ eventId: "public:1" });
    stage.reconnect();
    expect(ns(stage)).toEqual([]);
  });
});
