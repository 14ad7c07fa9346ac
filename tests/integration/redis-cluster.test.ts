import { hasRedis, startRedisCluster } from "@tutti/cluster";
import { redisBroker } from "@tutti/redis";
import { describe, expect, it, vi } from "vitest";
import { redisSuite } from "./redis-suite.js";
import type { RoomClient } from "./sdk.js";
import type { Served } from "./stage.js";

const patience = { timeout: 40_000, interval: 20 };

describe.skipIf(!hasRedis())("several nodes on a Redis Cluster of three shards (needs redis)", { timeout: 120_000 }, () => {
  const suite = redisSuite(() => startRedisCluster({ shards: 3, replicas: 1, config: ["appendfsync no"] }));

  const nodes = (count: number): Promise<readonly Served[]> =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const broker = await redisBroker({ cluster: suite.redis.urls, prefix: suite.prefix, watchdogMs: 500, requestTimeoutMs: 2_000 });
        return suite.stage.serve({ broker, headCheckMs: 500 });
      }),
    );

  const roomOf = (client: RoomClient, id: string) => client.channel("room:{id}", { id });

  /** Somebody in a room, and what he sees there. */
  async function enter({ url }: Served, id: string) {
    const client = suite.stage.guests.client(url);
    const room = roomOf(client, id);
    const seen: string[] = [];
    const gaps: unknown[] = [];
    room.on("line:add", ({ position, payload }) => seen.push(`${position.epoch}:${position.seq} ${payload.id}`));
    room.on("gap", (gap) => gaps.push(gap));
    await room.subscribe();
    return { room, seen, gaps };
  }

  it("REC-1, RDS-5, RDS-9: each channel is written to, and heard from, the shard that has it", async () => {
    const [a, b] = await nodes(2);
    const ids = Array.from({ length: 12 }, (_, index) => `room${index}`);
    const writers = await Promise.all(ids.map((id) => enter(a!, id)));
    const readers = await Promise.all(ids.map((id) => enter(b!, id)));
    await Promise.all(writers.map(({ room }, index) => room.publish("line:add", { id: `line${index}` })));
    await vi.waitFor(() => {
      for (const [index, { seen }] of readers.entries()) expect(seen).toEqual([expect.stringMatching(new RegExp(` line${index}$`))]);
    }, patience);

    const shards = await Promise.all(ids.map((id) => suite.redis.shardOf(`{room:${id}}`)));
    expect(new Set(shards)).toEqual(new Set([0, 1, 2]));
    for (const shard of [0, 1, 2]) {
      const master = await suite.redis.masterOf(shard);
      const heard = (await master.command("PUBSUB", "SHARDCHANNELS", `${suite.prefix}:{room:*}:runs`)).split("\n").filter((name) => name !== "");
      const here = ids.filter((_, index) => shards[index] === shard);
      expect(heard.toSorted()).toEqual(here.map((id) => `${suite.prefix}:{room:${id}}:runs`).toSorted());
      for (const id of here) expect(await master.command("EXISTS", `${suite.prefix}:{room:${id}}:log`)).toBe("1");
    }
  });

  it("INV-2, INV-5, REC-3, RDS-3: what a master took with it when it died is told as a gap at every node, and all go on", async () => {
    const served = await nodes(3);
    const people = await Promise.all(served.map((each) => enter(each, "one")));
    const publishAll = (text: string) => Promise.all(people.map(({ room }, index) => room.publish("line:add", { id: `${text}${index}` })));
    const shard = await suite.redis.shardOf("{room:one}");
    await publishAll("kept");
    // The replica has it.
    await (await suite.redis.masterOf(shard)).command("WAIT", "1", "5000");
    await suite.redis.failOver(shard, {
      unreplicated: async () => {
        await publishAll("lost");
        await vi.waitFor(() => {
          for (const { seen } of people) expect(seen).toHaveLength(6);
        }, patience);
      },
    });
    await publishAll("after");
    await vi.waitFor(() => {
      for (const { room } of people) expect(room.state.canonical().toSorted()).toEqual(["after0", "after1", "after2", "kept0", "kept1", "kept2"]);
    }, patience);
    for (const { room, seen, gaps } of people) {
      expect(gaps.length).toBeGreaterThan(0);
      expect(new Set(seen).size).toBe(seen.length);
      expect(room.state.canonical()).toEqual(people[0]!.room.state.canonical());
    }
    await suite.redis.heal();
  });
});
