import { jsonCodec } from "@tutti/protocol";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { ServerOptions } from "@tutti/server";
import { room, text, textsOf } from "./support/following.js";
import { expectChain } from "./support/history.js";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

afterEach(() => void vi.restoreAllMocks());

/** A room with so many members, all of whom are written to in slices of one write. */
async function slowRoom(count: number, options: ServerOptions<typeof rooms> = {}) {
  const world = new World({ contract: rooms, deliverySliceWritesMax: 1, ...options });
  const members: Peer[] = [];
  for (let index = 0; index < count; index++) members.push(await world.peer());
  for (const member of members) await member.subscribe(room);
  const handle = world.server.channel("room:{id}", { id: "1" });
  /** Publishes, and ends the turn. */
  const publish = async (...values: readonly (number | string)[]): Promise<void> => {
    for (const value of values) await handle.publish("note:add", text(`${value}`));
    await world.environment.tick();
  };
  return { world, members, handle, publish };
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);
const sizesOf = (peer: Peer): number[] => peer.of("events").map(({ events }) => events.length);
/** How often events were encoded from now on. */
function countEncodings(): () => number {
  const encode = vi.spyOn(jsonCodec, "encode");
  return () => encode.mock.calls.filter(([frames]) => frames.some((frame) => "op" in frame && frame.op === "events")).length;
}

describe("a fan-out", () => {
  it("FAN-1 is encoded once for all", async () => {
    const { world, members, publish } = await slowRoom(5);
    const encodings = countEncodings();
    await publish("one", "two");
    await world.settle();
    expect(encodings()).toBe(1);
    for (const member of members) expect(textsOf(member)).toEqual(["one", "two"]);
  });

  it("FAN-1 of twenty channels is one write to a connection", async () => {
    const { world, members } = await slowRoom(2);
    const names = numbers(2, 20);
    for (const member of members) for (const id of names) await member.subscribe(`room:${id}`);
    const before = members.map(({ transport }) => transport.writes);
    for (const id of names) await world.server.channel("room:{id}", { id }).publish("note:add", text(id));
    await world.settle();
    expect(members.map(({ transport }, index) => transport.writes - (before[index] ?? 0))).toEqual([1, 1]);
    for (const member of members) expect(member.of("events").length).toBe(19);
  });

  it("FAN-2 does not hold up an answer to somebody else", async () => {
    const { world, members, publish } = await slowRoom(20);
    const outsider = await world.peer();
    await publish("one");
    expect(members.filter((member) => textsOf(member).length > 0).length).toBe(1);
    outsider.send({ op: "ping" });
    await world.environment.tick();
    expect(outsider.of("pong").length).toBe(1);
    expect(members.filter((member) => textsOf(member).length > 0).length).toBe(2);
  });

  it("FAN-3 is before the answer for which a connection is written to early", async () => {
    const { world, members, publish } = await slowRoom(20);
    const last = members.at(-1)!;
    await publish("one");
    const writes = last.transport.writes;
    last.forget();
    last.send({ op: "ping" });
    await world.environment.tick();
    expect(last.frames.map(({ op }) => op)).toEqual(["events", "pong"]);
    expect(last.transport.writes).toBe(writes + 1);
    await world.settle();
    expect(last.transport.writes).toBe(writes + 1);
  });

  it("SUB-4 leaves nothing to be delivered to who is put out meanwhile", async () => {
    const { world, members, handle, publish } = await slowRoom(4);
    const last = members.at(-1)!;
    await publish("one");
    last.forget();
    void handle.kick({ session: world.sessionOf(members[0]!) }, "off");
    last.drop();
    await world.settle();
    await publish("two");
    await world.settle();
    expect(textsOf(members[0]!)).toEqual(["one"]);
    expect(textsOf(last)).toEqual([]);
    expect(textsOf(members[1]!)).toEqual(["one", "two"]);
  });
});

