import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { at } from "./support/fake-server.js";
import { turns } from "./support/fake-environment.js";
import { note, notes, ownNote, seqsOf } from "./support/notes.js";
import { outcome, Stage } from "./support/stage.js";

const texts = (stage: Stage): unknown[] => stage.link.of("publish").map(({ payload }) => Object(payload).text);
const fail = (): never => {
  throw new Error("application");
};

const unhandled: unknown[] = [];
const catchUnhandled = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => void process.on("unhandledRejection", catchUnhandled));
afterAll(async () => {
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.off("unhandledRejection", catchUnhandled);
  expect(unhandled).toEqual([]);
});

describe("a listener that calls the client back", () => {
  it("PUB-3 may publish from an event: its publish goes out, and the events after it still come", () => {
    const stage = new Stage().live();
    const seqs = seqsOf(stage.board);
    stage.board.on("note:add", ({ payload: { text }, own }) => own || void stage.board.publish("note:add", { text: `re: ${text}` }));
    stage.link.events("board:1", 1, ...notes(1, 2));
    expect(seqs).toEqual([1, 2]);
    expect(texts(stage)).toEqual(["re: note 1", "re: note 2"]);
    expect(stage.board.state.getSnapshot()).toEqual(["note 1", "note 2", "re: note 1", "re: note 2"]);
  });

  it("PUB-3 may publish from an ack, a rollback and a change of what is pending, and the order holds", async () => {
    const stage = new Stage().live();
    let times = 0;
    stage.client.on("rollback", () => void stage.board.publish("note:add", { text: "instead" }));
    stage.board.pending.subscribe(() => {
      if (times++ === 0) void stage.board.publish("note:add", { text: "second" });
    });
    void stage.board.publish("note:add", { text: "first" });
    stage.link.refuse(stage.link.of("publish").find(({ n }) => n === 1)!, "FORBIDDEN");
    await turns();
    expect(stage.link.of("publish").map(({ n, payload }) => [n, Object(payload).text])).toEqual([
      [1, "first"],
      [2, "second"],
      [3, "instead"],
    ]);
  });

  it("SUB-2 may unsubscribe from an event: the rest of the message is not told", () => {
    const stage = new Stage().live();
    const seqs = seqsOf(stage.board);
    stage.board.on("note:add", ({ position: { seq } }) => seq === 2 && void stage.board.unsubscribe());
    stage.link.events("board:1", 1, ...notes(1, 4));
    expect(seqs).toEqual([1, 2]);
    expect(stage.board.status.getSnapshot()).toEqual({ status: "unsubscribed" });
    expect(stage.board.state.position()).toBeUndefined();
  });

  it("SUB-2 may unsubscribe and subscribe again from an event: the new subscription starts over", () => {
    const stage = new Stage().live();
    const seqs = seqsOf(stage.board);
    const stop = stage.board.on("note:add", () => {
      stop();
      void stage.board.unsubscribe();
      void stage.board.subscribe();
    });
    stage.link.events("board:1", 1, ...notes(1, 3));
    expect(seqs).toEqual([1]);
    expect(stage.link.last("subscribe").since).toBeUndefined();
    stage.link.answer(stage.link.last("subscribe"), { position: at(3) });
    stage.link.events("board:1", 4, note(4));
    expect(seqs).toEqual([1, 4]);
  });

  it("REC-6 may ask for presence from an event: what the message still holds comes with the answer, and once", () => {
    const stage = new Stage().live();
    const seqs = seqsOf(stage.board);
    const gaps: unknown[] = [];
    stage.board.on("gap", (gap) => gaps.push(gap));
    stage.board.on("note:add", ({ position: { seq } }) => seq === 1 && void stage.board.subscribe({ presence: true }));
    stage.link.events("board:1", 1, ...notes(1, 3));
    const asked = stage.link.last("subscribe");
    stage.link.answer(asked, { position: at(asked.since?.seq ?? 0) });
    stage.link.events("board:1", 1 + (asked.since?.seq ?? 0), ...notes(1 + (asked.since?.seq ?? 0), 3));
    expect(seqs).toEqual([1, 2, 3]);
    expect(gaps).toEqual([]);
  });

  it("SUB-4 may subscribe again when it hears that the subscription was ended", () => {
    const stage = new Stage().live();
    stage.board.status.subscribe(() => {
      if (stage.board.status.getSnapshot().status === "left") void stage.board.subscribe();
    });
    stage.link.say({ op: "left", channel: "board:1", error: { code: "KICKED", message: "" } });
    expect(stage.board.status.getSnapshot()).toEqual({ status: "subscribing" });
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    expect(stage.board.status.getSnapshot()).toEqual({ status: "live" });
  });

  it("CON-8 may close from an event, a signal, a change of state and an error: nothing more is told, and no timer is left", async () => {
    for (const place of ["event", "any", "state", "error", "status"] as const) {
      const stage = new Stage().live();
      const close = (): void => void stage.client.close();
      const seqs = seqsOf(stage.board);
      if (place === "event") stage.board.on("note:add", close);
      if (place === "any") stage.client.onAny(close);
      if (place === "state") stage.board.state.subscribe(close);
      if (place === "error") stage.client.on("error", close);
      if (place === "status") stage.client.on("status", ({ status }) => status === "reconnecting" && close());
      const { link } = stage;
      link.say(
        { op: "events", channel: "board:1", epoch: "e1", seq: 1, events: notes(1, 2) },
        { op: "error", error: { code: "RATE_LIMITED", message: "" } },
        { op: "events", channel: "board:1", epoch: "e1", seq: 3, events: [note(3)] },
      );
      if (place === "status") link.cut();
      await turns();
      expect(stage.status, place).toBe("closed");
      expect(seqs.length, place).toBeLessThanOrEqual(place === "event" || place === "any" ? 1 : place === "status" ? 3 : 2);
      expect(stage.environment.timerCount, place).toBe(0);
      expect(stage.transport.links, place).toHaveLength(1);
    }
  });

  it("CON-8 may close from a change of the connection while it is being connected", async () => {
    const stage = new Stage();
    stage.client.connection.subscribe(() => {
      if (stage.status === "connected") void stage.client.close();
    });
    const done = stage.board.subscribe();
    stage.welcome();
    expect(await outcome(done)).toBe("CLIENT_CLOSED");
    expect(stage.status).toBe("closed");
    expect(stage.environment.timerCount).toBe(0);
  });

  it("CON-10 may connect again from the status, and no second link is opened", () => {
    const stage = new Stage();
    stage.client.on("status", () => stage.client.connect());
    stage.connect();
    stage.link.cut();
    expect(stage.transport.liveMax).toBe(1);
    expect(stage.status).toBe("reconnecting");
  });

  it("SIG-2 may signal, call and enter from anywhere", async () => {
    const stage = new Stage().live();
    let call: Promise<unknown> | undefined;
    stage.board.on("cursor:move", ({ payload }) => {
      stage.board.signal("cursor:move", { x: payload.x + 1 });
      call = stage.board.call("board:count", { x: 1 });
      void stage.board.presence.enter({ mood: "calm" });
    });
    stage.link.say({ op: "signals", channel: "board:1", signals: [{ type: "cursor:move", payload: { x: 1 }, session: "other" }] });
    expect(stage.link.last("signal").payload).toEqual({ x: 2 });
    expect(stage.link.last("presence").member).toEqual({ mood: "calm" });
    stage.link.answer(stage.link.last("call"), { x: 5 });
    expect(await outcome(call ?? Promise.resolve())).toEqual({ x: 5 });
  });

  it("SEE-1 may add and take off listeners: who is added was not there, who is taken off hears nothing", () => {
    const stage = new Stage().live();
    const heard: string[] = [];
    stage.board.on("note:add", () => {
      heard.push("first");
      stopSecond();
      stage.board.on("note:add", () => heard.push("added"));
    });
    const stopSecond = stage.board.on("note:add", () => heard.push("second"));
    stage.link.events("board:1", 1, note(1));
    expect(heard).toEqual(["first"]);
  });

  it("SEE-1 one function that listens twice is called twice, and taken off once by each", () => {
    const stage = new Stage().live();
    let calls = 0;
    const count = (): void => void calls++;
    const [stop] = [stage.board.on("note:add", count), stage.board.on("note:add", count)];
    stage.link.events("board:1", 1, note(1));
    expect(calls).toBe(2);
    stop();
    stop();
    stage.link.events("board:1", 2, note(2));
    expect(calls).toBe(3);
  });
});

