import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasRedis } from "../src/found-programs.js";
import { startRedisCluster, type RedisCluster } from "../src/redis-cluster.js";

describe.skipIf(!hasRedis())("a Redis Cluster of its own (needs redis)", { timeout: 60_000 }, () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startRedisCluster({ shards: 3, replicas: 1 });
  }, 60_000);

  afterAll(() => cluster?.remove());

  /** A key, the shard that it belongs to, and what the shard's master has under it now. */
  async function entry(key: string) {
    const shard = await cluster.shardOf(key);
    const write = async (value: string) => (await cluster.masterOf(shard)).command("SET", key, value);
    const read = async () => (await cluster.masterOf(shard)).command("GET", key);
    /** Once the replica has what was written. */
    const isReplicated = async () => (await cluster.masterOf(shard)).command("WAIT", "1", "5000");
    return { shard, write, read, isReplicated };
  }

  test("serves keys on three shards, each by one master", async () => {
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
    const shards = await Promise.all(keys.map((key) => cluster.shardOf(key)));
    expect(new Set(shards)).toEqual(new Set([0, 1, 2]));
    for (const key of keys) expect(await (await entry(key)).write("value")).toBe("OK");
    const masters = await Promise.all([0, 1, 2].map((shard) => cluster.masterOf(shard)));
    expect(new Set(masters.map(({ port }) => port)).size).toBe(3);
    expect(cluster.nodes).toHaveLength(6);
  });

  test("elects the replica of a master that was killed, which has what it had, and takes the old one back", async () => {
    const { shard, write, read, isReplicated } = await entry("kept");
    await write("value");
    expect(await isReplicated()).toBe("1");
    const before = await cluster.masterOf(shard);
    await cluster.failOver(shard);
    const after = await cluster.masterOf(shard);
    expect(after.port).not.toBe(before.port);
    expect(await read()).toBe("value");
    await cluster.heal();
    expect(await before.command("ROLE")).toMatch(/^slave/);
    expect(await cluster.masterOf(shard)).toBe(after);
  });

  test("loses what the replica had not heard of", async () => {
    const { shard, write, read, isReplicated } = await entry("lost");
    await write("old");
    await isReplicated();
    await cluster.failOver(shard, { unreplicated: async () => void (await write("new")) });
    expect(await read()).toBe("old");
    await cluster.heal();
    // Nothing of the cut is left: what is written now is kept.
    await write("newer");
    expect(await isReplicated()).toBe("1");
  });
});
