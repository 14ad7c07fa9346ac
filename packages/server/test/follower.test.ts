import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryBroker, type AppendRequest, type Broker, type EventRun } from "@tutti/server";
import { boundBroker } from "@tutti/testkit";
import { following, room, text, textsOf } from "./support/following.js";
import { ManualEnvironment } from "./support/manual-environment.js";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const board = "board:1";

describe("what the bus loses", () => {
  it("REC-5 is read from the log when the next event shows the hole", async () => {
    const { world, peer, publish, lose } = await following();
    await publish("one");
    await lose("two", "three");
    await publish("four");
    await world.settle();
    expect(textsOf(peer)).toEqual(["one", "two", "three", "four"]);
  });

  it("REC-5 is read also where it was the first event of a channel", async () => {
    const { world, peer, publish, lose } = await following();
    await lose("one");
    await publish("two");
    await world.settle();
    expect(textsOf(peer)).toEqual(["one", "two"]);
  });

  it("REC-5 is read again after a pause where the log cannot be read", async () => {
    const { world, peer, publish, lose, pass } = await following();
    await lose("one");
    world.broker.failNext("read");
    world.broker.failNext("read");
    await publish("two");
    await world.settle();
    expect(textsOf(peer)).toEqual([]);
    await publish("three");
    await pass(1_000);
    expect(textsOf(peer)).toEqual([]);
    await pass(1_000);
    expect(textsOf(peer)).toEqual(["one", "two", "three"]);
  });

  it("REC-5 is taken once and in order where the bus repeats and reorders", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom("deliver", "lose", "hold", "release", "repeat"), { minLength: 1, maxLength: 30 }), async (fates) => {
        const inner = memoryBroker();
        const late: (() => void)[] = [];
        let fate = "deliver";
        const { world, peer, publish, pass } = await following({
          broker: {
            ...boundBroker(inner),
            subscribe: (channel, listener) =>
              inner.subscribe(channel, (run) => {
                if (fate === "hold") late.push(() => listener(run));
                else if (fate !== "lose") listener(run);
                if (fate === "repeat") listener(run);
              }),
          },
        });
        for (const [index, each] of fates.entries()) {
          fate = each;
          if (each === "release") late.shift()?.();
          await publish(`${index}`);
          if (index % 3 === 0) await world.environment.tick();
        }
        for (const deliver of late) deliver();
        await pass(21_000);
        expect(textsOf(peer)).toEqual(fates.map((_, index) => `${index}`));
      }),
      { numRuns: 60 },
    );
  });

  /** A room whose log loses what came after "one", and goes on in the same epoch; `deliver` says what is delivered of that. */
  async function followingLossy(deliver: (run: EventRun, listener: (run: EventRun) => void) => void) {
    class SameEpoch extends ManualEnvironment {
      override id(): string {
        return "always the same";
      }
    }
    const [before, after] = [memoryBroker({ environment: new SameEpoch() }), memoryBroker({ environment: new SameEpoch() })];
    const appended: AppendRequest[] = [];
    const listeners: ((run: EventRun) => void)[] = [];
    let log = before;
    const broker: Broker = {
      ...boundBroker(before),
      read: (...asked) => log.read(...asked),
      head: (...asked) => log.head(...asked),
      heads: (...asked) => log.heads(...asked),
      subscribe: (channel, listener) => {
        listeners.push(listener);
        return before.subscribe(channel, listener);
      },
      append: (channel, request) => {
        appended.push(request);
        return log.append(channel, request);
      },
    };
    const room1 = await following({ broker });
    await room1.publish("one", "lost");
    for (const request of appended.slice(0, 1)) await after.append(room, request);
    for (const listener of listeners) await after.subscribe(room, (run) => deliver(run, listener));
    log = after;
    return room1;
  }

  it("REC-3 is told as a gap where the log lost its tail and went on in the same epoch", async () => {
    const { world, peer, publish } = await followingLossy((run, listener) => listener(run));
    await publish("two", "three");
    await world.settle();
    expect(textsOf(peer)).toEqual(["one", "lost", "three"]);
    expect(peer.of("gap").map(({ start }) => start)).toMatchObject([{ position: { seq: 2 }, gap: { from: { seq: 2 }, to: { seq: 2 } } }]);
  });

  it("REC-3 is told as a gap, too, where only the id of the event before shows it, which the broker names", async () => {
    let before = "";
    const { world, peer, publish } = await followingLossy((run, listener) => {
      // What stands where the last one was is not delivered.
      if (run.events[0]?.seq !== 2) listener({ ...run, before });
      before = run.events[0]?.eventId ?? "";
    });
    await publish("two", "three");
    await world.settle();
    await publish("four");
    await world.settle();
    expect(textsOf(peer)).toEqual(["one", "lost", "four"]);
    expect(peer.of("gap").map(({ start }) => start)).toMatchObject([{ gap: { from: { seq: 2 }, to: { seq: 3 } } }]);
  });

  it("REC-5 costs no look at the log where the bus only repeats", async () => {
    const inner = memoryBroker();
    const runs: EventRun[] = [];
    const twice = (listener: (run: EventRun) => void) => (run: EventRun) => {
      runs.push(run);
      listener(run);
      listener({ epoch: run.epoch, events: runs.flatMap(({ events }) => events) });
    };
    const { world, peer, publish } = await following({ broker: { ...boundBroker(inner), subscribe: (channel, listener) => inner.subscribe(channel, twice(listener)) } });
    const before = world.broker.countOf("read");
    await publish("one", "two", "three");
    await world.settle();
    expect(textsOf(peer)).toEqual(["one", "two", "three"]);
    expect(world.broker.countOf("read")).toBe(before);
  });

  it("REC-5 what is appended while the channel opens is heard, or read, and not both", async () => {
    const world = new World({ contract: rooms });
    const handle = world.server.channel("board:{id}", { id: "1" });
    await handle.publish("note:add", text("before"));
    const peer = await world.peer();
    const release = world.broker.holdNext("read");
    const id = peer.request({ op: "subscribe", channel: board });
    await world.settle();
    await handle.publish("note:add", text("meanwhile"));
    release();
    await world.settle();
    expect(peer.replyTo(id)?.data).toMatchObject({ snapshot: { state: ["before", "meanwhile"] } });
    await handle.publish("note:add", text("after"));
    await world.settle();
    expect(textsOf(peer, board)).toEqual(["after"]);
  });
});

