import { hasRedis, startRedis } from "@tutti/cluster";
import { redisBroker } from "@tutti/redis";
import { describe, expect, it, vi } from "vitest";
import { redisSuite } from "./redis-suite.js";
import type { RoomClient } from "./sdk.js";
import type { Served } from "./stage.js";

const patience = { timeout: 15_000, interval: 10 };
const one = { id: "one" };

const roomOf = (client: RoomClient) => client.channel("room:{id}", one);

describe.skipIf(!hasRedis())("several nodes in one process, on one Redis (needs redis)", { timeout: 40_000 }, () => {
  const suite = redisSuite(() => startRedis({ config: ["appendfsync always"] }));

  /** So many nodes in this process, each with connections of its own to Redis. */
  function nodes(count: number, redisPort = suite.redis.port): Promise<readonly Served[]> {
    return Promise.all(Array.from({ length: count }, () => node(redisPort)));
  }

  async function node(redisPort: number, port?: number): Promise<Served> {
    const broker = await redisBroker({ url: `redis://127.0.0.1:${redisPort}`, prefix: suite.prefix, watchdogMs: 500 });
    return suite.stage.serve({ broker, channelIdleMs: 100, headCheckMs: 60_000 }, port);
  }

  /** Somebody at a node, and what he sees there: events by position, and gaps. */
  async function enter({ url }: Served) {
    const client = suite.stage.guests.client(url);
    const seen: string[] = [];
    const gaps: unknown[] = [];
    roomOf(client).on("line:add", ({ position, payload }) => seen.push(`${position.seq} ${payload.id}`));
    roomOf(client).on("gap", (gap) => gaps.push(gap));
    await roomOf(client).subscribe();
    return { client, room: roomOf(client), seen, gaps };
  }

  /** How many nodes hear the events of a channel. */
  const hearersOf = async (channel: string): Promise<number> => Number((await suite.redis.command("PUBSUB", "NUMSUB", `${suite.prefix}:{${channel}}:runs`)).split("\n")[1]);

  it("REC-1, BRK-1, RDS-1: what is published at any of three nodes reaches everybody at all of them, in one order", async () => {
    const people = await Promise.all((await nodes(3)).flatMap((each) => [enter(each), enter(each)]));
    const ids = people.flatMap(({ room }, person) =>
      Array.from({ length: 50 }, (_, index) => {
        const id = `${person}-${index}`;
        void room.publish("line:add", { id });
        return id;
      }),
    );
    await vi.waitFor(() => {
      for (const { seen } of people) expect(seen).toHaveLength(ids.length);
    }, patience);
    const [first, ...others] = people;
    for (const { seen } of others) expect(seen).toEqual(first?.seen);
    const order = first?.seen.map((line) => line.split(" ")[1] ?? "") ?? [];
    expect(order.toSorted()).toEqual(ids.toSorted());
    for (const person of people.keys()) expect(order.filter((id) => id.startsWith(`${person}-`))).toEqual(ids.filter((id) => id.startsWith(`${person}-`)));
    for (const { room } of people) expect(room.state.canonical()).toEqual(order);
  });

  it("RDS-5: a node receives what somebody there subscribed to, from the first subscription to the last, and nothing else", async () => {
    const [a, b, c] = await nodes(3);
    expect(await hearersOf("room:one")).toBe(0);
    const ada = await enter(a!);
    const bob = await enter(b!);
    await suite.stage.guests.client(c!.url).channel("feed:{id}", one).subscribe();
    expect(await hearersOf("room:one")).toBe(2);
    expect(await hearersOf("feed:one")).toBe(1);

    for (let index = 0; index < 20; index++) await ada.room.publish("line:add", { id: String(index) });
    await vi.waitFor(() => expect(bob.seen).toHaveLength(20), patience);
    expect(c!.server.stats().channels).toBe(1);

    await bob.room.unsubscribe();
    await vi.waitFor(async () => expect(await hearersOf("room:one")).toBe(1), patience);
    await ada.client.close();
    await vi.waitFor(async () => expect(await hearersOf("room:one")).toBe(0), patience);
    expect(await hearersOf("feed:one")).toBe(1);
  });

  it("REC-2, CON-7: who comes back at another node gets what was missed, once, and what was not acknowledged lands once", async () => {
    const [first, second] = await nodes(2);
    const [ada, bob] = await Promise.all([enter(first!), enter(second!)]);
    await bob.room.publish("line:add", { id: "before" });
    await vi.waitFor(() => expect(ada.seen).toHaveLength(1), patience);

    const published = ["one", "two", "three"].map((id) => ada.room.publish("line:add", { id }));
    await first!.stop();
    await bob.room.publish("line:add", { id: "meanwhile" });
    // Another node at the same address knows nothing of those who were at the first.
    await node(suite.redis.port, first!.port);
    ada.client.connect();
    await Promise.all(published);
    await vi.waitFor(() => expect(ada.seen).toHaveLength(5), patience);
    await vi.waitFor(() => expect(bob.seen).toEqual(ada.seen), patience);
    expect(new Set(ada.seen).size).toBe(5);
    expect(ada.gaps).toEqual([]);
    expect(ada.room.state.canonical()).toEqual(bob.room.state.canonical());
  });

  it("RDS-6, REC-5: a node whose link to Redis went silent is not ready, finds it out, and its people miss nothing", async () => {
    const proxy = await suite.stage.proxy(suite.redis.port);
    const [[a], [b]] = await Promise.all([nodes(1), nodes(1, proxy.port)]);
    const [ada, bob] = await Promise.all([enter(a!), enter(b!)]);
    expect(b!.server.readiness()).toMatchObject({ status: "ready" });
    proxy.halfOpen();
    for (let index = 0; index < 10; index++) await ada.room.publish("line:add", { id: String(index) });
    await vi.waitFor(() => expect(b!.server.readiness()).toMatchObject({ status: "not-ready" }), patience);
    proxy.resume();
    await vi.waitFor(() => expect(bob.seen).toEqual(ada.seen), patience);
    await vi.waitFor(() => expect(b!.server.readiness()).toMatchObject({ status: "ready" }), patience);
    expect(bob.gaps).toEqual([]);
    expect(ada.seen).toHaveLength(10);
  });
});
