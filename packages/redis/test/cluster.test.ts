import { hasRedis, startRedisCluster, type RedisCluster } from "@tutti/cluster";
import type { Broker } from "@tutti/server";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { redisBroker } from "../src/index.js";
import { RecordedLog, append, count, freshPrefix, hear, request } from "./support/redis-nodes.js";

describe.skipIf(!hasRedis())("several nodes on a Redis Cluster (needs redis)", { timeout: 60_000 }, () => {
  let cluster: RedisCluster;
  const open: Broker[] = [];

  beforeAll(async () => {
    cluster = await startRedisCluster({ shards: 3, replicas: 1 });
  }, 60_000);
  afterEach(async () => {
    await Promise.all(open.splice(0).map((broker) => broker.close()));
  });
  afterAll(() => cluster?.remove());

  async function start(prefix: string, log = new RecordedLog()): Promise<Broker> {
    const broker = await redisBroker({ cluster: cluster.urls.slice(0, 2), prefix, log, watchdogMs: 500, requestTimeoutMs: 2_000 });
    open.push(broker);
    return broker;
  }

  /** A channel for each shard. */
  async function channels(): Promise<readonly string[]> {
    const found: string[] = [];
    for (let index = 0; found.filter(Boolean).length < 3; index++) found[await cluster.shardOf(`{room:${index}}`)] ??= `room:${index}`;
    return found;
  }

  /** Redis names the master that has it; a command for another slot is answered with `MOVED`. */
  const subscribers = async (shard: number, topic: string): Promise<string> => {
    const master = await cluster.masterOf(shard);
    return (await master.command("PUBSUB", "SHARDNUMSUB", topic)).split("\n").at(-1) ?? "";
  };

  test("RDS-5 hears each channel from the shard that has it, and the other shards carry none of it", async () => {
    const prefix = freshPrefix();
    const [one, two] = await Promise.all([start(prefix), start(prefix)]);
    const rooms = await channels();
    const heard = await Promise.all(rooms.map((room) => hear(one, room)));
    for (const room of rooms) for (let index = 0; index < 5; index++) await append(two, room);
    await expect.poll(() => heard.map(({ runs }) => runs.length)).toEqual([5, 5, 5]);
    for (const [shard, room] of rooms.entries()) {
      const counts = await Promise.all(rooms.map((_, other) => subscribers(other, `${prefix}:{${room}}:runs`)));
      expect(counts.map(Number)).toEqual(rooms.map((_, other) => (other === shard ? 1 : 0)));
    }
    await Promise.all(heard.map(({ end }) => end()));
    expect(await subscribers(0, `${prefix}:{${rooms[0]}}:runs`)).toBe("0");
  });

  test("RDS-13 appends what a turn brings each channel at the shard that has it, and delivers it together", async () => {
    const prefix = freshPrefix();
    const [one, two] = await Promise.all([start(prefix), start(prefix)]);
    const rooms = await channels();
    const heard = await Promise.all(rooms.map((room) => hear(one, room)));
    const positions = await Promise.all(Array.from({ length: 15 }, (_, index) => append(two, rooms[index % 3] ?? "", { publisher: count(1, 0, `session-${index}`) })));
    expect(positions.map(({ seq }) => seq)).toEqual(Array.from({ length: 15 }, (_, index) => 1 + Math.floor(index / 3)));
    await expect.poll(() => heard.map(({ runs }) => runs.map(({ events }) => events.length))).toEqual([[1, 4], [1, 4], [1, 4]]);
  });

  test("RDS-9 tells the heads of channels of all shards in one call, and broadcasts to all nodes", async () => {
    const prefix = freshPrefix();
    const [one, two] = await Promise.all([start(prefix), start(prefix)]);
    const rooms = await channels();
    const positions = await Promise.all(rooms.map((room) => append(one, room)));
    expect((await two.heads(rooms)).map(({ position }) => position)).toEqual(positions);
    const messages: string[] = [];
    await two.listen("nodes", (message) => messages.push(message));
    await one.broadcast("nodes", "hello");
    await expect.poll(() => messages).toEqual(["hello"]);
  });

  /** Moves a slot with all its keys to another shard, while both serve. */
  async function moveSlot(tag: string, from: number, to: number): Promise<void> {
    const [source, target] = await Promise.all([cluster.masterOf(from), cluster.masterOf(to)]);
    const slot = await source.command("CLUSTER", "KEYSLOT", tag);
    const [sourceId, targetId] = await Promise.all([source.command("CLUSTER", "MYID"), target.command("CLUSTER", "MYID")]);
    await target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId);
    await source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", targetId);
    const keys = (await source.command("CLUSTER", "GETKEYSINSLOT", slot, "100")).split("\n").filter(Boolean);
    await source.command("MIGRATE", "127.0.0.1", String(target.port), "", "0", "5000", "KEYS", ...keys);
    for (const server of [target, source]) await server.command("CLUSTER", "SETSLOT", slot, "NODE", targetId);
  }

  test("RDS-5 follows a channel whose slot moves to another server, in its epoch", async () => {
    const prefix = freshPrefix();
    const [one, two] = await Promise.all([start(prefix), start(prefix)]);
    const [room = ""] = await channels();
    const heard = await hear(one, room);
    const first = await append(two, room, { publisher: count(1) });
    await expect.poll(() => heard.runs.length).toBe(1);
    await moveSlot(room, 0, 1);
    expect(await append(two, room, { publisher: count(2, 1) })).toEqual({ ...first, seq: 2 });
    await expect.poll(() => heard.last()?.events.at(-1)?.seq, { timeout: 10_000 }).toBe(2);
    const topic = `${prefix}:{${room}}:runs`;
    await expect.poll(() => subscribers(1, topic), { timeout: 10_000 }).toBe("1");
    expect(await subscribers(0, topic)).toBe("0");
    expect(await append(two, room)).toEqual({ ...first, seq: 3 });
    await expect.poll(() => heard.last()?.events.at(-1)?.seq).toBe(3);
    await heard.end();
    expect(await subscribers(1, topic)).toBe("0");
    await moveSlot(room, 1, 0);
  });

  test("RDS-6 hears a channel again after its master died, is not ready meanwhile, and leaves the other shards alone", async () => {
    const prefix = freshPrefix();
    const [one, two] = await Promise.all([start(prefix), start(prefix)]);
    const rooms = await channels();
    const heard = await Promise.all(rooms.map((room) => hear(one, room)));
    for (const room of rooms) await append(two, room, { publisher: count(1) });
    await expect.poll(() => heard.map(({ runs }) => runs.length)).toEqual([1, 1, 1]);
    const states = new Set<string>();
    const watching = setInterval(() => states.add(one.health?.().status ?? ""), 20);
    const elsewhere: Promise<unknown>[] = [];
    await cluster.failOver(1, { unreplicated: async () => void elsewhere.push(...rooms.filter((_, shard) => shard !== 1).map((room) => append(two, room))) });
    expect((await Promise.allSettled(elsewhere)).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
    const again = request({ publisher: count(2) });
    await expect.poll(async () => (await two.append(rooms[1] ?? "", again).catch(() => undefined))?.outcome, { timeout: 20_000 }).toMatch(/appended|repeat/);
    await expect.poll(() => heard[1]?.ids().at(-1), { timeout: 20_000 }).toBe(again.event.eventId);
    await expect.poll(() => one.health?.(), { timeout: 20_000 }).toEqual({ status: "ready" });
    clearInterval(watching);
    expect(states).toContain("unavailable");
    await cluster.heal();
  });
});