describe("catching up", () => {
  it("REC-5 takes what came while the end of the log was on its way", async () => {
    const { world, peer, publish, lose } = await following();
    await lose("one");
    const answers = [world.broker.holdAnswerOfNext("read"), world.broker.holdAnswerOfNext("read")];
    await publish("two");
    answers[0]?.();
    await world.settle();
    await publish("three");
    answers[1]?.();
    await world.settle();
    expect(textsOf(peer)).toEqual(["one", "two", "three"]);
  });

  it("REC-5 is not tried again by a channel that was closed meanwhile", async () => {
    const { world, publish, lose } = await following();
    await lose("one");
    const answer = world.broker.holdAnswerOfNext("read");
    await publish("two");
    await world.settle();
    await world.server.close();
    answer(true);
    await world.settle();
    expect(world.environment.timerCount).toBe(0);
    expect(world.log.warnings).toEqual([]);
  });
});

describe("a node that opens a channel", () => {
  it("REC-5 reads what was appended since it asked for the head", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    const answer = world.broker.holdAnswerOfNext("head");
    peer.request({ op: "subscribe", channel: room });
    await world.settle();
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("meanwhile"));
    answer();
    await world.settle();
    const [start] = peer.of("reply");
    const missed = Object(start?.data).position.seq === 0 ? ["meanwhile"] : [];
    expect(textsOf(peer)).toEqual(missed);
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("after"));
    await world.settle();
    expect(textsOf(peer)).toEqual([...missed, "after"]);
    expect(world.server.stats().channels).toBe(1);
    expect((await world.server.channel("room:{id}", { id: "1" }).state()).position.seq).toBe(2);
  });
});

