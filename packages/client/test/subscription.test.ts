import { describe, expect, it } from "vitest";
import { at } from "./support/fake-server.js";
import { note, notes, seqsOf } from "./support/notes.js";
import { outcome, Stage } from "./support/stage.js";

const subscribes = (stage: Stage) => stage.link.of("subscribe");
const info = (stage: Stage) => stage.board.status.getSnapshot();

describe("a subscription", () => {
  it("SUB-1 resolves when the server has answered, and has its position and state then", async () => {
    const stage = new Stage().connect();
    const done = stage.board.subscribe();
    expect(info(stage)).toEqual({ status: "subscribing" });
    expect(await outcome(done)).toBe("waits");
    stage.link.answer(stage.link.last("subscribe"), { position: at(7), snapshot: { version: 2, state: ["a"] } });
    expect(await outcome(done)).toBeUndefined();
    expect(info(stage)).toEqual({ status: "live" });
    expect(stage.board.state.position()).toEqual(at(7));
    expect(stage.board.state.getSnapshot()).toEqual(["a"]);
  });

  it("SUB-1 starts the connection of a client that was not told to connect, and asks when it is up", () => {
    const stage = new Stage();
    void stage.board.subscribe();
    expect(stage.status).toBe("connecting");
    stage.welcome();
    expect(stage.link.last("subscribe")).toMatchObject({ channel: "board:1" });
  });

  it("SUB-1 events follow the position of the answer", () => {
    const stage = new Stage().live({ position: at(7) });
    const seqs = seqsOf(stage.board);
    stage.link.events("board:1", 8, ...notes(8, 9));
    expect(seqs).toEqual([8, 9]);
    expect(stage.board.state.position()).toMatchObject(at(9));
  });

  it("SUB-1 hears nothing of the channel before the answer", () => {
    const stage = new Stage().connect();
    const seqs = seqsOf(stage.board);
    void stage.board.subscribe();
    stage.link.events("board:1", 1, note(1));
    expect(seqs).toEqual([]);
  });

  it("SUB-1 is asked for once by those who subscribe twice, and live for both", async () => {
    const stage = new Stage().connect();
    const both = [stage.board.subscribe(), stage.board.subscribe()];
    expect(subscribes(stage)).toHaveLength(1);
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    expect(await Promise.all(both.map(outcome))).toEqual([undefined, undefined]);
    expect(await outcome(stage.board.subscribe())).toBeUndefined();
    expect(subscribes(stage)).toHaveLength(1);
  });

  it("SUB-1 an answer without a position ends the connection and not the client", () => {
    const stage = new Stage().connect();
    void stage.board.subscribe();
    stage.link.answer(stage.link.last("subscribe"), { where: 7 });
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECTION_LOST");
    stage.environment.pass(1_000);
    stage.welcome();
    expect(subscribes(stage)).toHaveLength(1);
  });

  it("SUB-2 after unsubscribe nothing arrives, and the promise resolves when the server knows", async () => {
    const stage = new Stage().live();
    const seqs = seqsOf(stage.board);
    const done = stage.board.unsubscribe();
    stage.link.events("board:1", 1, note(1));
    expect(seqs).toEqual([]);
    expect(info(stage)).toEqual({ status: "unsubscribed" });
    expect(await outcome(done)).toBe("waits");
    stage.link.answer(stage.link.last("unsubscribe"));
    expect(await outcome(done)).toBeUndefined();
  });

  it("SUB-2 what was unsubscribed is not asked for after a reconnect, and starts anew when it is subscribed again", () => {
    const stage = new Stage().live({ position: at(5) });
    void stage.board.unsubscribe();
    stage.reconnect();
    expect(subscribes(stage)).toEqual([]);
    void stage.board.subscribe();
    expect(stage.link.last("subscribe").since).toBeUndefined();
  });

  it("SUB-2 unsubscribe rejects the subscribe that waits, and says nothing to a server that is away", async () => {
    const stage = new Stage().connect();
    const done = stage.board.subscribe();
    stage.link.cut();
    expect(await outcome(stage.board.unsubscribe())).toBeUndefined();
    expect(await outcome(done)).toBe("NOT_SUBSCRIBED");
    stage.environment.pass(1_000);
    stage.welcome();
    expect(stage.link.sent.map(({ op }) => op)).toEqual(["hello"]);
  });

  it("SUB-2 an answer that comes after unsubscribe brings nothing to life", () => {
    const stage = new Stage().connect();
    void stage.board.subscribe();
    const asked = stage.link.last("subscribe");
    void stage.board.unsubscribe();
    stage.link.answer(asked, { position: at(3) });
    expect(info(stage)).toEqual({ status: "unsubscribed" });
    expect(stage.board.state.position()).toBeUndefined();
  });
});

