import fc from "fast-check";
import { channel, defineContract } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { createClient, type Rollback } from "../src/index.js";
import { contract } from "./support/contract.js";
import { FakeEnvironment } from "./support/fake-environment.js";
import { at, event, FakeTransport } from "./support/fake-server.js";
import { note, notes, ownNote } from "./support/notes.js";
import { outcome, Stage } from "./support/stage.js";

const state = (stage: Stage) => stage.board.state.getSnapshot();
const canonical = (stage: Stage) => stage.board.state.canonical();
const publish = (stage: Stage, text: string) => stage.board.publish("note:add", { text });

function rollbacksOf(stage: Stage): readonly Rollback[] {
  const rollbacks: Rollback[] = [];
  stage.client.on("rollback", (rollback) => rollbacks.push(rollback));
  return rollbacks;
}

describe("canonical state", () => {
  it("STA-1 is the reduction of the events, from the snapshot of the start", () => {
    const stage = new Stage().live({ position: at(2), snapshot: { version: 2, state: ["a", "b"] } });
    stage.link.events("board:1", 3, ...notes(3, 4), { eventId: "other:5", type: "note:clear", payload: {}, timestamp: 5 }, note(6));
    expect(canonical(stage)).toEqual(["note 6"]);
    expect(stage.board.state.position()).toMatchObject(at(6));
  });

  it("STA-1 starts from the initial state where the start has no snapshot", () => {
    const stage = new Stage();
    expect(state(stage)).toEqual([]);
    stage.live({ position: at(0) });
    expect(canonical(stage)).toEqual([]);
  });

  it("STA-1 is kept over a reconnect that goes on, and replaced by a snapshot of one that does not", () => {
    const stage = new Stage().live();
    stage.link.events("board:1", 1, note(1));
    stage.reconnect();
    stage.link.answer(stage.link.last("subscribe"), { position: at(1) });
    expect(canonical(stage)).toEqual(["note 1"]);
    stage.environment.pass(5_000);
    stage.reconnect();
    stage.link.answer(stage.link.last("subscribe"), { position: at(50), snapshot: { version: 2, state: ["fifty"] } });
    expect(canonical(stage)).toEqual(["fifty"]);
  });

  it("STA-1 of an older version is migrated", () => {
    const stage = new Stage().live({ position: at(2), snapshot: { version: 1, state: ["a"] } });
    expect(canonical(stage)).toEqual(["old a"]);
  });

  it("STA-1 of a version that cannot be read surfaces and stands still, until a snapshot fits", () => {
    const stage = new Stage().live({ position: at(2), snapshot: { version: 3, state: { notes: [] } } });
    stage.link.events("board:1", 3, note(3));
    expect(stage.errors).toEqual(["VERSION_UNSUPPORTED"]);
    expect(canonical(stage)).toEqual([]);
    expect(stage.board.state.position()).toMatchObject(at(3));
    stage.link.say({ op: "gap", channel: "board:1", start: { position: at(9), gap: { from: at(3), to: at(9) }, snapshot: { version: 2, state: ["nine"] } } });
    stage.link.events("board:1", 10, note(10));
    expect(canonical(stage)).toEqual(["nine", "note 10"]);
  });

  it("STA-1 whose migration throws surfaces and stands still", () => {
    const stage = new Stage().live({ position: at(2), snapshot: { version: 1, state: 5 } });
    stage.link.events("board:1", 3, note(3));
    expect(stage.errors).toEqual(["VERSION_UNSUPPORTED"]);
    expect(canonical(stage)).toEqual([]);
  });

  it("STA-2 skips an event that reduce throws at, counts it, and goes on", () => {
    const stage = new Stage().live();
    const texts: string[] = [];
    stage.board.on("note:add", ({ payload }) => texts.push(payload.text));
    stage.link.events("board:1", 1, note(1), note(2, "poison"), note(3));
    expect(canonical(stage)).toEqual(["note 1", "note 3"]);
    expect(stage.board.state.skipped()).toBe(1);
    expect(stage.board.state.position()).toMatchObject(at(3));
    expect(stage.errors).toEqual(["INTERNAL"]);
    expect(texts).toEqual(["note 1", "poison", "note 3"]);
  });

  it("STA-7 passes over an event of a type that the contract does not have, and moves on", () => {
    const stage = new Stage().live();
    stage.link.events("board:1", 1, note(1), event("note:paint", { colour: "red" }, "other:2"), note(3));
    expect(canonical(stage)).toEqual(["note 1", "note 3"]);
    expect(stage.board.state.position()).toMatchObject(at(3));
    expect(stage.errors).toEqual([]);
    stage.reconnect();
    expect(stage.link.last("subscribe").since).toMatchObject(at(3));
  });

  it("STA-7 a type called like what every object has is not known either", () => {
    const stage = new Stage().live();
    stage.link.events("board:1", 1, event("constructor", { text: "a" }, "other:1"), event("toString", { text: "b" }, "other:2"));
    expect(canonical(stage)).toEqual([]);
    expect(stage.board.state.skipped()).toBe(0);
  });

  it("is undefined where the channel has none", () => {
    const stage = new Stage();
    const feed = stage.client.channel("feed:{id}", { id: "1" });
    expect([feed.state.getSnapshot(), feed.state.canonical(), feed.state.skipped()]).toEqual([undefined, undefined, 0]);
  });
});

