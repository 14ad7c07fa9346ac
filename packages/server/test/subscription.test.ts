import type { LastSeen, Position } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { memoryBroker } from "@tutti/server";
import { room, text, textsOf } from "./support/following.js";
import { append, appendSeen, expectChain, placeOf } from "./support/history.js";
import { jumpingBroker } from "./support/jumping-broker.js";
import { ManualEnvironment } from "./support/manual-environment.js";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

describe("recovery", () => {
  it("REC-1 shows positions that rise, with nothing left out", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    const start = await peer.subscribe(room);
    for (let batch = 0; batch < 5; batch++) {
      await append(world, ...Array.from({ length: batch }, (_, index) => `${batch}.${index}`));
      await world.settle();
    }
    const events = peer.eventsOf(room);
    expect(events.length).toBe(10);
    expectChain(start.position, events);
  });

  it("REC-1 goes by what the broker says of its positions, and not by their distance", async () => {
    const world = new World({ contract: rooms, snapshotEvery: 2, namespaces: { board: { history: { countMin: 1, ageMsMin: 0 } } }, broker: jumpingBroker(memoryBroker()) });
    const peer = await world.peer();
    const { position } = await peer.subscribe(room);
    await append(world, "one", "two");
    await world.settle();
    await append(world, "three");
    await world.settle();
    expectChain(position, peer.eventsOf(room));
    const seqs = peer.eventsOf(room).map(({ seq }) => seq);
    expect(seqs).toEqual([7, 14, 21]);

    const late = await world.peer();
    await late.subscribe(room, { since: { ...position, seq: 7 } });
    world.broker.loses = () => true;
    await append(world, "four");
    world.broker.loses = () => false;
    await append(world, "five");
    await world.settle();
    expectChain({ ...position, seq: 7 }, late.eventsOf(room));
    expect(textsOf(late)).toEqual(["two", "three", "four", "five"]);

    const board = world.server.channel("board:{id}", { id: "1" });
    await (await world.peer()).subscribe("board:1");
    for (const each of ["a", "b", "c", "d", "e"]) {
      await board.publish("note:add", text(each));
      await world.advance(10);
    }
    expect(await board.state()).toMatchObject({ position: { seq: 35 }, state: ["a", "b", "c", "d", "e"] });
  });

  it("REC-2 gets every event after the position, once, then live ones", async () => {
    const world = new World({ contract: rooms });
    const [, second] = await append(world, "one", "two", "three", "four");
    const peer = await world.peer();
    const start = await peer.subscribe(room, { since: second! });
    expect(start).toEqual({ position: second });
    await append(world, "five");
    await world.settle();
    expect(textsOf(peer)).toEqual(["three", "four", "five"]);
    expectChain(start.position, peer.eventsOf(room));
  });

  it("REC-2 has nothing to replay at the head", async () => {
    const world = new World({ contract: rooms });
    const [, last] = await append(world, "one", "two");
    const peer = await world.peer();
    expect(await peer.subscribe(room, { since: last! })).toEqual({ position: last });
    expect(peer.of("events")).toEqual([]);
  });

  it("REC-2 joins what was appended while history was read", async () => {
    const world = new World({ contract: rooms });
    const [first] = await append(world, "one", "two");
    const live = await world.peer();
    await live.subscribe(room);
    const peer = await world.peer();
    const id = peer.request({ op: "subscribe", channel: room, since: first! });
    const release = world.broker.holdNext("read");
    await world.environment.tick();
    await append(world, "three");
    release();
    await world.environment.tick();
    await append(world, "four");
    await world.settle();
    expect(peer.replyTo(id)?.success).toBe(true);
    expect(textsOf(peer)).toEqual(["two", "three", "four"]);
    expect(textsOf(live)).toEqual(["three", "four"]);
  });

  it("REC-2 is not ahead of itself where it has read what the node has not heard of", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    const live = await world.peer();
    await live.subscribe(room);
    const [first] = await append(world, "one");
    world.broker.loses = () => true;
    await append(world, "two", "three");
    world.broker.loses = () => false;
    await peer.subscribe(room, { since: first! });
    expect(textsOf(peer)).toEqual(["two", "three"]);
    await append(world, "four");
    await world.settle();
    for (const each of [peer, live]) expectChain({ epoch: first!.epoch, seq: each === peer ? 1 : 0 }, each.eventsOf(room));
    expect(textsOf(peer)).toEqual(["two", "three", "four"]);
    expect(textsOf(live)).toEqual(["one", "two", "three", "four"]);
  });

  it("REC-2 does not take what was kept for an earlier replay for all that came since", async () => {
    const world = new World({ contract: rooms });
    const [base] = await append(world, "base");
    const [earlier, later] = [await world.peer(), await world.peer()];
    const subscribe = async (peer: Peer, meanwhile: string): Promise<void> => {
      const release = world.broker.holdNext("read");
      peer.request({ op: "subscribe", channel: room, since: base! });
      await world.settle();
      await append(world, meanwhile);
      release();
      await world.settle();
    };
    await subscribe(earlier, "one");
    await append(world, "two");
    await subscribe(later, "three");
    expect(textsOf(later)).toEqual(["one", "two", "three"]);
    expectChain(base!, later.eventsOf(room));
  });

  it("REC-2 does not read again what the node kept for it", async () => {
    const world = new World({ contract: rooms });
    const [base] = await append(world, "base", "one");
    const peer = await world.peer();
    const release = world.broker.holdNext("subscribe");
    peer.request({ op: "subscribe", channel: room, since: base! });
    await world.settle();
    release();
    const hold = world.broker.holdNext("read");
    await world.settle();
    const start = world.broker.countOf("read");
    hold();
    const page = world.broker.holdAnswerOfNext("read");
    await world.settle();
    await append(world, "two", "three");
    page();
    await world.settle();
    expect(textsOf(peer)).toEqual(["one", "two", "three"]);
    expect(world.broker.countOf("read")).toBe(start + 1);
  });

  it("REC-2 goes on after a pause where history cannot be read for a while", async () => {
    const world = new World({ contract: rooms });
    const [first] = await append(world, "one", "two");
    const peer = await world.peer();
    const release = world.broker.holdNext("read");
    peer.request({ op: "subscribe", channel: room, since: first! });
    await world.settle();
    world.broker.failNext("read");
    release();
    await world.settle();
    expect(textsOf(peer)).toEqual([]);
    await append(world, "three");
    await world.advance(1_000);
    expect(textsOf(peer)).toEqual(["two", "three"]);
    expect(world.log.warnings).toEqual(["reading history failed, trying again"]);
  });

  it("REC-2 leaves no timer behind where the connection ends in such a pause", async () => {
    const world = new World({ contract: rooms });
    const [first] = await append(world, "one", "two");
    const before = world.environment.timerCount;
    const peer = await world.peer();
    const release = world.broker.holdNext("read");
    peer.request({ op: "subscribe", channel: room, since: first! });
    await world.settle();
    world.broker.failNext("read");
    release();
    await world.settle();
    expect(world.environment.timerCount).toBe(before + 1);
    peer.drop();
    await world.settle();
    expect(world.environment.timerCount).toBe(before);
    await world.advance(32_000);
    expect(world.server.stats().channels).toBe(0);
  });
});

