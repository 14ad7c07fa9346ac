import { describe, expect, it } from "vitest";
import { note, seqsOf } from "./support/notes.js";
import { Stage } from "./support/stage.js";

const events = (...list: readonly unknown[]): string => JSON.stringify({ op: "events", channel: "board:1", epoch: "e1", seq: 1, events: list });

describe("a bad frame of the server", () => {
  it.each([
    ["events that are no list", '{"op":"events","channel":"board:1","epoch":"e1","seq":1,"events":{}}'],
    ["a position that is no number", '{"op":"events","channel":"board:1","epoch":"e1","seq":"1","events":[{"eventId":"a","type":"note:add"}]}'],
    ["no position", '{"op":"events","channel":"board:1","epoch":"e1","events":[{"eventId":"a","type":"note:add"}]}'],
    ["a good event before one without an id", events(note(1), { ...note(2), eventId: undefined })],
    ["a good event before one without a place", events(note(1), { ...note(2), seq: "two" })],
    ["a good event before none at all", events(note(1), null)],
    ["a gap without a start", '{"op":"gap","channel":"board:1"}'],
    ["a gap to no position", '{"op":"gap","channel":"board:1","start":{"position":{"epoch":"e1"},"gap":{"from":{"epoch":"e1","seq":0}}}}'],
    ["a list of members that is none", '{"op":"presence","channel":"board:1","members":[null]}'],
    ["a channel that is no text", '{"op":"joined","channel":7,"start":{"position":{"epoch":"e1","seq":0}}}'],
  ])("WIRE-5 REC-1: %s ends the connection, and has done nothing", (_title, message) => {
    const stage = new Stage().live();
    const seqs = seqsOf(stage.board);
    const position = stage.board.state.position();
    stage.link.raw(message);
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECTION_LOST");
    expect(seqs).toEqual([]);
    expect(stage.board.state.position()).toEqual(position);
  });

  it.each([
    ["without limits", '"heartbeat":{"intervalMs":1,"timeoutMs":1}'],
    ["without a heartbeat", '"limits":{"messageBytesMax":1}'],
    ["with a heartbeat that never comes", '"limits":{"messageBytesMax":1},"heartbeat":{"timeoutMs":1}'],
  ])("WIRE-5: a welcome %s is none, and the client tries again", (_title, rest) => {
    const stage = new Stage();
    stage.client.connect();
    stage.link.open();
    stage.link.raw(`{"op":"welcome","version":1,"session":"s",${rest}}`);
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECTION_LOST");
    stage.environment.pass(2_000);
    stage.link.open();
    stage.link.welcome();
    expect(stage.status).toBe("connected");
  });

  it("WIRE-5: an answer without a position settles nothing, and the publish is sent again", () => {
    const stage = new Stage().live();
    void stage.board.publish("note:add", { text: "a" });
    stage.link.answer(stage.link.last("publish"), {});
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECTION_LOST");
    expect(stage.board.pending.getSnapshot()).toHaveLength(1);
    stage.environment.pass(2_000);
    stage.link.open();
    stage.link.welcome();
    expect(stage.link.last("publish")).toMatchObject({ n: 1, retry: true });
  });
});
