import fc from "fast-check";
import type { Position } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { unfold, type Peer, type ReceivedEvent } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "room:1";
const text = (value: string) => ({ text: value });

async function append(world: World<typeof rooms>, ...values: readonly string[]): Promise<Position[]> {
  const handle = world.server.channel("room:{id}", { id: "1" });
  const positions: Position[] = [];
  for (const value of values) positions.push((await handle.publish("note:add", text(value))).position);
  return positions;
}

const textsOf = (peer: Peer): unknown[] => peer.payloadsOf(room).map((payload) => Object(payload).text);

/** Each event follows the one before it, from `start` on. */
function expectChain(start: Position, events: readonly ReceivedEvent[]): void {
  let { epoch, seq } = start;
  for (const event of events) {
    expect({ epoch: event.epoch, prev: event.prev }).toEqual({ epoch, prev: seq });
    ({ epoch, seq } = event);
  }
}

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
    const page = world.broker.holdNext("read");
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
    const positions = await append(world, ...Array.from({ length: total }, (_, index) => `${index + 1}`));
    await world.broker.inner.trim(room, { ...positions[0]!, seq: floor });
    return { world, positions };
  }

  it("REC-3 below the floor goes on from the floor", async () => {
    const { world, positions } = await trimmed(3, 5);
    const peer = await world.peer();
    expect(await peer.subscribe(room, { since: positions[0]! })).toEqual({ position: positions[2], gap: { from: positions[0], to: positions[2] } });
    expect(textsOf(peer)).toEqual(["4", "5"]);
  });

  it.each([
    ["of a foreign epoch", (head: Position) => ({ epoch: "foreign", seq: head.seq })],
    ["from the future", (head: Position) => ({ ...head, seq: head.seq + 7 })],
    ["with another event than the one seen there", (head: Position) => ({ ...head, seq: 2, eventId: "another" })],
  ])("REC-3 %s goes on from the head", async (_, make) => {
    const { world, positions } = await trimmed(0, 4);
    const head = positions[3]!;
    const since = make(head);
    const peer = await world.peer();
    expect(await peer.subscribe(room, { since })).toEqual({ position: head, gap: { from: { epoch: since.epoch, seq: since.seq }, to: head } });
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
    const { position } = await handle.publish("note:add", text("two"));
    const peer = await world.peer();
    const from = { epoch: "foreign", seq: 9 };
    expect(await peer.subscribe("board:1", { since: from })).toEqual({ position, gap: { from, to: position }, snapshot: { version: 1, state: ["one", "two"] } });
    await handle.publish("note:add", text("three"));
    await world.settle();
    expect(peer.payloadsOf("board:1")).toEqual([text("three")]);
  });

  it("REC-3 that opens while history is read is told in a frame of its own", async () => {
    const { world, positions } = await trimmed(0, 5);
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
    expect(peer.of("gap")).toEqual([{ op: "gap", channel: room, start: { position: positions[2], gap: { from: positions[0], to: positions[2] } } }]);
    expect(textsOf(peer)).toEqual(["4", "5"]);
  });
});