describe("a gap", () => {
  /** A room whose log has the positions from `floor` on. */
  async function trimmed(floor: number, total: number) {
    const world = new World({ contract: rooms });
    const seen = await appendSeen(world, ...Array.from({ length: total }, (_, index) => `${index + 1}`));
    const positions = seen.map(placeOf);
    await world.broker.inner.trim(room, { ...positions[0]!, seq: floor });
    return { world, positions, seen };
  }

  it("REC-11 is told with the event at the position where it goes on, as is any start", async () => {
    const { world, seen } = await trimmed(3, 5);
    const startOf = async (from: object): Promise<LastSeen> => {
      const peer = await world.peer();
      const { position } = await peer.subscribe(room, from);
      peer.drop();
      return position;
    };
    expect(await startOf({ since: seen[0] })).toEqual(seen[2]);
    expect(await startOf({ since: { epoch: "foreign", seq: 9 } })).toEqual(seen[4]);
    expect(await startOf({ since: seen[3] })).toEqual(seen[3]);
    expect(await startOf({ rewind: { count: 1 } })).toEqual(seen[3]);
    expect(await startOf({ rewind: { count: 5 } })).toEqual(seen[2]);
    expect(await startOf({})).toEqual(seen[4]);
    await world.broker.inner.trim(room, seen[4]!);
    await world.advance(32_000);
    expect(world.server.stats().channels).toBe(0);
    expect(await startOf({})).toEqual(seen[4]);
  });

  it("REC-3 is one for who saw another event at the floor", async () => {
    const { world, positions, seen } = await trimmed(3, 5);
    const peer = await world.peer();
    const start = await peer.subscribe(room, { since: { ...positions[2]!, eventId: "another" } });
    expect(start).toEqual({ position: seen[4], gap: { from: positions[2], to: positions[4] } });
  });

  it("REC-3 below the floor goes on from the floor", async () => {
    const { world, positions, seen } = await trimmed(3, 5);
    const peer = await world.peer();
    expect(await peer.subscribe(room, { since: positions[0]! })).toEqual({ position: seen[2], gap: { from: positions[0], to: positions[2] } });
    expect(textsOf(peer)).toEqual(["4", "5"]);
  });

  it.each([
    ["of a foreign epoch", (head: Position) => ({ epoch: "foreign", seq: head.seq })],
    ["from the future", (head: Position) => ({ ...head, seq: head.seq + 7 })],
    ["with another event than the one seen there", (head: Position) => ({ ...head, seq: 2, eventId: "another" })],
  ])("REC-3 %s goes on from the head", async (_, make) => {
    const { world, positions, seen } = await trimmed(0, 4);
    const head = positions[3]!;
    const since = make(head);
    const peer = await world.peer();
    expect(await peer.subscribe(room, { since })).toEqual({ position: seen[3], gap: { from: { epoch: since.epoch, seq: since.seq }, to: head } });
    await append(world, "5");
    await world.settle();
    expect(textsOf(peer)).toEqual(["5"]);
  });

  it("REC-3 is none where the event seen there is the one that stands there", async () => {
    const world = new World({ contract: rooms });
    const { position, eventId } = await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("one"));
    const peer = await world.peer();
    expect((await peer.subscribe(room, { since: { ...position, eventId } })).gap).toBeUndefined();
  });

  it("REC-3 brings the snapshot of a channel with state", async () => {
    const world = new World({ contract: rooms });
    const handle = world.server.channel("board:{id}", { id: "1" });
    await handle.publish("note:add", text("one"));
    const { position, eventId } = await handle.publish("note:add", text("two"));
    const peer = await world.peer();
    const from = { epoch: "foreign", seq: 9 };
    expect(await peer.subscribe("board:1", { since: from })).toEqual({ position: { ...position, eventId }, gap: { from, to: position }, snapshot: { version: 1, state: ["one", "two"] } });
    await handle.publish("note:add", text("three"));
    await world.settle();
    expect(peer.payloadsOf("board:1")).toEqual([text("three")]);
  });

  it("REC-3 that opens while history is read is told in a frame of its own", async () => {
    const { world, positions, seen } = await trimmed(0, 5);
    const peer = await world.peer();
    // The first read finds the start, the second one finds that it is gone.
    const release = world.broker.holdNext("subscribe");
    const id = peer.request({ op: "subscribe", channel: room, since: positions[0]! });
    await world.settle();
    release();
    let reads = 0;
    const read = world.broker.read.bind(world.broker);
    world.broker.read = async (...asked) => {
      if (++reads === 2) await world.broker.inner.trim(room, positions[2]!);
      return read(...asked);
    };
    await world.settle();
    expect(peer.replyTo(id)?.data).toEqual({ position: positions[0] });
    expect(peer.of("gap")).toEqual([{ op: "gap", channel: room, start: { position: seen[2], gap: { from: positions[0], to: positions[2] } } }]);
    expect(textsOf(peer)).toEqual(["4", "5"]);
  });
});

