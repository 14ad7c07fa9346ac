import fc from "fast-check";
import { jsonCodec, type Position } from "@tutti/protocol";
import { describe, expect, it, vi } from "vitest";
import { room, text } from "./support/following.js";
import { append, expectChain } from "./support/history.js";
import { unfold, type ReceivedEvent } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

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

  it("FAN-5 of several at once is encoded once, and of one after the other each time", async () => {
    const { world, since } = await history(600);
    const encode = vi.spyOn(jsonCodec, "encode");
    const framesOfEvents = (): number => encode.mock.calls.filter(([frames]) => frames.some((frame) => "op" in frame && frame.op === "events")).length;
    const together = await Promise.all(Array.from({ length: 5 }, () => world.peer()));
    await Promise.all(together.map((peer) => peer.subscribe(room, { since })));
    const [first] = together;
    expect(together.map((peer) => peer.eventsOf(room).length)).toEqual([600, 600, 600, 600, 600]);
    for (const peer of together) expectChain(since, peer.eventsOf(room));
    const eachAlone = first?.of("events").length ?? 0;
    // Who is alone at the beginning, or at the end, has nobody to share with.
    expect(framesOfEvents()).toBeLessThanOrEqual(eachAlone + 2);
    encode.mockClear();
    for (const peer of [await world.peer(), await world.peer()]) await peer.subscribe(room, { since });
    expect(framesOfEvents()).toBe(2 * eachAlone);
    encode.mockRestore();
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

  it("REC-8 of 10,000 events: in every turn whoever publishes elsewhere is served, before more than a page goes out", async () => {
    const { world, since } = await history(10_000);
    const other = await world.peer();
    await other.subscribe("room:2");
    const peer = await world.peer();
    peer.request({ op: "subscribe", channel: room, since });
    let turns = 0;
    for (let recovered = 0; recovered < 10_000; ) {
      other.request(other.publishing("room:2", ++turns, text("in between")));
      await world.environment.tick();
      expect([other.of("reply").length, other.eventsOf("room:2").length]).toEqual([turns + 1, turns]);
      const total = peer.eventsOf(room).length;
      expect(total - recovered).toBeLessThanOrEqual(256);
      recovered = total;
    }
    expectChain(since, peer.eventsOf(room));
    expect(turns).toBeGreaterThan(10_000 / 256);
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