describe("a listener that throws", () => {
  it("SEE-1 surfaces with its cause, and the other listeners, the state and the events after it are as they would be", () => {
    const stage = new Stage().live();
    const causes: unknown[] = [];
    stage.client.on("error", ({ code, cause }) => causes.push([code, Object(cause).message]));
    stage.board.on("note:add", fail);
    const seqs = seqsOf(stage.board);
    stage.link.events("board:1", 1, ...notes(1, 2));
    expect(seqs).toEqual([1, 2]);
    expect(stage.board.state.getSnapshot()).toEqual(["note 1", "note 2"]);
    expect(causes).toEqual([
      ["INTERNAL", "application"],
      ["INTERNAL", "application"],
    ]);
    expect(stage.status).toBe("connected");
  });

  it("SEE-1 anywhere breaks nothing of the client", async () => {
    const stage = new Stage({ debug: () => {} });
    stage.client.on("status", fail);
    stage.client.on("error", fail);
    stage.client.on("rollback", fail);
    stage.client.on("joined", fail);
    stage.client.onAny(fail);
    for (const store of [stage.client.connection, stage.client.pending, stage.board.status, stage.board.state, stage.board.pending, stage.board.presence, stage.board.typing]) store.subscribe(fail);
    for (const type of ["gap", "presence:join"] as const) stage.board.on(type as "gap", fail);
    stage.board.on("note:add", fail);
    stage.board.on("cursor:move", fail);
    stage.live({ position: at(0) }, { presence: { state: { mood: "calm" } } });
    const [kept, refused] = [stage.board.publish("note:add", { text: "kept" }), stage.board.publish("note:add", { text: "refused" })];
    const [first, second] = stage.link.of("publish");
    stage.link.refuse(second!, "FORBIDDEN");
    stage.link.say(
      { op: "signals", channel: "board:1", signals: [{ type: "cursor:move", payload: { x: 1 }, session: "other" }, { type: "typing", payload: true, session: "other" }] },
      { op: "presence", channel: "board:1", members: [], complete: true },
      { op: "presence", channel: "board:1", changes: [{ type: "presence:join", member: { session: "b", activity: "active", since: 1, state: { mood: "b" } } }] },
      { op: "events", channel: "board:1", epoch: "e1", seq: 1, events: [note(1), ownNote(1, "kept")] },
      { op: "gap", channel: "board:1", start: { position: at(9), gap: { from: at(2), to: at(9) }, snapshot: { version: 2, state: ["nine"] } } },
      { op: "joined", channel: "feed:1", start: { position: at(0) } },
    );
    stage.link.ack(first!, 2);
    expect(await outcome(kept)).toEqual({ position: at(2), eventId: "public:1" });
    expect(await outcome(refused)).toBe("FORBIDDEN");
    expect(stage.board.state.getSnapshot()).toEqual(["nine"]);
    expect(stage.board.typing.getSnapshot()).toHaveLength(1);
    expect(stage.board.presence.getSnapshot().people).toHaveLength(1);
    expect(stage.status).toBe("connected");
    stage.reconnect();
    expect(stage.status).toBe("connected");
    await stage.client.close();
    expect(stage.environment.timerCount).toBe(0);
  });
});
