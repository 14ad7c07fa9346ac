import { describe, expect, it } from "vitest";
import { following, room, text, textsOf } from "./support/following.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

describe("a channel of this node", () => {
  it("LIM-4 frees its memory channelIdleMs after its last subscriber", async () => {
    const { world, peer, pass } = await following();
    await pass(60_000);
    expect(world.server.stats().channels).toBe(1);
    await peer.ask({ op: "unsubscribe", channel: room });
    await pass(29_000);
    expect(world.server.stats().channels).toBe(1);
    await pass(3_000);
    expect(world.server.stats().channels).toBe(0);
    expect(world.broker.listenerCount).toBe(0);
    await peer.subscribe(room);
    expect(world.broker.listenerCount).toBe(1);
  });

  it("LIM-4 stays while somebody in it is away", async () => {
    const world = new World({ contract: rooms, presenceGraceMs: 100_000 });
    const peer = await world.peer();
    await peer.subscribe(room, { member: { name: "Ada" } });
    peer.drop();
    await world.advance(90_000);
    expect(world.server.stats().channels).toBe(1);
    await world.advance(45_000);
    expect(world.server.stats().channels).toBe(0);
  });

  it("LIM-4 stays while somebody reads its history, however long that takes", async () => {
    const { world, peer, publish, pass } = await following({ channelIdleMs: 1_000 });
    await publish("one");
    const { position } = await world.broker.inner.head(room);
    await peer.ask({ op: "unsubscribe", channel: room });
    const release = world.broker.holdNext("read");
    const id = peer.request({ op: "subscribe", channel: room, since: position });
    await pass(5_000);
    release();
    await world.settle();
    expect(peer.replyTo(id)?.success).toBe(true);
    await publish("two");
    await world.settle();
    expect(textsOf(peer)).toEqual(["two"]);
    expect(world.server.stats().channels).toBe(1);
  });

  it("LIM-4 stays while it opens, however long that takes", async () => {
    const { world, peer, pass } = await following({ channelIdleMs: 1_000 });
    const release = world.broker.holdNext("head");
    const id = peer.request({ op: "subscribe", channel: "room:2" });
    await pass(5_000);
    release();
    await world.settle();
    expect(peer.replyTo(id)?.success).toBe(true);
    await world.server.channel("room:{id}", { id: "2" }).publish("note:add", text("x"));
    await pass(5_000);
    expect(textsOf(peer, "room:2")).toEqual(["x"]);
    expect(world.server.stats().channels).toBe(2);
  });

  it("LIM-4 takes what comes in the moment it is let go", async () => {
    const { world, peer, pass } = await following({ channelIdleMs: 1_000 });
    await peer.ask({ op: "unsubscribe", channel: room });
    await pass(3_000);
    expect(world.server.stats().channels).toBe(0);
    const id = peer.request({ op: "subscribe", channel: room });
    await world.advance(1_000);
    expect(peer.replyTo(id)?.success).toBe(true);
    expect(world.server.stats().channels).toBe(1);
  });

  it("LIM-4 is freed also where nobody could start in it", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    world.broker.failNext("read");
    expect(await peer.codeOf({ op: "subscribe", channel: room, since: { epoch: "x", seq: 0 } })).toBe("UNAVAILABLE");
    expect(world.server.stats().channels).toBe(1);
    await world.advance(32_000);
    expect(world.server.stats().channels).toBe(0);
  });

  it("LIM-4 that is closed while it opens leaves the bus", async () => {
    for (const operation of ["subscribe", "head"] as const) {
      const world = new World({ contract: rooms });
      // One that other nodes use as well goes on.
      world.broker.close = async () => {};
      const peer = await world.peer();
      const release = world.broker.holdNext(operation);
      peer.request({ op: "subscribe", channel: room });
      await world.settle();
      const closed = world.server.close();
      await world.settle();
      release();
      await world.settle();
      await closed;
      expect(world.broker.listenerCount).toBe(0);
      expect(world.environment.timerCount).toBe(0);
    }
  });

  it("LIM-4 leaves no timer behind where it is closed in a pause before it reads again", async () => {
    const { world, publish, lose } = await following();
    await lose("one");
    world.broker.failNext("read");
    await publish("two");
    await world.settle();
    await world.server.close();
    expect(world.environment.timerCount).toBe(0);
  });
});