describe("an optimistic publish", () => {
  it("STA-3 is in the state at once, also while offline, and in canonical state not before its event", () => {
    const stage = new Stage();
    void publish(stage, "mine");
    expect(state(stage)).toEqual(["mine"]);
    stage.live();
    expect(state(stage)).toEqual(["mine"]);
    expect(canonical(stage)).toEqual([]);
    stage.link.events("board:1", 1, ownNote(1, "mine"));
    expect(canonical(stage)).toEqual(["mine"]);
    expect(state(stage)).toEqual(["mine"]);
  });

  it("STA-3 stays above the events of others that land before it", () => {
    const stage = new Stage().live();
    void publish(stage, "mine");
    stage.link.events("board:1", 1, ...notes(1, 2));
    expect(state(stage)).toEqual(["note 1", "note 2", "mine"]);
    stage.link.events("board:1", 3, ownNote(1, "mine"), note(4));
    expect(state(stage)).toEqual(["note 1", "note 2", "mine", "note 4"]);
  });

  it("STA-3 is replaced by its event, as the server has made it", () => {
    const stage = new Stage().live();
    void publish(stage, "mine");
    void publish(stage, "mine too");
    stage.link.events("board:1", 1, ownNote(1, "as the server says"));
    expect(state(stage)).toEqual(["as the server says", "mine too"]);
  });

  it("STA-3 that reduce throws at shows nothing, and the others are shown", () => {
    const stage = new Stage().live();
    for (const text of ["one", "poison", "two"]) void publish(stage, text);
    expect(state(stage)).toEqual(["one", "two"]);
    expect(stage.board.state.skipped()).toBe(0);
  });

  it("STA-3 is reduced with the id and the user that its event will have", () => {
    const seen: unknown[] = [];
    const watched = defineContract({
      channels: {
        "board:{id}": channel({
          events: contract.definition.channels["board:{id}"].events,
          state: {
            version: 1,
            initial: 0,
            reduce(count, { eventId, user, timestamp }) {
              seen.push({ eventId, user, timestamp });
              return count + 1;
            },
          },
        }),
      },
    });
    const environment = new FakeEnvironment();
    const transport = new FakeTransport();
    const client = createClient({ url: "ws://server", contract: watched, environment, transport, lifecycle: { watch: () => () => {} } });
    client.connect();
    transport.link.open();
    transport.link.welcome({ user: "ada" });
    const board = client.channel("board:{id}", { id: "1" });
    void board.publish("note:add", { text: "a" });
    expect(board.state.getSnapshot()).toBe(1);
    expect(seen).toEqual([{ eventId: "public:1", user: "ada", timestamp: environment.startedAt }]);
  });

  it("STA-4 that is refused leaves the state, and the refusal surfaces with what it was", async () => {
    const stage = new Stage().live();
    const rollbacks = rollbacksOf(stage);
    const [bad, good] = [publish(stage, "bad"), publish(stage, "good")];
    expect(state(stage)).toEqual(["bad", "good"]);
    stage.link.refuse(stage.link.of("publish")[0]!, "FORBIDDEN");
    expect(state(stage)).toEqual(["good"]);
    expect(rollbacks).toEqual([{ channel: "board:1", type: "note:add", payload: { text: "bad" }, error: expect.objectContaining({ code: "FORBIDDEN" }) }]);
    expect([await outcome(bad), await outcome(good)]).toEqual(["FORBIDDEN", "waits"]);
  });

  it("STA-4 that is refused for now stays shown", () => {
    const stage = new Stage().live();
    const rollbacks = rollbacksOf(stage);
    void publish(stage, "mine");
    stage.link.refuse(stage.link.last("publish"), "UNAVAILABLE");
    expect(state(stage)).toEqual(["mine"]);
    expect(rollbacks).toEqual([]);
  });

  it("STA-4 whose outcome is unknown is taken back too, and so is what is open at the end", async () => {
    const stage = new Stage().live();
    const rollbacks = rollbacksOf(stage);
    void publish(stage, "mine");
    stage.link.cut();
    stage.environment.pass(1_000);
    stage.link.open();
    stage.link.welcome({ session: "another" });
    expect(state(stage)).toEqual([]);
    expect(rollbacks.map(({ error }) => error.code)).toEqual(["OUTCOME_UNKNOWN"]);
    void publish(stage, "again");
    await stage.client.close();
    expect(state(stage)).toEqual([]);
  });

  it("STA-5 its ack does not change canonical state, and what is shown stays shown until its event", () => {
    const stage = new Stage().live();
    void publish(stage, "mine");
    stage.link.ack(stage.link.last("publish"), 2);
    expect(canonical(stage)).toEqual([]);
    expect(state(stage)).toEqual(["mine"]);
    stage.link.events("board:1", 1, note(1));
    expect(state(stage)).toEqual(["note 1", "mine"]);
    stage.link.events("board:1", 2, ownNote(1, "mine"));
    expect(canonical(stage)).toEqual(["note 1", "mine"]);
    expect(state(stage)).toEqual(["note 1", "mine"]);
  });

  it("STA-5 its event may come before its ack, and is shown once", async () => {
    const stage = new Stage().live();
    const published = publish(stage, "mine");
    const sent = stage.link.last("publish");
    stage.link.events("board:1", 1, ownNote(1, "mine"));
    expect(state(stage)).toEqual(["mine"]);
    stage.link.ack(sent, 1);
    expect(state(stage)).toEqual(["mine"]);
    expect(canonical(stage)).toEqual(["mine"]);
    expect(await outcome(published)).toEqual({ position: at(1), eventId: "public:1" });
  });

  it("STA-5 an ack whose event is in the snapshot of a restart is shown once", () => {
    const stage = new Stage().live();
    void publish(stage, "mine");
    stage.link.ack(stage.link.last("publish"), 5);
    stage.reconnect();
    stage.link.answer(stage.link.last("subscribe"), { position: at(9), snapshot: { version: 2, state: ["mine", "other"] } });
    expect(state(stage)).toEqual(["mine", "other"]);
  });

  it("STA-5 an ack at a position behind what canonical state has reached is not shown again", () => {
    const stage = new Stage().live({ position: at(9), snapshot: { version: 2, state: ["mine"] } });
    void publish(stage, "mine");
    stage.link.ack(stage.link.last("publish"), 5);
    expect(state(stage)).toEqual(["mine"]);
  });

  it("STA-5 an ack on a channel that is not subscribed is not waited for", () => {
    const stage = new Stage().connect();
    void publish(stage, "mine");
    stage.link.ack(stage.link.last("publish"), 5);
    expect(state(stage)).toEqual([]);
  });

  it("STA-5 in whichever order acks and events come, every note is shown once at every moment", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (ackOrder, ackFirst) => {
        const stage = new Stage().live();
        const texts = ["a", "b", "c", "d"];
        for (const text of texts) void publish(stage, text);
        const sent = stage.link.of("publish");
        const acks = ackOrder.map((index) => () => stage.link.ack(sent[index]!, index + 1));
        const events = texts.map((text, index) => () => stage.link.events("board:1", index + 1, ownNote(index + 1, text)));
        for (const isAck of ackFirst) {
          const next = (isAck ? acks : events).shift() ?? acks.shift() ?? events.shift();
          next?.();
          expect([...(state(stage) ?? [])].toSorted()).toEqual(texts);
          expect(canonical(stage)).toEqual(texts.slice(0, 4 - events.length));
        }
        expect(canonical(stage)).toEqual(texts);
      }),
    );
  });
});

