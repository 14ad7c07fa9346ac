import { hasNginx, hasRedis } from "@tutti/cluster";
import { RandomStream } from "@tutti/testkit";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, it, onTestFailed, onTestFinished, vi } from "vitest";
import { Guest } from "./chaos/guest.js";
import { chanceOf, seed } from "./durable/chance.js";
import type { Witness } from "./durable/clients.js";
import { difference, idOf, linesOf, type Contents } from "./durable/contents.js";
import { board, feed } from "./durable/setting.js";
import type { Torrent } from "./durable/torrent.js";
import { Fleet } from "./nodes/fleet.js";

const patience = { timeout: 60_000, interval: 20 };
const kills = 2;

let fleet: Fleet | undefined;

afterEach(async () => {
  await fleet?.end();
  fleet = undefined;
});

async function open(): Promise<Fleet> {
  onTestFailed(() => console.error(`TUTTI_SEED=${seed}`));
  fleet = await Fleet.open();
  return fleet;
}

const publishersOf = ({ clients, port }: Fleet, width = 8): readonly Torrent[] =>
  Array.from({ length: 4 }, (_, index) => clients.publisher(port, `publisher${index}`, "feed:{id}", width));

/** One at each node at least, since nginx gives connections to them in turn. */
const subscribersOf = ({ clients, port, nodes }: Fleet): Promise<readonly Witness[]> => Promise.all(nodes.map(() => clients.subscriber(port)));

const allAcknowledge = (publishers: readonly Torrent[]): Promise<unknown> => Promise.all(publishers.map((each) => each.acknowledged()));

async function contentsOf(channel: string): Promise<Contents> {
  const [contents] = await fleet!.contents(channel);
  return contents!;
}

/** Each publisher's events are there, all of them once and in its order. */
function expectAllOf(publishers: readonly Torrent[], { events }: Contents): void {
  const ids = events.map(idOf);
  for (const { name, ids: published, failures } of publishers) {
    expect(failures).toEqual([]);
    expect(difference(ids.filter((id) => id.startsWith(`${name}-`)), published)).toBeUndefined();
  }
  expect(ids).toHaveLength(publishers.reduce((sum, { ids: published }) => sum + published.length, 0));
}

/** Everybody saw all that the log has, once, in its order, and was told of no gap. */
async function expectSeen(subscribers: readonly Witness[], contents: Contents): Promise<void> {
  const lines = linesOf(contents);
  await vi.waitFor(() => expect(subscribers.map(({ seen }) => seen.at(-1))).toEqual(subscribers.map(() => lines.at(-1))), patience);
  for (const { seen, gaps } of subscribers) {
    expect(gaps).toEqual([]);
    expect(difference(seen, lines)).toBeUndefined();
  }
}