describe("a long recovery", () => {
  /** A log of `total` events of about `bytes` each. */
  async function history(total: number, bytes = 20, options: { readonly outboxBytesMax?: number } = {}) {
    const world = new World({ contract: rooms, ...options });
    const [first] = await append(world, "first");
    await append(world, ...Array.from({ length: total }, (_, index) => `${index}`.padEnd(bytes, ".")));
    return { world, since: first! };
  }

  it("REC-8 is paged, and complete", async () => {
    const { world, since } = await history(1_500);
    const peer = await world.peer();
    await peer.subscribe(room, { since });
    const events = peer.eventsOf(room);
    expect(events.length).toBe(1_500);
    expectChain(since, events);
    expect(Math.max(...peer.of("events").map((frame) => frame.events.length))).toBeLessThanOrEqual(256);
    expect(peer.of("events").length).toBeLessThan(20);
  });

  it("REC-8 leaves live traffic of others its turns", async () => {
    const { world, since } = await history(3_000, 200);
    const other = await world.peer();
    await other.subscribe("room:2");
    const peer = await world.peer();
    peer.request({ op: "subscribe", channel: room, since });
    await world.environment.tick();
    const before = peer.eventsOf(room).length;
    expect(before).toBeLessThan(100);
    other.request(other.publishing("room:2", 1, text("in between")));
    await world.environment.tick();
    expect(other.payloadsOf("room:2")).toEqual([text("in between")]);
    expect(peer.eventsOf(room).length).toBeLessThan(1_000);
    await world.settle();
    expect(peer.eventsOf(room).length).toBe(3_000);
  });

  it("REC-8 of many at once goes on for a few in each turn", async () => {
    const { world, since } = await history(1_000, 200);
    const peers = await Promise.all(Array.from({ length: 40 }, (_, index) => world.peer({ secret: `${index}`.padEnd(22, "-") })));
    for (const peer of peers) peer.request({ op: "subscribe", channel: room, since });
    await world.environment.tick();
    const writes = (): number => peers.reduce((sum, { transport }) => sum + transport.writes, 0);
    await world.environment.tick();
    const before = writes();
    await world.environment.tick();
    expect(writes() - before).toBeLessThanOrEqual(16);
    await world.settle();
    for (const peer of peers) expect(peer.eventsOf(room).length).toBe(1_000);
  });

  it("REC-8 waits while the connection is slow, and keeps below its bound", async () => {
    const { world, since } = await history(400, 1_000, { outboxBytesMax: 20_000 });
    const peer = await world.peer();
    peer.transport.stall();
    peer.request({ op: "subscribe", channel: room, since });
    await world.settle();
    expect(peer.closeCode).toBeUndefined();
    expect(peer.transport.bufferedBytes).toBeLessThan(20_000);
    for (let round = 0; round < 200; round++) {
      peer.transport.drain(peer.events);
      peer.transport.stall();
      await world.settle();
      expect(peer.transport.bufferedBytes).toBeLessThan(20_000);
    }
    peer.transport.drain(peer.events);
    expect(peer.eventsOf(room).length).toBe(400);
    expectChain(since, peer.eventsOf(room));
  });

  it("REC-8 of several channels on one slow connection keeps below its bound too", async () => {
    const { world } = await history(0, 0, { outboxBytesMax: 60_000 });
    const ids = Array.from({ length: 12 }, (_, index) => `${index + 10}`);
    const starts = new Map<string, Position>();
    for (const id of ids) {
      const handle = world.server.channel("room:{id}", { id });
      starts.set(id, (await handle.publish("note:add", text("first"))).position);
      for (let index = 0; index < 30; index++) await handle.publish("note:add", text("x".repeat(1_000)));
    }
    const peer = await world.peer();
    peer.transport.stall();
    for (const id of ids) peer.request({ op: "subscribe", channel: `room:${id}`, since: starts.get(id)! });
    for (let round = 0; round < 60; round++) {
      await world.settle();
      peer.transport.drain(peer.events);
      peer.transport.stall();
    }
    expect(peer.closeCode).toBeUndefined();
    for (const id of ids) expect(peer.eventsOf(`room:${id}`).length).toBe(30);
  });

  it("REC-8 of several channels on a connection that reads all waits for room, and gets it", async () => {
    const { world } = await history(0, 0, { outboxBytesMax: 20_000 });
    const peer = await world.peer();
    for (let id = 10; id < 22; id++) {
      const handle = world.server.channel("room:{id}", { id: `${id}` });
      const { position } = await handle.publish("note:add", text("first"));
      for (let index = 0; index < 30; index++) await handle.publish("note:add", text("x".repeat(1_000)));
      peer.request({ op: "subscribe", channel: `room:${id}`, since: position });
    }
    await world.settle();
    expect(peer.closeCode).toBeUndefined();
    for (let id = 10; id < 22; id++) expect(peer.eventsOf(`room:${id}`).length).toBe(30);
  });

  it("REC-8 of many goes on where those before them in the line are gone", async () => {
    const { world, since } = await history(500, 200);
    const peers = await Promise.all(Array.from({ length: 60 }, (_, index) => world.peer({ secret: `${index}`.padEnd(22, "-") })));
    for (const peer of peers) peer.request({ op: "subscribe", channel: room, since });
    await world.environment.tick();
    const staying = peers.splice(50);
    for (const peer of peers) peer.drop();
    await world.settle();
    for (const peer of staying) expect(peer.eventsOf(room).length).toBe(500);
  });

  it("REC-8 makes frames of its size also where small events are followed by large ones", async () => {
    const { world } = await history(0);
    const handle = world.server.channel("room:{id}", { id: "9" });
    const { position } = await handle.publish("note:add", text("first"));
    for (let index = 0; index < 600; index++) await handle.publish("note:add", text("small"));
    for (let index = 0; index < 60; index++) await handle.publish("note:add", text("L".repeat(30_000)));
    const peer = await world.peer();
    await peer.subscribe("room:9", { since: position });
    expect(peer.eventsOf("room:9").length).toBe(660);
    expect(Math.max(...peer.transport.messages.map((message) => message.length))).toBeLessThan(140_000);
  });

  it("REC-8 ends with its connection, and leaves nothing behind", async () => {
    const { world, since } = await history(400, 1_000, { outboxBytesMax: 100_000 });
    const peer = await world.peer();
    peer.transport.stall();
    peer.request({ op: "subscribe", channel: room, since });
    await world.settle();
    peer.drop();
    await world.settle();
    expect(world.server.stats()).toMatchObject({ connections: 0, subscriptions: 0 });
    await world.advance(32_000);
    expect(world.server.stats().channels).toBe(0);
  });

  it("REC-8 ends where it is too much for its connection, and leaves nothing behind", async () => {
    const { world, since } = await history(3, 5_000, { outboxBytesMax: 4_000 });
    const peer = await world.peer();
    peer.transport.stall();
    peer.request({ op: "subscribe", channel: room, since, presence: true, member: { name: "Ada" } });
    await world.settle();
    peer.send({ op: "ping" });
    await world.settle();
    for (let count = 0; count < 200; count++) peer.send({ op: "ping" });
    await world.settle();
    expect(peer.closeCode).toBe(4101);
    await world.advance(45_000);
    expect(world.server.stats()).toMatchObject({ connections: 0, channels: 0 });
  });

  it("REC-8 can be ended by unsubscribe in the middle", async () => {
    const { world, since } = await history(2_000, 200);
    const peer = await world.peer();
    peer.request({ op: "subscribe", channel: room, since });
    await world.environment.tick();
    const id = peer.request({ op: "unsubscribe", channel: room });
    await world.settle();
    const ops = peer.frames.map(({ op }) => op);
    expect(peer.replyTo(id)?.success).toBe(true);
    expect(ops.lastIndexOf("events")).toBeLessThan(ops.lastIndexOf("reply"));
    expect(peer.eventsOf(room).length).toBeLessThan(2_000);
  });
});