describe("a snapshot", () => {
  it("STA-6 of the state is the same reference until something changed", () => {
    const stage = new Stage().live();
    void publish(stage, "mine");
    const before = state(stage);
    expect(state(stage)).toBe(before);
    stage.link.say({ op: "pong" });
    stage.link.say({ op: "signals", channel: "board:1", signals: [{ type: "cursor:move", payload: { x: 1 }, session: "other" }] });
    expect(state(stage)).toBe(before);
    stage.link.events("board:1", 1, note(1));
    expect(state(stage)).not.toBe(before);
  });

  it("STA-6 of every store is the same reference until something changed", () => {
    const stage = new Stage().live();
    const { client, board } = stage;
    const stores = [client.connection, client.pending, board.status, board.state, board.pending, board.presence, board.typing];
    const before = stores.map((store) => store.getSnapshot());
    stores.forEach((store, index) => expect(store.getSnapshot()).toBe(before[index]));
    void publish(stage, "mine");
    expect(client.pending.getSnapshot()).not.toBe(before[1]);
    expect(board.pending.getSnapshot()).not.toBe(before[4]);
    expect(board.status.getSnapshot()).toBe(before[2]);
  });

  it("STA-6 listeners are told once for the events of one message, when all of them are in", () => {
    const stage = new Stage().live();
    const seen: unknown[] = [];
    const stop = stage.board.state.subscribe(() => seen.push(state(stage)));
    stage.link.events("board:1", 1, ...notes(1, 3));
    expect(seen).toEqual([["note 1", "note 2", "note 3"]]);
    stop();
    stage.link.events("board:1", 4, note(4));
    expect(seen).toHaveLength(1);
  });

  it("STA-6 an event's listener finds the state that the event has made", () => {
    const stage = new Stage().live();
    const seen: unknown[] = [];
    stage.board.on("note:add", () => seen.push(state(stage)));
    stage.link.events("board:1", 1, ...notes(1, 2));
    expect(seen).toEqual([["note 1"], ["note 1", "note 2"]]);
  });
});