describe("a refusal", () => {
  it.each(["FORBIDDEN", "ROOM_NOT_FOUND", "LIMIT_EXCEEDED", "APPLICATION_SAYS_NO"])("SUB-3 %s rejects, and is not asked for again until the application does", async (code) => {
    const stage = new Stage().connect();
    const done = stage.board.subscribe();
    stage.link.refuse(stage.link.last("subscribe"), code);
    expect(await outcome(done)).toBe(code);
    expect(info(stage)).toMatchObject({ status: "refused", error: { code } });
    stage.environment.pass(20_000);
    stage.reconnect();
    expect(subscribes(stage)).toEqual([]);
    void stage.board.subscribe();
    expect(subscribes(stage)).toHaveLength(1);
    expect(info(stage)).toEqual({ status: "subscribing" });
  });

  it("SUB-3 after a reconnect ends what was live, and what arrives is not told", () => {
    const stage = new Stage().live({ position: at(1) });
    const seqs = seqsOf(stage.board);
    stage.reconnect();
    stage.link.refuse(stage.link.last("subscribe"), "FORBIDDEN");
    stage.link.events("board:1", 2, note(2));
    expect(seqs).toEqual([]);
    expect(info(stage)).toMatchObject({ status: "refused" });
    expect(stage.errors).toEqual(["FORBIDDEN"]);
  });

  it("SUB-3 what no frame can carry is refused here, and the channel can be had in other ways", async () => {
    const stage = new Stage().connect();
    expect(await outcome(stage.board.subscribe({ presence: { state: { mood: "x".repeat(70_000) } } }))).toBe("MESSAGE_TOO_LARGE");
    expect(info(stage)).toMatchObject({ status: "refused", error: { code: "MESSAGE_TOO_LARGE" } });
    expect(subscribes(stage)).toEqual([]);
    stage.link.say({ op: "joined", channel: "board:1", start: { position: at(4) } });
    expect(info(stage)).toEqual({ status: "live" });
  });

  it("SUB-3 UNAVAILABLE is asked again after 1, 2 and 4 s, each with its part of the jitter", async () => {
    const stage = new Stage({ heartbeatIntervalMs: 600_000 }).connect();
    stage.environment.chance = 0.5;
    const done = stage.board.subscribe();
    for (const [index, delayMs] of [1_250, 2_250, 4_250].entries()) {
      stage.link.refuse(stage.link.last("subscribe"), "UNAVAILABLE");
      stage.environment.pass(delayMs - 1);
      expect(subscribes(stage)).toHaveLength(index + 1);
      stage.environment.pass(1);
      expect(subscribes(stage)).toHaveLength(index + 2);
    }
    expect(await outcome(done)).toBe("waits");
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    expect(await outcome(done)).toBeUndefined();
  });

  it("SUB-3 RATE_LIMITED is asked again when the server says", () => {
    const stage = new Stage().connect();
    void stage.board.subscribe();
    stage.link.refuse(stage.link.last("subscribe"), "RATE_LIMITED", 7_000);
    stage.environment.pass(6_999);
    expect(subscribes(stage)).toHaveLength(1);
    stage.environment.pass(1);
    expect(subscribes(stage)).toHaveLength(2);
  });

  it("SUB-3 is not asked again in a pause that a reconnect or an unsubscribe has ended", () => {
    const stage = new Stage().connect();
    void stage.board.subscribe();
    stage.link.refuse(stage.link.last("subscribe"), "UNAVAILABLE");
    stage.reconnect();
    stage.environment.pass(5_000);
    expect(subscribes(stage)).toHaveLength(1);
    stage.link.refuse(stage.link.last("subscribe"), "UNAVAILABLE");
    void stage.board.unsubscribe();
    stage.environment.pass(5_000);
    expect(subscribes(stage)).toHaveLength(1);
  });
});

describe("another user", () => {
  it("REC-1 QUE-4 starts over without what the one before had seen, and tells a gap from there", () => {
    const stage = new Stage().live({ position: at(1) });
    const gaps: unknown[] = [];
    stage.board.on("gap", (gap) => gaps.push(gap));
    stage.link.cut();
    stage.environment.pass(1_500);
    stage.link.open();
    stage.link.welcome({ session: "another" });
    expect(stage.link.last("subscribe").since).toBeUndefined();
    stage.link.answer(stage.link.last("subscribe"), { position: at(4), snapshot: { version: 2, state: ["d"] } });
    expect(gaps).toEqual([{ from: at(1), to: at(4) }]);
  });
});

