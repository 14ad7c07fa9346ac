import type { LastSeen, Rewind, SubscriptionStart } from "@tutti/protocol";
import { memoryBroker, type Broker } from "@tutti/server";
import { boundBroker } from "@tutti/testkit";
import { describe, expect, it } from "vitest";
import { room, text, textsOf } from "./support/following.js";
import { jumpingBroker } from "./support/jumping-broker.js";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

/** A room with notes "1" to "10", one a second. */
async function written(wrap: (broker: Broker) => Broker = (broker) => broker) {
  const inner = new World({ contract: rooms });
  const world = new World({ contract: rooms, broker: wrap(memoryBroker({ environment: inner.environment })) });
  const handle = world.server.channel("room:{id}", { id: "1" });
  const publish = async (...values: readonly string[]): Promise<void> => {
    for (const value of values) await handle.publish("note:add", text(value));
  };
  const elapse = (ms: number): Promise<void> => inner.advance(ms);
  for (let index = 1; index <= 10; index++) {
    await publish(`${index}`);
    await elapse(1_000);
  }
  const rewound = async (rewind: Rewind): Promise<{ peer: Peer; start: SubscriptionStart }> => {
    const peer = await world.peer();
    const start = await peer.subscribe(room, { rewind });
    await world.settle();
    return { peer, start };
  };
  return { world, publish, elapse, rewound };
}

describe("a subscription with rewind", () => {
  it.each([
    ["so many events", { count: 3 }, ["8", "9", "10"]],
    ["more events than there are", { count: 1_000_000 }, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]],
    ["no event", { count: 0 }, []],
    ["so long", { ageMs: 2_500 }, ["9", "10"]],
    ["longer than there was anything", { ageMs: Number.MAX_SAFE_INTEGER }, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]],
    ["no time", { ageMs: 0 }, []],
  ])("REC-9 starts %s behind the head, and goes on without repeat or hole", async (_title, rewind, expected) => {
    const { publish, rewound, world } = await written();
    const { peer, start } = await rewound(rewind);
    await publish("11", "12");
    await world.settle();
    expect(textsOf(peer)).toEqual([...expected, "11", "12"]);
    expect(start.gap).toBeUndefined();
    const [first] = peer.eventsOf(room);
    expect(first?.prev).toBe(start.position.seq);
  });

  it("REC-9 counts events and not numbers, where the broker counts in jumps", async () => {
    const { rewound } = await written((broker) => jumpingBroker(broker));
    const { peer, start } = await rewound({ count: 2 });
    expect([start.position.seq, textsOf(peer)]).toEqual([56, ["9", "10"]]);
  });

  it("REC-9 starts at the floor where the log was trimmed, also while it was asked", async () => {
    const { rewound, world } = await written();
    const { position } = await world.broker.head(room);
    await world.broker.trim(room, { ...position, seq: 4 });
    expect(textsOf((await rewound({ count: 9 })).peer)).toEqual(["5", "6", "7", "8", "9", "10"]);
    const release = world.broker.holdNext("read");
    const peer = await world.peer();
    const correlationId = peer.request({ op: "subscribe", channel: room, rewind: { count: 6 } });
    await world.settle();
    await world.broker.inner.trim(room, { ...position, seq: 8 });
    const { floorEventId } = await world.broker.inner.head(room);
    release();
    await world.settle();
    expect(peer.replyTo(correlationId)?.data).toEqual({ position: { ...position, seq: 8, eventId: floorEventId } });
    expect(textsOf(peer)).toEqual(["9", "10"]);
  });

  it("REC-9 misses nothing that is published while the place is looked for and read", async () => {
    const { publish, world } = await written();
    const release = [world.broker.holdAnswerOfNext("locate"), world.broker.holdAnswerOfNext("read"), world.broker.holdAnswerOfNext("read")];
    const peer = await world.peer();
    peer.request({ op: "subscribe", channel: room, rewind: { count: 2 } });
    for (const [index, open] of release.entries()) {
      await world.settle();
      await publish(`${11 + index}`);
      open();
    }
    await world.settle();
    expect(textsOf(peer)).toEqual(["9", "10", "11", "12", "13"]);
  });

  it("REC-9 is refused on a channel with state, which has one start; what the client saw there may be its start", async () => {
    const { world } = await written();
    const peer = await world.peer();
    expect(await peer.codeOf({ op: "subscribe", channel: "board:1", rewind: { count: 3 } })).toBe("REWIND_UNSUPPORTED");
    expect(peer.replyTo("r1")?.error?.field).toBe("rewind");
    await world.server.channel("board:{id}", { id: "1" }).publish("note:add", text("x"));
    const { position } = await peer.subscribe("board:1");
    const since = { epoch: position.epoch, seq: 0 };
    expect(await peer.subscribe("board:1", { since })).toEqual({ position: since });
  });

  it("REC-9 is UNAVAILABLE where the broker does not find the place now, and nothing is left behind", async () => {
    const { world } = await written();
    const peer = await world.peer();
    world.broker.failNext("locate");
    expect(await peer.codeOf({ op: "subscribe", channel: room, rewind: { count: 3 } })).toBe("UNAVAILABLE");
    await world.advance(31_000);
    expect(world.server.stats()).toMatchObject({ channels: 0, subscriptions: 0 });
  });
});

describe("what is read before permission is known", () => {
  const since: LastSeen = { epoch: "e", seq: 3, eventId: "x:1" };
  const requests = [
    ["a fresh subscription", room, {}],
    ["one that goes on", room, { since }],
    ["one that starts behind the head", room, { rewind: { count: 5 } }],
    ["a fresh subscription to a state", "board:1", {}],
    ["one that goes on with a state", "board:1", { since }],
    ["one that starts behind the head of a state", "board:1", { rewind: { count: 5 } }],
  ] as const;

  /** A server whose application takes its time to say who may subscribe, and a broker that remembers what it was asked. */
  async function asked(channel: string, from: object) {
    const calls: string[] = [];
    let decide = (_isAllowed: boolean): void => {};
    const authorize = () => new Promise<boolean>((resolve) => (decide = resolve));
    const inner = memoryBroker();
    const broker: Broker = new Proxy(boundBroker(inner), {
      get(target, name: keyof Broker) {
        calls.push(name);
        return target[name];
      },
    });
    const world = new World({ contract: rooms, broker, channels: { "room:{id}": { authorize }, "board:{id}": { authorize } } });
    const peer = await world.peer();
    const before = calls.length;
    const correlationId = peer.request({ op: "subscribe", channel, ...from });
    await world.settle();
    const decided = async (isAllowed: boolean): Promise<string | undefined> => {
      decide(isAllowed);
      await world.settle();
      return peer.replyTo(correlationId)?.error?.code;
    };
    return { calls: () => calls.slice(before), decided };
  }

  it.each(requests)("REC-10 SUB-3 nothing, by %s", async (_title, channel, from) => {
    const { calls, decided } = await asked(channel, from);
    expect(calls()).toEqual([]);
    expect(await decided(false)).toBe("FORBIDDEN");
    expect(calls()).toEqual([]);
  });

  it.each(requests)("REC-10 only after it: by %s", async (_title, channel, from) => {
    const { calls, decided } = await asked(channel, from);
    await decided(true);
    expect(calls()).toContain("head");
  });
});