describe("a subscription that has read further than its node has heard", () => {
  /** The node has heard of one; the log has two and three too, and the peer has read them there. */
  async function ahead(broker = memoryBroker()) {
    const world = new World({ contract: rooms, outboxBytesMax: 2_000, broker });
    await (await world.peer()).subscribe(room);
    const [first] = await append(world, "one");
    world.broker.loses = () => true;
    await append(world, "two", "three");
    world.broker.loses = () => false;
    const peer = await world.peer();
    await peer.subscribe(room, { since: first! });
    expect(textsOf(peer)).toEqual(["two", "three"]);
    return { world, peer, first: first! };
  }

  it("REC-2 goes on after what it has read", async () => {
    const { world, peer, first } = await ahead();
    await append(world, "four", "five");
    await world.settle();
    expectChain(first, peer.eventsOf(room));
    expect(textsOf(peer)).toEqual(["two", "three", "four", "five"]);
  });

  it("SIG-1 hears signals", async () => {
    const { world, peer } = await ahead();
    await world.server.channel("room:{id}", { id: "1" }).signal("cursor:move", { x: 1 });
    await world.settle();
    expect(peer.signalsOf(room).length).toBe(1);
  });

  it("SUB-2 gets nothing after unsubscribe", async () => {
    const { world, peer } = await ahead();
    await peer.ask({ op: "unsubscribe", channel: room });
    expect(world.server.stats().subscriptions).toBe(1);
    await append(world, "four");
    await world.settle();
    expect(textsOf(peer)).toEqual(["two", "three"]);
  });

  it("REC-3 is told of no gap that it has read past", async () => {
    const { world, peer, first } = await ahead();
    await world.broker.inner.trim(room, { ...first, seq: 2 });
    await append(world, "four");
    await world.settle();
    expect(peer.of("gap")).toEqual([]);
    expectChain(first, peer.eventsOf(room));
    expect(textsOf(peer)).toEqual(["two", "three", "four"]);
  });

  /** The log then loses what came after the first `kept` events, and goes on in the same epoch; the node hears of that. */
  async function aheadOfLoss(kept: number) {
    const environment = Object.assign(new ManualEnvironment(), { id: () => "the-same-epoch-and-more" });
    const [before, after] = [memoryBroker({ environment }), memoryBroker({ environment })];
    const { world, peer, first } = await ahead(before);
    const page = await before.read(room, { ...first, seq: 0 }, { countMax: 10 });
    const events = page.outcome === "page" ? page.run.events : [];
    for (const event of events.slice(0, kept)) await after.append(room, { event });
    world.broker.inner = after;
    await after.subscribe(room, (run) => {
      if (!world.broker.loses(run)) world.broker.bring(run);
    });
    return { world, peer, epoch: first.epoch, seen: events.map(({ seq, eventId }) => ({ epoch: first.epoch, seq, eventId })) };
  }

  it("REC-12 asks the log again where its node hears of another event at its place", async () => {
    const { world, peer, epoch } = await aheadOfLoss(1);
    const [, third] = await appendSeen(world, "another two", "another three");
    await world.settle();
    const at3 = { epoch, seq: 3 };
    expect(peer.of("gap")).toEqual([{ op: "gap", channel: room, start: { position: third, gap: { from: at3, to: at3 } } }]);
    await append(world, "four");
    await world.settle();
    expect(textsOf(peer)).toEqual(["two", "three", "four"]);
  });

  it("REC-12 asks the log again where its node hears nothing", async () => {
    const { world, peer, epoch, seen } = await aheadOfLoss(1);
    await world.advance(21_000);
    expect(peer.of("gap")).toEqual([{ op: "gap", channel: room, start: { position: seen[0], gap: { from: { epoch, seq: 3 }, to: { epoch, seq: 1 } } } }]);
    await append(world, "another two");
    await world.settle();
    expect(textsOf(peer)).toEqual(["two", "three", "another two"]);
  });

  it("REC-12 is told of a gap where its node goes on at its place, with another event", async () => {
    const { world, peer, epoch } = await aheadOfLoss(0);
    world.broker.loses = () => true;
    const [, , third] = await appendSeen(world, "another one", "another two", "another three");
    await world.advance(21_000);
    const at3 = { epoch, seq: 3 };
    expect(peer.of("gap")).toEqual([{ op: "gap", channel: room, start: { position: third, gap: { from: at3, to: at3 } } }]);
  });

  it("REC-12 that is still reading joins only where its node has heard of the event that it has read", async () => {
    const environment = Object.assign(new ManualEnvironment(), { id: () => "the-same-epoch-and-more" });
    const after = memoryBroker({ environment });
    const world = new World({ contract: rooms, broker: memoryBroker({ environment }) });
    await (await world.peer()).subscribe(room);
    const [first] = await append(world, "one", "two", "three");
    const peer = await world.peer();
    const [started, read] = [world.broker.holdAnswerOfNext("read"), world.broker.holdAnswerOfNext("read")];
    peer.request({ op: "subscribe", channel: room, since: first! });
    await world.settle();
    started();
    await world.settle();
    world.broker.inner = after;
    await after.subscribe(room, (run) => world.broker.bring(run));
    await append(world, "another one", "another two", "another three");
    await world.settle();
    await append(world, "another four");
    await world.settle();
    read();
    await world.settle();
    expect(textsOf(peer)).toEqual(["two", "three"]);
    expect(peer.of("gap").map(({ start }) => start)).toMatchObject([{ position: { seq: 4 }, gap: { from: { seq: 3 }, to: { seq: 4 } } }]);
  });

  it("LIM-1 is not among the live ones once it was cut off", async () => {
    const { world, peer } = await ahead();
    peer.transport.stall();
    peer.send({ op: "ping" });
    await world.settle();
    await append(world, "x".repeat(2_100));
    await world.settle();
    expect(peer.closeCode).toBe(4101);
    expect(world.server.stats()).toMatchObject({ connections: 1, subscriptions: 1 });
  });
});