describe("a subscription that waits for its node", () => {
  /** The node follows a log that is gone; three clients have seen the head of the new one, and the node's own reads meet `obstacle`. */
  async function waiting(obstacle: () => Promise<void>) {
    const world = new World({ contract: rooms });
    await (await world.peer()).subscribe(room);
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("old"));
    await world.settle();
    const { epoch } = (await world.broker.inner.head(room)).position;
    world.broker.inner = memoryBroker({ environment: world.environment });
    const { position } = await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("new"));
    let reads = 0;
    const read = world.broker.read.bind(world.broker);
    world.broker.read = async (channel, after, options) => {
      // Without a bound a loop that does not wait would never let the test end.
      if (++reads > 1_000) throw new Error("asked again and again");
      if (after.epoch === epoch) await obstacle();
      return read(channel, after, options);
    };
    const timers = world.environment.timerCount;
    const peers = [await world.peer(), await world.peer(), await world.peer()];
    const [first, second, late] = peers;
    const subscribe = (peer: Peer | undefined) => peer?.request({ op: "subscribe", channel: room, since: position });
    for (const peer of [first, second]) subscribe(peer);
    await world.settle();
    subscribe(late);
    await world.settle();
    const goOn = async (): Promise<void> => {
      await world.advance(3_000);
      await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("newer"));
      await world.advance(21_000);
      for (const peer of peers) expect(textsOf(peer)).toEqual(["newer"]);
      expect(world.environment.timerCount).toBe(timers);
    };
    return { reads: () => reads, timers: () => world.environment.timerCount - timers, goOn };
  }

  it("REC-8 asks again after a pause where the node cannot read now", async () => {
    let isDown = true;
    const { reads, timers, goOn } = await waiting(async () => {
      if (isDown) throw new Error("not now");
    });
    expect(reads()).toBeLessThan(10);
    // One for the node, and one for each of the three.
    expect(timers()).toBe(4);
    isDown = false;
    await goOn();
  });

  it("REC-8 waits while the node reads", async () => {
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    const { reads, goOn } = await waiting(() => gate);
    expect(reads()).toBeLessThan(10);
    release();
    await goOn();
  });
});

