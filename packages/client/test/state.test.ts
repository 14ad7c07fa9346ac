import fc from "fast-check";
import { channel as describeChannel, defineContract } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { createClient, type Rollback } from "../src/index.js";
import { contract } from "./support/contract.js";
import { FakeEnvironment } from "./support/fake-environment.js";
import { at, event, FakeTransport } from "./support/fake-server.js";
import { outcome, Stage } from "./support/stage.js";

const note = (text: string) => ({ text });
const noted = (text: string, eventId = `other:${text}`) => event("note:add", note(text), eventId);
const state = (stage: Stage) => stage.board.state.getSnapshot();
const canonical = (stage: Stage) => stage.board.state.canonical();
const publish = (stage: Stage, text: string) => stage.board.publish("note:add", note(text));

function rollbacksOf(stage: Stage): readonly Rollback[] {
  const rollbacks: Rollback[] = [];
  stage.client.on("rollback", (rollback) => rollbacks.push(rollback));
  return rollbacks;
}

describe("the state of a channel", () => {
  it("STA-1: is the reduction of the snapshot and the events", () => {
    const stage = new Stage().live({ position: at(3), snapshot: { version: 2, state: ["a"] } });
    stage.link.events("board:1", 4, noted("b"), noted("c"));
    expect(stage.board.state.canonical()).toEqual(["a", "b", "c"]);
    expect(stage.board.state.position()).toEqual(at(5));
  });

  it("STA-1: starts from nothing where there is no snapshot", () => {
    expect(new Stage().live().board.state.getSnapshot()).toEqual([]);
  });

  it("STA-2: an event that reduce throws at is skipped and counted", () => {
    const stage = new Stage().live();
    stage.link.events("board:1", 1, noted("a"), noted("poison"), noted("b"));
    expect(stage.board.state.getSnapshot()).toEqual(["a", "b"]);
    expect(stage.board.state.skipped()).toBe(1);
    expect(stage.errors).toEqual(["INTERNAL"]);
    expect(stage.board.state.position()).toEqual(at(3));
  });

  it("STA-2: a pending publish that reduce throws at is not shown", () => {
    const stage = new Stage().live();
    void stage.board.publish("note:add", note("poison"));
    void stage.board.publish("note:add", note("a"));
    expect(stage.board.state.getSnapshot()).toEqual(["a"]);
  });

  it("STA-3: a publish is shown at once, others' events are reduced below it, and its event replaces it", () => {
    const stage = new Stage().live();
    void stage.board.publish("note:add", note("mine"));
    expect([stage.board.state.getSnapshot(), stage.board.state.canonical()]).toEqual([["mine"], []]);
    stage.link.events("board:1", 1, noted("theirs"));
    expect(stage.board.state.getSnapshot()).toEqual(["theirs", "mine"]);
    stage.link.events("board:1", 2, noted("mine", "public:1"));
    expect([stage.board.state.getSnapshot(), stage.board.state.canonical()]).toEqual([["theirs", "mine"], ["theirs", "mine"]]);
  });

  it("STA-3: is shown while offline too, and before the channel is subscribed", () => {
    const stage = new Stage();
    void stage.board.publish("note:add", note("mine"));
    expect(stage.board.state.getSnapshot()).toEqual(["mine"]);
    stage.live({ position: at(1), snapshot: { version: 2, state: ["theirs"] } });
    expect(stage.board.state.getSnapshot()).toEqual(["theirs", "mine"]);
  });

  it("STA-4: a refused publish leaves the state, and is surfaced", async () => {
    const stage = new Stage().live();
    const rollbacks: unknown[] = [];
    stage.client.on("rollback", ({ channel, type, payload, error }) => rollbacks.push([channel, type, payload, error.code]));
    const published = stage.board.publish("note:add", note("mine"));
    stage.link.refuse(stage.link.last("publish"), "CANVAS_LOCKED");
    expect(stage.board.state.getSnapshot()).toEqual([]);
    expect(rollbacks).toEqual([["board:1", "note:add", note("mine"), "CANVAS_LOCKED"]]);
    expect(await outcome(published)).toBe("CANVAS_LOCKED");
  });

  it("STA-5: an ack changes nothing in canonical state, and the publish is shown until its event is there", () => {
    const stage = new Stage().live();
    void stage.board.publish("note:add", note("mine"));
    stage.link.ack(stage.link.last("publish"), 2);
    expect([stage.board.state.canonical(), stage.board.state.getSnapshot()]).toEqual([[], ["mine"]]);
    expect(stage.board.pending.getSnapshot()).toEqual([]);
    stage.link.events("board:1", 1, noted("theirs"));
    expect(stage.board.state.getSnapshot()).toEqual(["theirs", "mine"]);
    stage.link.events("board:1", 2, noted("mine", "public:1"));
    expect(stage.board.state.getSnapshot()).toEqual(["theirs", "mine"]);
  });

  it("STA-5: acks that overtake one another do not change the order that is shown", () => {
    const stage = new Stage().live();
    for (const text of ["one", "two", "three"]) void publish(stage, text);
    const [first, second, third] = stage.link.of("publish");
    for (const [frame, seq] of [[third, 3], [first, 1], [second, 2]] as const) {
      stage.link.ack(frame!, seq);
      expect(state(stage)).toEqual(["one", "two", "three"]);
    }
  });

  it("STA-5: an ack that comes after the event changes nothing", () => {
    const stage = new Stage().live();
    void stage.board.publish("note:add", note("mine"));
    const frame = stage.link.last("publish");
    stage.link.events("board:1", 1, noted("mine", "public:1"));
    stage.link.ack(frame, 1);
    expect(stage.board.state.getSnapshot()).toEqual(["mine"]);
  });

  it("STA-5: what was acked is shown over a reconnect, and once", () => {
    const stage = new Stage().live();
    void stage.board.publish("note:add", note("mine"));
    stage.link.ack(stage.link.last("publish"), 1);
    stage.reconnect();
    expect(stage.board.state.getSnapshot()).toEqual(["mine"]);
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    stage.link.events("board:1", 1, noted("mine", "public:1"));
    expect(stage.board.state.getSnapshot()).toEqual(["mine"]);
  });

  it("STA-5: what was acked before a snapshot is in it, and not shown twice", () => {
    const stage = new Stage().live();
    void stage.board.publish("note:add", note("mine"));
    stage.link.ack(stage.link.last("publish"), 1);
    stage.link.say({ op: "gap", channel: "board:1", start: { position: at(4), gap: { from: at(0), to: at(4) }, snapshot: { version: 2, state: ["mine", "theirs"] } } });
    expect(stage.board.state.getSnapshot()).toEqual(["mine", "theirs"]);
  });

  it("STA-5: an ack in an epoch that the client has left shows nothing that the start of the next one had, or lost", () => {
    const stage = new Stage().live({ position: at(1) });
    void publish(stage, "mine");
    stage.link.say({ op: "gap", channel: "board:1", start: { position: at(2, "e2"), snapshot: { version: 2, state: ["mine"] }, gap: { from: at(1), to: at(2, "e2") } } });
    stage.link.ack(stage.link.last("publish"), 2);
    expect(state(stage)).toEqual(["mine"]);
  });

  it("STA-5: an ack in an epoch that the client has not come to yet keeps the publish shown", () => {
    const stage = new Stage().live({ position: at(9) });
    void stage.board.publish("note:add", note("mine"));
    stage.link.answer(stage.link.last("publish"), { position: at(2, "e2"), eventId: "public:1" });
    stage.link.events("board:1", 10, noted("theirs"));
    expect(stage.board.state.getSnapshot()).toEqual(["theirs", "mine"]);
    stage.link.say({ op: "gap", channel: "board:1", start: { position: at(2, "e2"), gap: { from: at(10), to: at(2, "e2") }, snapshot: { version: 2, state: ["mine"] } } });
    expect(stage.board.state.getSnapshot()).toEqual(["mine"]);
  });

  it("STA-5: where nothing of the channel arrives, a publish settles by its ack alone", () => {
    const stage = new Stage().connect();
    void stage.board.publish("note:add", note("mine"));
    stage.link.ack(stage.link.last("publish"), 1);
    expect(stage.board.state.getSnapshot()).toEqual([]);
  });

  it("STA-6: the snapshot is the same until something changed, and the listeners are told once a message", () => {
    const stage = new Stage().live();
    let changes = 0;
    stage.board.state.subscribe(() => changes++);
    const before = stage.board.state.getSnapshot();
    expect(stage.board.state.getSnapshot()).toBe(before);
    stage.link.events("board:1", 1, noted("a"), noted("b"), noted("c"));
    expect(changes).toBe(1);
    const after = stage.board.state.getSnapshot();
    expect(after).not.toBe(before);
    stage.link.say({ op: "pong" });
    expect(stage.board.state.getSnapshot()).toBe(after);
    expect(stage.board.pending.getSnapshot()).toBe(stage.board.pending.getSnapshot());
    expect(stage.client.pending.getSnapshot()).toBe(stage.client.pending.getSnapshot());
  });

  it("STA-7: an event of a type that the contract does not have moves the position and nothing else", () => {
    const stage = new Stage().live();
    const everything: string[] = [];
    stage.client.onAny(({ type }) => everything.push(type));
    stage.link.events("board:1", 1, event("v2:note.added", { any: 1 }, "other:1"), event("constructor", {}, "other:2"));
    expect(stage.board.state.getSnapshot()).toEqual([]);
    expect(stage.board.state.position()).toEqual(at(2));
    expect([everything, stage.errors]).toEqual([[], []]);
  });

  it("a payload against the contract surfaces, moves the position, and is reduced as the server did", () => {
    const stage = new Stage().live();
    const heard: unknown[] = [];
    stage.board.on("note:add", (received) => heard.push(received));
    stage.link.events("board:1", 1, event("note:add", { text: 5 }, "other:1"));
    expect(stage.board.state.getSnapshot()).toEqual([5]);
    expect(heard).toEqual([]);
    expect(stage.board.state.position()).toEqual(at(1));
  });

  it("PAYLOAD_INVALID: a payload against the contract is an error of the client", async () => {
    const stage = new Stage().live();
    stage.link.events("board:1", 1, event("note:add", { text: 5 }, "other:1"));
    await outcome(Promise.resolve());
    expect(stage.errors).toEqual(["PAYLOAD_INVALID"]);
  });

  it("STA-9: a snapshot of an older version is migrated, and reduced from there", () => {
    const stage = new Stage().live({ position: at(1), snapshot: { version: 1, state: ["a"] } });
    stage.link.events("board:1", 2, noted("b"));
    expect(stage.board.state.getSnapshot()).toEqual(["old a", "b"]);
  });

  it("STA-9: VERSION_UNSUPPORTED: a snapshot of a newer version surfaces, and the state stands still until one fits", () => {
    const stage = new Stage().live({ position: at(1), snapshot: { version: 2, state: ["a"] } });
    stage.link.say({ op: "gap", channel: "board:1", start: { position: at(5), gap: { from: at(1), to: at(5) }, snapshot: { version: 3, state: ["newer"] } } });
    stage.link.events("board:1", 6, noted("b"));
    expect(stage.errors).toEqual(["VERSION_UNSUPPORTED"]);
    expect(stage.board.state.getSnapshot()).toEqual(["a"]);
    stage.link.say({ op: "gap", channel: "board:1", start: { position: at(9), gap: { from: at(6), to: at(9) }, snapshot: { version: 2, state: ["c"] } } });
    stage.link.events("board:1", 10, noted("d"));
    expect(stage.board.state.getSnapshot()).toEqual(["c", "d"]);
  });

  it("a channel without state has none", () => {
    const stage = new Stage();
    const feed = stage.client.channel("feed:{id}", { id: "1" });
    expect(feed.state.getSnapshot()).toBeUndefined();
    expect(feed.state.canonical()).toBeUndefined();
  });

  it("STA-5: in whichever order acks and events arrive, every publish is shown exactly once all the time", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("publish", "ack", "event", "other"), { maxLength: 40 }), (acts) => {
        const stage = new Stage({ heartbeatIntervalMs: 10_000_000 }).live();
        const log: { readonly text: string; readonly eventId: string }[] = [];
        let made = 0;
        let landed = 0;
        let acked = 0;
        let delivered = 0;
        const positions: number[] = [];
        /** The server appends the next publish that it has, if any. */
        const land = (): void => {
          if (landed === made) return;
          landed++;
          log.push({ text: `mine ${landed}`, eventId: `public:${landed}` });
          positions.push(log.length);
        };
        for (const act of acts) {
          if (act === "publish") void stage.board.publish("note:add", note(`mine ${++made}`));
          if (act === "other") log.push({ text: `other ${log.length}`, eventId: `other:${log.length}` });
          if (act === "ack" && acked < made) {
            if (acked === landed) land();
            stage.link.ack(stage.link.of("publish")[acked]!, positions[acked]!);
            acked++;
          }
          if (act === "event") {
            if (delivered === log.length) land();
            const next = log[delivered];
            if (next !== undefined) stage.link.events("board:1", ++delivered, noted(next.text, next.eventId));
          }
          const shown = stage.board.state.getSnapshot().filter((text) => text.startsWith("mine"));
          expect(shown).toEqual(Array.from({ length: made }, (_, index) => `mine ${index + 1}`));
          expect(stage.board.state.canonical()).toEqual(log.slice(0, delivered).map(({ text }) => text));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("STA-1: canonical state is kept over a reconnect that goes on, and replaced by a snapshot of one that does not", () => {
    const stage = new Stage().live();
    stage.link.events("board:1", 1, noted("note 1"));
    stage.reconnect();
    stage.link.answer(stage.link.last("subscribe"), { position: at(1) });
    expect(canonical(stage)).toEqual(["note 1"]);
    stage.environment.pass(5_000);
    stage.reconnect();
    stage.link.answer(stage.link.last("subscribe"), { position: at(50), snapshot: { version: 2, state: ["fifty"] } });
    expect(canonical(stage)).toEqual(["fifty"]);
  });

  it("STA-1: canonical state goes on from what it was where a gap comes without a snapshot", () => {
    const stage = new Stage().live();
    stage.link.events("board:1", 1, noted("note 1"));
    stage.link.say({ op: "gap", channel: "board:1", start: { position: at(9), gap: { from: at(1), to: at(9) } } });
    stage.link.events("board:1", 10, noted("note 10"));
    expect(canonical(stage)).toEqual(["note 1", "note 10"]);
  });

  it("STA-9: VERSION_UNSUPPORTED: a snapshot whose migration throws surfaces and stands still", () => {
    const stage = new Stage().live({ position: at(2), snapshot: { version: 1, state: 5 } });
    stage.link.events("board:1", 3, noted("note 3"));
    expect(stage.errors).toEqual(["VERSION_UNSUPPORTED"]);
    expect(canonical(stage)).toEqual([]);
  });

  it("STA-9: VERSION_UNSUPPORTED: so does an older one that nothing migrates", () => {
    const { channels } = contract.definition;
    const withoutMigrate = { version: 2, initial: [], reduce: () => ["reduced"] };
    const unmigrated = defineContract({ channels: { ...channels, "board:{id}": { ...channels["board:{id}"], state: withoutMigrate } }, calls: contract.definition.calls });
    const stage = new Stage({ contract: unmigrated });
    stage.live({ position: at(2), snapshot: { version: 1, state: ["note 2"] } });
    stage.link.events("board:1", 3, noted("note 3"));
    expect(stage.errors).toEqual(["VERSION_UNSUPPORTED"]);
    expect(canonical(stage)).toEqual([]);
  });

  it("STA-2: an event that is skipped is told of, as any other", () => {
    const stage = new Stage().live();
    const texts: string[] = [];
    stage.board.on("note:add", ({ payload }) => texts.push(payload.text));
    stage.link.events("board:1", 1, noted("note 1"), noted("poison"), noted("note 3"));
    expect(canonical(stage)).toEqual(["note 1", "note 3"]);
    expect(stage.board.state.skipped()).toBe(1);
    expect(stage.board.state.position()).toMatchObject(at(3));
    expect(stage.errors).toEqual(["INTERNAL"]);
    expect(texts).toEqual(["note 1", "poison", "note 3"]);
  });

  it("STA-3: a publish is replaced by its event, as the server has made it", () => {
    const stage = new Stage().live();
    void publish(stage, "mine");
    void publish(stage, "mine too");
    stage.link.events("board:1", 1, noted("as the server says", "public:1"));
    expect(state(stage)).toEqual(["as the server says", "mine too"]);
  });

  it("STA-3: a publish is reduced with the id and the user that its event will have", () => {
    const seen: unknown[] = [];
    const watched = defineContract({
      channels: {
        "board:{id}": describeChannel({
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

  it("STA-4: a publish that is refused for now stays shown", () => {
    const stage = new Stage().live();
    const rollbacks = rollbacksOf(stage);
    void publish(stage, "mine");
    stage.link.refuse(stage.link.last("publish"), "UNAVAILABLE");
    expect(state(stage)).toEqual(["mine"]);
    expect(rollbacks).toEqual([]);
  });

  it("STA-4: a publish whose outcome is unknown is taken back too, and so is what is open at the end", async () => {
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

  it("STA-5: an ack at a position behind what canonical state has reached is not shown again", () => {
    const stage = new Stage().live({ position: at(9), snapshot: { version: 2, state: ["mine"] } });
    void publish(stage, "mine");
    stage.link.ack(stage.link.last("publish"), 5);
    expect(state(stage)).toEqual(["mine"]);
  });

  it("STA-6: the snapshot of every store is the same reference until something changed", () => {
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

  it("STA-6: an event's listener finds the state that the event has made", () => {
    const stage = new Stage().live();
    const seen: unknown[] = [];
    stage.board.on("note:add", () => seen.push(state(stage)));
    stage.link.events("board:1", 1, noted("note 1"), noted("note 2"));
    expect(seen).toEqual([["note 1"], ["note 1", "note 2"]]);
  });
});