describe("a subscription that has read further than its node has heard", () => {
  /** The node has heard of one; the log has two and three too, and the peer has read them there. */
  async function ahead() {
    const world = new World({ contract: rooms, outboxBytesMax: 2_000 });
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

type Step =
  | { readonly kind: "append"; readonly count: number }
  | { readonly kind: "tick" }
  | { readonly kind: "lose"; readonly isLost: boolean }
  | { readonly kind: "hold" }
  | { readonly kind: "release" }
  | { readonly kind: "resubscribe" }
  | { readonly kind: "drain" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("append" as const), count: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 3, arbitrary: fc.constant({ kind: "tick" as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("lose" as const), isLost: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ kind: "hold" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "release" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "resubscribe" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "drain" as const }) },
);

describe("replay and live", () => {
  it("REC-2 join without a hole or a repeat, whatever is appended, lost, slow and asked for again meanwhile", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 40 }), fc.array(step, { maxLength: 40 }), async (behind, steps) => {
        const world = new World({ contract: rooms, outboxBytesMax: 1_500 });
        const [first] = await append(world, "first");
        await append(world, ...Array.from({ length: behind }, (_, index) => `old ${index}`));
        const live = await world.peer();
        await live.subscribe(room, { since: first! });
        const peer = await world.peer();
        peer.transport.stall();
        let request = peer.request({ op: "subscribe", channel: room, since: first! });
        const releases: (() => void)[] = [];
        for (const each of steps) {
          if (each.kind === "append") await append(world, ...Array.from({ length: each.count }, (_, index) => `new ${index}`));
          else if (each.kind === "tick") await world.environment.tick();
          else if (each.kind === "lose") world.broker.loses = () => each.isLost;
          else if (each.kind === "hold") releases.push(world.broker.holdNext("read"));
          else if (each.kind === "release") releases.shift()?.();
          else if (each.kind === "drain") peer.transport.drain(peer.events);
          else request = peer.request({ op: "subscribe", channel: room, since: first! });
        }
        for (const release of releases) release();
        world.broker.loses = () => false;
        for (let round = 0; round < 30; round++) {
          peer.transport.drain(peer.events);
          await world.advance(1_000);
        }
        const { position } = await world.broker.inner.head(room);
        // Only the last subscription counts: the client forgets what the ones before it brought.
        const answered = peer.frames.findIndex((frame) => frame.op === "reply" && frame.correlationId === request);
        const events = peer.frames.slice(answered < 0 ? peer.frames.length : answered).reduce<ReceivedEvent[]>((list, frame) => (frame.op === "events" ? list.concat(unfold(frame)) : list), []);
        expectChain(first!, events);
        expectChain(first!, live.eventsOf(room));
        expect(live.eventsOf(room).length).toBe(position.seq - 1);
        if (peer.closeCode === undefined) expect(events.length).toBe(position.seq - 1);
        else expect(peer.closeCode).toBe(4101);
      }),
      { numRuns: 200 },
    );
  });
});