describe("a log that is not the one it was", () => {
  it("REC-3 tells running subscriptions of a gap where the broker lost its data", async () => {
    const { world, peer, publish, pass } = await following();
    await publish("one", "two");
    await world.settle();
    const [, second] = peer.eventsOf(room);
    world.broker.inner = memoryBroker({ environment: world.environment });
    await world.broker.inner.append(room, { event: { eventId: "new-1", type: "note:add", payload: text("anew"), timestamp: 0 } });
    await pass(21_000);
    const { position } = await world.broker.inner.head(room);
    const from = { epoch: second!.epoch, seq: 2 };
    expect(peer.of("gap")).toEqual([{ op: "gap", channel: room, start: { position: { ...position, eventId: "new-1" }, gap: { from, to: position } } }]);
    expect(position.epoch).not.toBe(from.epoch);
  });

  it("REC-3 brings the state of the new log with it, where the channel has state", async () => {
    const { world, peer, pass } = await following();
    await peer.subscribe(board);
    const handle = world.server.channel("board:{id}", { id: "1" });
    await handle.publish("note:add", text("old"));
    await world.settle();
    world.broker.inner = memoryBroker({ environment: world.environment });
    await handle.publish("note:add", text("new"));
    await pass(21_000);
    const { position } = await world.broker.inner.head(board);
    expect(peer.of("gap").filter(({ channel }) => channel === board)).toMatchObject([
      { start: { position, gap: { to: position }, snapshot: { version: 1, state: ["new"] } } },
    ]);
    expect((await handle.state()).state).toEqual(["new"]);
  });

  it("REC-3 does not take an event of another epoch for the next one, though its place is", async () => {
    const { world, peer, publish } = await following();
    await publish("one");
    await world.settle();
    const [seen] = peer.eventsOf(room);
    world.broker.inner = memoryBroker({ environment: world.environment });
    await publish("anew");
    const before = (await world.broker.inner.head(room)).position;
    await publish("two");
    const page = await world.broker.inner.read(room, before, { countMax: 1 });
    if (page.outcome === "page") world.broker.bring(page.run);
    await world.settle();
    const { position, eventId } = await world.broker.inner.head(room);
    const from = { epoch: seen!.epoch, seq: 1 };
    expect(peer.of("gap").map(({ start }) => start)).toEqual([{ position: { ...position, eventId }, gap: { from, to: position } }]);
    expect(textsOf(peer)).toEqual(["one"]);
  });

  it("REC-3 sees that a log of the same epoch lost its tail and went on", async () => {
    const environment = Object.assign(new ManualEnvironment(), { id: () => "the-same-epoch-and-more" });
    const { world, peer, publish, pass } = await following({ broker: memoryBroker({ environment }) });
    await publish("one", "two");
    await world.settle();
    const [, second] = peer.eventsOf(room);
    world.broker.inner = memoryBroker({ environment });
    await publish("one", "another two", "three");
    await pass(21_000);
    const { position, eventId } = await world.broker.inner.head(room);
    expect(position.epoch).toBe(second!.epoch);
    expect(peer.of("gap").map(({ start }) => start)).toEqual([{ position: { ...position, eventId }, gap: { from: { epoch: position.epoch, seq: 2 }, to: position } }]);
    expect(textsOf(peer)).toEqual(["one", "two"]);
  });

  it("REC-3 goes on from the floor where history was trimmed past what the node had taken", async () => {
    const { world, peer, publish, lose } = await following();
    await publish("one");
    await lose("two", "three");
    const { position } = await world.broker.inner.head(room);
    await world.broker.inner.trim(room, { ...position, seq: 2 });
    await publish("four");
    await world.settle();
    const { position: { epoch }, floorEventId } = await world.broker.inner.head(room);
    expect(peer.of("gap").map(({ start }) => start)).toEqual([{ position: { epoch, seq: 2, eventId: floorEventId }, gap: { from: { epoch, seq: 1 }, to: { epoch, seq: 2 } } }]);
    expect(textsOf(peer)).toEqual(["one", "three", "four"]);
    expect(peer.frames.map(({ op }) => op).slice(-3)).toEqual(["events", "gap", "events"]);
  });

  it("REC-3 a subscription that starts while the node still follows the old log ends up in the new one", async () => {
    const { world, peer, pass } = await following();
    const handle = world.server.channel("board:{id}", { id: "1" });
    await peer.subscribe(board);
    await handle.publish("note:add", text("old"));
    await world.settle();
    world.broker.inner = memoryBroker({ environment: world.environment });
    const { position } = await handle.publish("note:add", text("new"));
    await handle.publish("note:add", text("newer"));
    const late = await world.peer();
    late.request({ op: "subscribe", channel: board, since: position });
    await world.settle();
    expect(textsOf(late, board)).toEqual(["newer"]);
    await handle.publish("note:add", text("newest"));
    await pass(21_000);
    expect(textsOf(late, board)).toEqual(["newer", "newest"]);
    expect(late.of("gap")).toEqual([]);
    expect((await handle.state()).state).toEqual(["new", "newer", "newest"]);
  });

  it("REC-3 a replay that loses its log on the way starts over from the new state, once", async () => {
    const { world, peer } = await following();
    const handle = world.server.channel("board:{id}", { id: "1" });
    await peer.subscribe(board);
    const { position } = await handle.publish("note:add", text("one"));
    await handle.publish("note:add", text("two"));
    await world.settle();
    const late = await world.peer();
    // The first read finds the start in the old log; the second one meets the new log.
    let reads = 0;
    const read = world.broker.read.bind(world.broker);
    world.broker.read = async (...asked) => {
      if (++reads === 2) {
        world.broker.inner = memoryBroker({ environment: world.environment });
        await handle.publish("note:add", text("new"));
      }
      return read(...asked);
    };
    late.request({ op: "subscribe", channel: board, since: position });
    await world.settle();
    const { position: head, eventId } = await world.broker.inner.head(board);
    expect(late.of("gap").map(({ start }) => start)).toEqual([{ position: { ...head, eventId }, gap: { from: position, to: head }, snapshot: { version: 1, state: ["new"] } }]);
  });
});
