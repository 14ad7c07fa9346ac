import { describe, expect, it, vi } from "vitest";
import type { Envelope } from "../src/index.js";
import { at, event } from "./support/fake-server.js";
import { turns } from "./support/fake-environment.js";
import { Stage } from "./support/stage.js";

describe("seeing what happens", () => {
  it("SEE-1: one listener hears events, signals, presence, results and errors as envelopes", async () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    const heard: Envelope[] = [];
    stage.client.onAny((envelope) => heard.push(envelope));
    const now = stage.environment.now();
    const { link } = stage;

    link.say({ op: "events", channel: "board:1", epoch: "e1", seq: 1, events: [event("note:add", { text: "a" }, "other:1", 5)] });
    link.say({ op: "signals", channel: "board:1", signals: [{ type: "cursor:move", payload: { x: 1 }, session: "other" }] });
    link.say({ op: "presence", channel: "board:1", members: [], complete: true });
    link.say({ op: "presence", channel: "board:1", changes: [{ type: "presence:join", member: { session: "b", activity: "active", since: 1, state: { mood: "calm" } } }] });
    void stage.board.publish("note:add", { text: "b" });
    link.ack(link.last("publish"), 2);
    void stage.board.publish("note:add", { text: "c" });
    link.refuse(link.last("publish"), "FORBIDDEN");
    void stage.client.call("board:list", {});
    link.answer(link.last("call"), ["x"]);
    void stage.board.call("board:count", { x: 1 });
    link.refuse(link.last("call"), "NOT_TODAY");
    link.say({ op: "error", error: { code: "RATE_LIMITED", message: "" } });
    link.say({ op: "error", channel: "board:1", error: { code: "FORBIDDEN", message: "" } });
    await turns();

    const [list, count] = link.of("call");
    const error = (code: string) => expect.objectContaining({ code });
    expect(heard).toEqual([
      { type: "note:add", payload: { text: "a" }, timestamp: 5, eventId: "other:1", channel: "board:1", position: at(1) },
      { type: "cursor:move", payload: { x: 1 }, timestamp: now, channel: "board:1" },
      { type: "presence:join", payload: { type: "presence:join", session: "b", state: { mood: "calm" } }, timestamp: now, channel: "board:1" },
      { type: "note:add:result", payload: { position: at(2), eventId: "public:1" }, timestamp: now, channel: "board:1", position: at(2), eventId: "public:1" },
      { type: "error:note", payload: { text: "c" }, timestamp: now, channel: "board:1", error: error("FORBIDDEN") },
      { type: "board:list:result", payload: ["x"], timestamp: now, correlationId: list?.correlationId },
      { type: "error:board", payload: undefined, timestamp: now, correlationId: count?.correlationId, channel: "board:1", error: error("NOT_TODAY") },
      { type: "error:connection", payload: undefined, timestamp: now, error: error("RATE_LIMITED") },
      { type: "error:board", payload: undefined, timestamp: now, channel: "board:1", error: error("FORBIDDEN") },
    ]);
  });

  it("SEE-1: a listener hears events of the channel as they are, own ones too, until it is taken off", () => {
    const stage = new Stage().live();
    const heard: unknown[] = [];
    const off = stage.board.on("note:add", (received) => heard.push(received));
    stage.link.say({ op: "events", channel: "board:1", epoch: "e1", seq: 1, events: [{ ...event("note:add", { text: "a" }, "public:1", 7), user: "ada" }] });
    off();
    stage.link.events("board:1", 2, event("note:add", { text: "b" }, "other:1"));
    expect(heard).toEqual([{ type: "note:add", payload: { text: "a" }, timestamp: 7, eventId: "public:1", channel: "board:1", position: at(1), user: "ada", own: true }]);
  });

  it("SEE-1: a listener for everything that throws breaks nothing", () => {
    const stage = new Stage().live();
    stage.client.onAny(() => {
      throw new Error("application");
    });
    stage.link.events("board:1", 1, event("note:add", { text: "a" }, "other:1"));
    expect(stage.board.state.getSnapshot()).toEqual(["a"]);
    expect(stage.errors).toEqual(["INTERNAL"]);
  });

  it("SEE-2: the debug log shows the frames, without payloads, states, tokens and the session's secret", () => {
    const lines: string[] = [];
    const stage = new Stage({ debug: (line) => void lines.push(line), token: "sesame-token" }).live(
      { position: at(0), snapshot: { version: 2, state: ["sesame-state"] } },
      { presence: { state: { mood: "sesame-mood" } } },
    );
    void stage.board.publish("note:add", { text: "sesame-payload" });
    stage.link.events("board:1", 1, event("note:add", { text: "sesame-event" }, "other:1"));
    stage.link.refuse(stage.link.last("publish"), "RATE_LIMITED");
    stage.link.say({ op: "presence", channel: "board:1", members: [{ session: "b", activity: "active", since: 1, state: "sesame-member" }] });
    stage.link.raw('{"op":"weather","sunny":"sesame"}');
    const log = lines.join("\n");
    expect(log).not.toContain("sesame");
    expect(log).not.toContain(stage.link.last("hello").session);
    expect(log).toMatch(/→ .*publish.*board:1.*note:add/);
    expect(log).toMatch(/← .*board:1.*events/);
    expect(log).toContain("RATE_LIMITED");
  });

  it("SEE-2 CON-8: a debug log that throws leaves a client that can still be closed", async () => {
    let isBroken = false;
    const debug = (): void => {
      if (isBroken) throw new Error("the log is full");
    };
    const stage = new Stage({ debug }).connect();
    isBroken = true;
    expect(() => stage.environment.pass(25_000)).toThrow("the log is full");
    isBroken = false;
    await stage.client.close();
    expect(stage.status).toBe("closed");
  });

  it("SEE-2: the switch in the page's storage writes to its console", async () => {
    const written = vi.spyOn(console, "debug").mockImplementation(() => {});
    vi.stubGlobal("window", {});
    vi.stubGlobal("localStorage", { getItem: (key: string) => (key === "debug" ? "other, tutti" : null) });
    const stage = new Stage().connect();
    vi.stubGlobal("localStorage", { getItem: () => "other" });
    const silent = new Stage().connect();
    vi.unstubAllGlobals();
    const count = written.mock.calls.length;
    written.mockRestore();
    await Promise.all([stage.client.close(), silent.client.close()]);
    expect(count).toBe(2);
  });
});
