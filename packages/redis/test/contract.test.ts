import { hasRedis, startRedis, startRedisCluster, type RedisCluster, type RedisServer } from "@tutti/cluster";
import { TuttiError, type Position } from "@tutti/protocol";
import type { Broker, LoggedEvent, PublisherCount } from "@tutti/server";
import { brokerContractSuite } from "@tutti/testkit";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { redisBroker, type RedisPlace } from "../src/index.js";

/** A message that Redis has taken is with all subscribers of this machine long before. */
const deliveryMs = 100;
const retryMs = 50;

let serial = 0;
const freshPrefix = (): string => `test-${process.pid}-${++serial}`;

/** An empty broker, whose log's clock can be put forward. */
async function brokerUnderTest(place: RedisPlace) {
  let aheadMs = 0;
  const broker = await redisBroker({ ...place, prefix: freshPrefix(), clockAheadMs: () => aheadMs });
  const elapse = async (ms: number): Promise<void> => {
    aheadMs += ms;
    await pause(deliveryMs);
  };
  return { broker, elapse, dispose: () => broker.close() };
}

/** A publisher that goes on until each of its events is acknowledged, in their order. */
class Persistent {
  /** The position of each, by the event's id. */
  readonly acks = new Map<string, Position>();
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(broker: Broker, channel: string, session: string) {
    this.#done = this.#publishAll(broker, channel, session);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #publishAll(broker: Broker, channel: string, session: string): Promise<void> {
    for (let n = 1; !this.#isOver; n++) {
      const eventId = `${session}:${n}`;
      this.acks.set(eventId, await this.#publish(broker, channel, eventId, { session, n, settled: n - 1 }));
    }
  }

  async #publish(broker: Broker, channel: string, eventId: string, publisher: PublisherCount): Promise<Position> {
    for (;;) {
      try {
        const outcome = await broker.append(channel, { event: { eventId, type: "note:add", payload: eventId, timestamp: 0 }, publisher });
        if (outcome.outcome === "appended" || outcome.outcome === "repeat") return outcome.position;
        throw new Error(`${eventId} ended with ${JSON.stringify(outcome)}`);
      } catch (error) {
        if (!(error instanceof TuttiError) || error.code !== "UNAVAILABLE") throw error;
        await pause(retryMs);
      }
    }
  }
}

/** Everything that the log has of a channel. */
async function eventsOf(broker: Broker, channel: string): Promise<readonly LoggedEvent[]> {
  const { position, floor } = await broker.head(channel);
  const events: LoggedEvent[] = [];
  for (let seq = floor; ; ) {
    const page = await broker.read(channel, { epoch: position.epoch, seq }, { countMax: 1_000 });
    if (page.outcome === "gap") throw new Error(`a gap above ${page.floor.seq}`);
    const last = page.run.events.at(-1);
    if (last === undefined) return events;
    events.push(...page.run.events);
    seq = last.seq;
  }
}

describe.skipIf(!hasRedis())("on a Redis server (needs redis)", { timeout: 30_000 }, () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedis({ config: ["appendfsync no"] });
  });

  afterAll(() => server?.remove());

  brokerContractSuite("Redis", () => brokerUnderTest({ url: server.url }), { describe, it, expect });
});

describe.skipIf(!hasRedis())("on a Redis Cluster of three shards (needs redis)", { timeout: 60_000 }, () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startRedisCluster({ shards: 3, replicas: 1, config: ["appendfsync no"] });
  }, 60_000);

  afterAll(() => cluster?.remove());

  brokerContractSuite("a Redis Cluster", () => brokerUnderTest({ cluster: cluster.urls }), { describe, it, expect });

  describe("when a master dies", () => {
    /** Several publishers at two nodes, while `failOver` takes place. */
    async function publishOver(failOver: (shard: number, acknowledged: () => Promise<void>) => Promise<void>) {
      const prefix = freshPrefix();
      const channel = `room:${prefix}`;
      const nodes = await Promise.all([0, 1].map(() => redisBroker({ cluster: cluster.urls, prefix })));
      const publishers = Array.from({ length: 6 }, (_, index) => new Persistent(nodes[index % 2]!, channel, `session-${index}`));
      /** Each has been acknowledged once more. */
      const acknowledged = async (): Promise<void> => {
        const counts = publishers.map(({ acks }) => acks.size);
        await expect.poll(() => publishers.every(({ acks }, index) => acks.size > (counts[index] ?? 0)), { timeout: 20_000 }).toBe(true);
      };
      await acknowledged();
      // All keys of a channel are in the slot of its name.
      await failOver(await cluster.shardOf(`{${channel}}`), acknowledged);
      await acknowledged();
      await Promise.all(publishers.map((each) => each.end()));
      const end = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.close())));
      return { broker: nodes[0]!, channel, acks: publishers.flatMap(({ acks }) => [...acks]), end };
    }

    /** How many of the acknowledged events are not where they were acknowledged. Each is there, or whoever saw it is told of a gap. */
    async function lostOf(broker: Broker, channel: string, acks: readonly (readonly [string, Position])[]): Promise<number> {
      const events = await eventsOf(broker, channel);
      const { epoch } = (await broker.head(channel)).position;
      const ids = events.map(({ eventId }) => eventId);
      expect(new Set(ids).size).toBe(ids.length);
      const places = new Map(events.map(({ eventId, seq }) => [eventId, seq]));
      const lost = acks.filter(([eventId, position]) => position.epoch !== epoch || places.get(eventId) !== position.seq);
      for (const [eventId, position] of lost) expect(await broker.read(channel, { ...position, eventId }, { countMax: 1 })).toMatchObject({ outcome: "gap" });
      return lost.length;
    }

    it("BRK-1, BRK-2, RDS-2: each event that was acknowledged is there once, where the replica had it", async () => {
      const { broker, channel, acks, end } = await publishOver(async (shard, acknowledged) => {
        await acknowledged();
        await cluster.failOver(shard);
      });
      const lost = await lostOf(broker, channel, acks);
      console.log(`${acks.length} events, ${lost} of them not replicated`);
      await end();
      await cluster.heal();
    });

    it("BRK-2, BRK-6, RDS-3: what the replica had not heard of is lost, and whoever saw it is told", async () => {
      const { broker, channel, acks, end } = await publishOver((shard, acknowledged) => cluster.failOver(shard, { unreplicated: acknowledged }));
      const lost = await lostOf(broker, channel, acks);
      console.log(`${acks.length} events, ${lost} of them not replicated`);
      expect(lost).toBeGreaterThan(0);
      await end();
      await cluster.heal();
    });
  });
});