describe("the fan-outs of a channel", () => {
  it("FAN-4 are four at once, and what comes meanwhile leaves together", async () => {
    const { world, members, publish } = await slowRoom(10);
    for (const value of numbers(1, 9)) await publish(value);
    await world.settle();
    for (const member of members) expect(textsOf(member)).toEqual(numbers(1, 9));
    expect(sizesOf(members[0]!)).toEqual([1, 1, 1, 1, 5]);
  });

  it("FAN-4 go on as soon as the first of them is through", async () => {
    const { world, members, publish } = await slowRoom(6);
    const first = members[0]!;
    for (const value of numbers(1, 6)) await publish(value);
    expect(members.map((member) => textsOf(member).at(0))).toEqual(Array.from({ length: 6 }, () => "1"));
    expect(textsOf(first)).toEqual(["1"]);
    await publish("7");
    expect(sizesOf(first)).toEqual([1, 1, 1, 1, 3]);
    await publish("8");
    await world.settle();
    expect(sizesOf(first)).toEqual([1, 1, 1, 1, 3, 1]);
    for (const member of members) expect(textsOf(member)).toEqual(numbers(1, 8));
  });

  it("FAN-4 of one do not hold up another channel", async () => {
    const { world, members, publish } = await slowRoom(10);
    const outsider = await world.peer();
    await outsider.subscribe("room:2");
    for (const value of numbers(1, 6)) await publish(value);
    await world.server.channel("room:{id}", { id: "2" }).publish("note:add", text("x"));
    outsider.send({ op: "ping" });
    await world.environment.tick();
    expect(textsOf(outsider, "room:2")).toEqual(["x"]);
    expect(textsOf(members[9]!)).toEqual([]);
  });

  it("FAN-4 hold changes of presence and signals, conflated", async () => {
    const { world, members, handle, publish } = await slowRoom(8);
    // Until the node is settled others may have members, too, and a list is not complete.
    await world.advance(2_000);
    const watcher = await world.peer();
    await watcher.subscribe(room, { presence: true });
    for (const value of numbers(1, 4)) await publish(value);
    watcher.forget();
    for (const x of [1, 2, 3]) {
      members[0]!.request({ op: "presence", channel: room, member: { name: `Ada ${x}` } });
      await handle.signal("cursor:move", { x });
      await publish();
    }
    await world.settle();
    expect(watcher.changesOf(room)).toMatchObject([{ type: "presence:join", member: { state: { name: "Ada 3" } } }]);
    expect(watcher.signalsOf(room).map(({ payload }) => payload)).toEqual([{ x: 3 }]);
  });

  it("FAN-4 are one at a time of signals, which holds up no event", async () => {
    const { world, members, handle, publish } = await slowRoom(6);
    for (const x of numbers(1, 5)) {
      await handle.signal("cursor:move", { x: Number(x) });
      await publish(x);
    }
    await world.settle();
    for (const member of members) {
      expect(member.signalsOf(room).map(({ payload }) => payload)).toEqual([{ x: 1 }, { x: 5 }]);
      expect(textsOf(member)).toEqual(numbers(1, 5));
    }
    expect(sizesOf(members[0]!)).toEqual([1, 1, 1, 1, 1]);
  });

  it("FAN-4 meet who joins while events are held without a hole or a repeat, and in one encoding for all of them", async () => {
    const { world, members, publish } = await slowRoom(10);
    for (const value of numbers(1, 5)) await publish(value);
    const late = await Promise.all([1, 2, 3].map(() => world.peer()));
    for (const value of numbers(6, 12)) await publish(value);
    const ids = late.map((peer) => peer.request({ op: "subscribe", channel: room }));
    await publish();
    const starts = late.map((peer, index) => Object(peer.replyTo(ids[index]!)?.data).position);
    await publish("13", "14");
    const encodings = countEncodings();
    await world.settle();
    expect(encodings()).toBe(2);
    for (const [index, peer] of late.entries()) {
      expectChain(starts[index], peer.eventsOf(room));
      expect(textsOf(peer)).toEqual(["13", "14"]);
    }
    expect(textsOf(members[9]!)).toEqual(numbers(1, 14));
  });

  it("FAN-4 that would hold too many events are delivered before anything is read", async () => {
    const { world, members, publish } = await slowRoom(8);
    for (const value of numbers(1, 4)) await publish(value);
    await publish(...numbers(5, 1_028));
    expect(textsOf(members[7]!)).toEqual([]);
    await publish("1029");
    expect(textsOf(members[7]!)).toEqual(numbers(1, 4));
    await world.settle();
    for (const member of members) expect(textsOf(member)).toEqual(numbers(1, 1_029));
    expect(sizesOf(members[7]!).slice(-2)).toEqual([1_024, 1]);
  });

  it("FAN-4 of a channel that nobody follows are none, and let nobody hurry", async () => {
    const { world, members, publish } = await slowRoom(20);
    const guest = await world.peer();
    await guest.subscribe("room:2");
    await guest.ask({ op: "unsubscribe", channel: "room:2" });
    const empty = world.server.channel("room:{id}", { id: "2" });
    await publish("one");
    for (const count of [1, 1, 1, 1, 1_025, 1]) {
      for (let index = 0; index < count; index++) await empty.publish("note:add", text("x"));
      await world.environment.tick();
    }
    expect(members.filter((member) => textsOf(member).length > 0).length).toBe(7);
  });

  it("FAN-4 are told of before a gap, though they are held", async () => {
    const { world, members, publish } = await slowRoom(6);
    for (const value of numbers(1, 6)) await publish(value);
    const { position } = await world.broker.inner.head(room);
    world.broker.loses = () => true;
    for (const value of ["7", "8", "9"]) await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text(value));
    world.broker.loses = () => false;
    await world.broker.inner.trim(room, { ...position, seq: 8 });
    await publish("10");
    await world.settle();
    for (const member of members) {
      expect(member.frames.filter(({ op }) => op === "events" || op === "gap").at(-2)?.op).toBe("gap");
      expect(textsOf(member)).toEqual([...numbers(1, 6), "9", "10"]);
    }
  });
});