describe("a connection that is cut off while it joins", () => {
  /** A stalled connection, with something stuck, that asks for what comes after the first event; more is appended before it joins. */
  async function joining(outboxBytesMax: number, stuck: string, ...meanwhile: readonly string[]) {
    const world = new World({ contract: rooms, outboxBytesMax });
    const peer = await world.peer();
    await peer.subscribe("room:2");
    const [first] = await append(world, "first");
    peer.transport.stall();
    await world.server.channel("room:{id}", { id: "2" }).publish("note:add", text(stuck));
    await world.settle();
    const release = world.broker.holdNext("read");
    peer.request({ op: "subscribe", channel: room, since: first! });
    await world.settle();
    await append(world, ...meanwhile);
    release();
    await world.settle();
    return { world, peer };
  }

  it("LIM-1 is not live where the last step was too much for it", async () => {
    const { world, peer } = await joining(4_000, "stuck", "x".repeat(5_000));
    expect(peer.closeCode).toBe(4101);
    expect(world.server.stats()).toMatchObject({ connections: 0, subscriptions: 0 });
  });

  it("LIM-1 waits for room with the last step too", async () => {
    const { peer } = await joining(8_000, "x".repeat(4_500), ...["1", "2", "3", "4"].map((each) => each.repeat(900)));
    expect(peer.closeCode).toBeUndefined();
    expect(peer.transport.bufferedBytes).toBeLessThan(5_500);
  });

  it("LIM-1 does not become a member where the answer was too much for it", async () => {
    const world = new World({ contract: rooms, outboxBytesMax: 2_000 });
    const handle = world.server.channel("board:{id}", { id: "1" });
    for (let index = 0; index < 4; index++) await handle.publish("note:add", text("x".repeat(600)));
    const peer = await world.peer();
    peer.transport.stall();
    peer.send({ op: "ping" });
    await world.settle();
    peer.request({ op: "subscribe", channel: "board:1", presence: true, member: { name: "Ada" } });
    await world.settle();
    expect(peer.closeCode).toBe(4101);
    expect(handle.members()).toEqual([]);
    expect(world.server.stats()).toMatchObject({ connections: 0, subscriptions: 0 });
  });
});