describe.skipIf(!hasRedis() || !hasNginx())("three nodes on one Redis, behind an nginx that knows nobody again (needs redis, needs nginx)", { timeout: 120_000 }, () => {
  it(`INV-1, INV-2, INV-3, INV-4, INV-8, CON-7: whoever was at a node that is killed goes on at another, ${kills} times, misses nothing and repeats nothing`, async () => {
    const { nodes, port, clients } = await open();
    const chance = chanceOf("node is killed");
    const subscribers = await subscribersOf(fleet!);
    const state = await clients.tally(port);
    const publishers = publishersOf(fleet!);
    const writers = [0, 1].map((index) => clients.publisher(port, `writer${index}`, "board:{id}", 8));
    for (let round = 0; round < kills; round++) {
      await allAcknowledge([...publishers, ...writers]);
      await pause(chance.below(200));
      const victim = nodes[round % nodes.length]!;
      await victim.program.kill();
      await allAcknowledge([...publishers, ...writers]);
      await fleet!.revive(victim);
    }
    await Promise.all([...publishers, ...writers].map((each) => each.end()));
    const contents = await contentsOf(feed);
    console.log(`${contents.events.length} events in the feed over ${kills} kills, seed ${seed}`);
    expectAllOf(publishers, contents);
    await expectSeen(subscribers, contents);
    const counts = Object.fromEntries(writers.map(({ name, ids }) => [name, ids.length]));
    await vi.waitFor(() => expect(state.canonical()).toEqual({ counts, strays: [] }), patience);
    // It was trimmed: what is there was restored from a snapshot that one of the nodes kept.
    expect((await contentsOf(board)).events.length).toBeLessThan(Math.max(...Object.values(counts)));
  });

  it("INV-7, PRE-10, PRE-11, PRE-13: whoever comes back at another node was never gone, and who does not leaves everywhere", async () => {
    const { nodes, port } = await open();
    const victim = nodes[0]!;
    const guest = (name: string, at: number) => new Guest({ port: at, name, room: "one", chance: new RandomStream(seed, name) });
    const staying = ["ada", "bob", "cy", "dee", "eve", "fay"].map((name) => guest(name, port));
    const leaving = guest("gus", victim.port);
    const guests = [...staying, leaving];
    onTestFinished(async () => void (await Promise.all(guests.map((each) => each.leave()))));
    await Promise.all(guests.map((each) => each.enter()));
    await vi.waitFor(() => {
      for (const each of guests) expect(each.people()).toEqual(guests.map(({ name }) => name).toSorted());
    }, patience);
    const left: string[] = [];
    for (const each of staying) each.onLeave((name) => left.push(name));
    await victim.program.kill();
    await vi.waitFor(() => {
      for (const each of staying) expect(each.people()).toEqual(staying.map(({ name }) => name).toSorted());
    }, patience);
    expect(new Set(left)).toEqual(new Set(["gus"]));
  });

  it("INV-1, INV-2, INV-3, SRV-1: a deploy, node by node, loses and repeats nothing", async () => {
    const { nodes } = await open();
    const subscribers = await subscribersOf(fleet!);
    const publishers = publishersOf(fleet!);
    for (const node of nodes) {
      await allAcknowledge(publishers);
      await fleet!.replace(node);
    }
    await allAcknowledge(publishers);
    await Promise.all(publishers.map((each) => each.end()));
    const contents = await contentsOf(feed);
    expectAllOf(publishers, contents);
    await expectSeen(subscribers, contents);
  });

  it("INV-1, INV-2, INV-3, INV-5: a Redis that is killed and comes back with what it had is waited for, and nothing is lost", async () => {
    const { redis } = await open();
    const subscribers = await subscribersOf(fleet!);
    const publishers = publishersOf(fleet!);
    for (let round = 0; round < 2; round++) {
      await allAcknowledge(publishers);
      await redis.restart({ signal: "SIGKILL" });
    }
    await allAcknowledge(publishers);
    await Promise.all(publishers.map((each) => each.end()));
    const contents = await contentsOf(feed);
    expectAllOf(publishers, contents);
    await expectSeen(subscribers, contents);
  });

  it.each(["all of it", "its last part"] as const)("INV-2, INV-5, REC-3: where Redis lost %s everybody is told of the gap, and goes on", async (lost) => {
    const { redis } = await open();
    const subscribers = await subscribersOf(fleet!);
    const width = 4;
    const publishers = publishersOf(fleet!, width);
    await allAcknowledge(publishers);
    const before = await contentsOf(feed);
    const earlier = await redis.copyData();
    // What was under way then is in the copy; the one after it is not.
    for (let acks = 0; acks <= width; acks++) await allAcknowledge(publishers);
    await redis.restart({ signal: "SIGKILL", data: lost === "all of it" ? "lost" : earlier });
    await allAcknowledge(publishers);
    await Promise.all(publishers.map((each) => each.end()));

    const after = await contentsOf(feed);
    // A log that went on past what was seen of it, before anybody could say so, keeps its epoch: there the events' ids tell.
    if (lost === "all of it") expect(after.epoch).not.toBe(before.epoch);
    const lines = linesOf(after);
    await vi.waitFor(() => expect(subscribers.map(({ seen }) => seen.at(-1))).toEqual(subscribers.map(() => lines.at(-1))), patience);
    expect(subscribers.some(({ seen }) => seen.some((line) => !lines.includes(line)))).toBe(true);
    for (const { seen, gaps } of subscribers) {
      // What came after that which the log no longer has is its end, without a hole.
      const lastLost = seen.findLastIndex((line) => !lines.includes(line));
      const kept = seen.slice(lastLost + 1);
      if (lastLost >= 0) expect(gaps.length).toBeGreaterThan(0);
      expect(new Set(seen).size).toBe(seen.length);
      expect(difference(kept, lines.slice(-kept.length))).toBeUndefined();
    }
    const ids = after.events.map(idOf);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