describe("an end that the server makes", () => {
  it.each(["KICKED", "SUBSCRIPTION_REVOKED", "ROOM_NOT_FOUND"])("SUB-4 %s ends it with the reason, and nothing is told or asked for after it", (code) => {
    const stage = new Stage().live({ position: at(1) });
    const seqs = seqsOf(stage.board);
    stage.link.say(
      { op: "left", channel: "board:1", error: { code, message: "enough" } },
      { op: "events", channel: "board:1", epoch: "e1", seq: 2, events: [note(2)] },
    );
    expect(seqs).toEqual([]);
    expect(info(stage)).toMatchObject({ status: "left", error: { code, message: "enough" } });
    expect(stage.errors).toEqual([code]);
    stage.reconnect();
    expect(subscribes(stage)).toEqual([]);
  });

  it("SUB-4 takes back what was asked for meanwhile, unless the application wants to come back", () => {
    const asks = (again: boolean): readonly string[] => {
      const stage = new Stage().live({ position: at(1) });
      stage.link.say({ op: "events", channel: "board:1", epoch: "e1", seq: 3, events: [note(3)] });
      if (again) stage.board.status.subscribe(() => stage.board.status.getSnapshot().status === "left" && void stage.board.subscribe());
      stage.link.say({ op: "left", channel: "board:1", error: { code: "KICKED", message: "" } });
      return stage.link.sent.map(({ op }) => op).slice(-2);
    };
    expect(asks(false)).toEqual(["subscribe", "unsubscribe"]);
    expect(asks(true)).toEqual(["subscribe", "subscribe"]);
  });

  it("SUB-4 rejects the subscribe that waits", async () => {
    const stage = new Stage().connect();
    const done = stage.board.subscribe();
    stage.link.say({ op: "left", channel: "board:1", error: { code: "KICKED", message: "" } });
    expect(await outcome(done)).toBe("KICKED");
  });

  it("SUB-4 does not end the other channels, nor the publishes of its own", () => {
    const stage = new Stage().live();
    const feed = stage.client.channel("feed:{id}", { id: "1" });
    void feed.subscribe();
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    void stage.board.publish("note:add", { text: "a" });
    stage.link.say({ op: "left", channel: "board:1", error: { code: "KICKED", message: "" } });
    expect(feed.status.getSnapshot()).toEqual({ status: "live" });
    stage.reconnect();
    expect(stage.link.sent.map((frame) => [frame.op, Object(frame).channel])).toEqual([
      ["hello", undefined],
      ["subscribe", "feed:1"],
      ["publish", "board:1"],
    ]);
  });
});

describe("a channel that the server puts the client into", () => {
  const joined = (stage: Stage, seq: number): void => stage.link.say({ op: "joined", channel: "board:1", start: { position: at(seq), snapshot: { version: 2, state: ["a"] } } });

  it("SUB-5 is live without being asked for, and told of", () => {
    const stage = new Stage().connect();
    const names: string[] = [];
    stage.client.on("joined", (name) => names.push(name));
    const seqs = seqsOf(stage.board);
    joined(stage, 4);
    stage.link.events("board:1", 5, note(5));
    expect(names).toEqual(["board:1"]);
    expect(seqs).toEqual([5]);
    expect(stage.board.state.getSnapshot()).toEqual(["a", "note 5"]);
    expect(subscribes(stage)).toEqual([]);
  });

  it("SUB-5 is asked for after a reconnect as any other", () => {
    const stage = new Stage().connect();
    joined(stage, 4);
    stage.reconnect();
    expect(stage.link.last("subscribe")).toMatchObject({ channel: "board:1", since: at(4) });
  });

  it("SUB-5 is asked for from where the client was: what lies in between may be missing", () => {
    const stage = new Stage().live({ position: at(2) });
    const seqs = seqsOf(stage.board);
    joined(stage, 4);
    expect(stage.link.last("subscribe")).toMatchObject({ since: at(2) });
    stage.link.answer(stage.link.last("subscribe"), { position: at(2) });
    stage.link.events("board:1", 3, ...notes(3, 5));
    expect(seqs).toEqual([3, 4, 5]);
  });

  it("SUB-5 can be left again by either side", async () => {
    const stage = new Stage().connect();
    joined(stage, 4);
    const done = stage.board.unsubscribe();
    stage.link.answer(stage.link.last("unsubscribe"));
    expect(await outcome(done)).toBeUndefined();
    joined(stage, 6);
    expect(info(stage)).toEqual({ status: "live" });
    stage.link.say({ op: "left", channel: "board:1", error: { code: "KICKED", message: "" } });
    expect(info(stage)).toMatchObject({ status: "left" });
  });
});
