import { createClient, type Client, type Transport } from "@tutti/client";
import { longPollTransport } from "@tutti/client/long-poll";
import { pollTransport } from "@tutti/client/poll";
import { sseTransport } from "@tutti/client/sse";
import { streamTransport } from "@tutti/client/stream";
import { channel, defineContract } from "@tutti/protocol";
import { createServer, memoryBroker, silentLog, type Server } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { MemoryHttp, RandomStream, simulate, type Participant, type SimulatedWorld } from "../src/index.js";

const contract = defineContract({
  channels: {
    "list:{id}": channel({
      events: { "line:add": z.string() },
      signals: { "cursor:move": z.number() },
      presence: z.object({ name: z.string() }),
      state: { version: 1, initial: [] as string[], reduce: (lines, { payload }) => [...lines, payload] },
    }),
  },
  calls: { "text:echo": { input: z.string(), output: z.string() } },
});

type Lists = typeof contract;

const TRANSPORTS = [
  ["sse", sseTransport],
  ["stream", streamTransport],
  ["long-poll", longPollTransport],
  ["poll", pollTransport],
] as const;
const CASES = TRANSPORTS.flatMap(([name, make]) => [1, 2].map((nodes) => [name, nodes, make] as const));
const TICKS = 100;
const list = { id: "1" };

interface Guest {
  readonly client: Client<Lists>;
  readonly page: Participant;
  /** The events, in the order in which the application saw them. */
  readonly seen: string[];
}

/** Nodes on one broker, each request at the next of them, and clients. */
class Site {
  readonly world: SimulatedWorld;
  readonly servers: readonly Server<Lists>[];
  readonly http: MemoryHttp;
  readonly guests: Guest[] = [];

  private constructor(world: SimulatedWorld, servers: readonly [Server<Lists>, ...Server<Lists>[]]) {
    const [first, ...others] = servers;
    this.world = world;
    this.servers = servers;
    this.http = new MemoryHttp(first.http(), ...others.map((server) => server.http()));
  }

  static async open(nodes: number, seed = 1): Promise<Site> {
    const world = simulate({ seed });
    const broker = nodes > 1 ? world.broker() : undefined;
    const serverAt = (name: string): Server<Lists> => {
      const environment = world.process(name);
      const calls = { "text:echo": ({ payload }: { readonly payload: string }) => payload };
      return createServer({ contract, environment, calls, log: silentLog, sessionKeys: ["k".repeat(32)], broker: broker?.connect(environment) ?? memoryBroker({ environment }) });
    };
    const site = new Site(world, [serverAt("node0"), ...Array.from({ length: nodes - 1 }, (_, index) => serverAt(`node${index + 1}`))]);
    // The nodes come to know each other.
    await world.clock.advance(3_000);
    return site;
  }

  async enter(name: string, make: (options: { readonly fetch: MemoryHttp["fetch"]; readonly environment: Participant }) => Transport): Promise<Guest> {
    const page = this.world.process(name);
    const transport = make({ fetch: this.http.fetch, environment: page });
    const client = createClient({ contract, url: "ws://site.test/v1/connect", environment: page, transport, lifecycle: { watch: () => () => {} }, reconnectDelaysMs: [100], reconnectAttemptsMax: 1_000 });
    const guest: Guest = { client, page, seen: [] };
    const room = client.channel("list:{id}", list);
    room.on("line:add", ({ payload }) => void guest.seen.push(payload));
    void room.subscribe({ presence: { state: { name } } });
    this.guests.push(guest);
    await this.world.clock.advance(3_000);
    expect(room.status.getSnapshot().status).toBe("live");
    return guest;
  }
}

describe("links over HTTP, from client to server", () => {
  it.each(CASES)("LNK-18: by %s at %i nodes events come once and in order, and publishes land once, whatever is lost on the way", async (_name, nodes, make) => {
    const site = await Site.open(nodes);
    const chances = new RandomStream(7, "requests");
    const guests = [await site.enter("ada", make), await site.enter("bob", make), await site.enter("cy", make)];
    site.http.fateOf = () => {
      const chance = chances.next();
      return chance < 0.05 ? "is lost" : chance < 0.1 ? "answer is lost" : "arrives";
    };
    const published: string[] = [];
    const acks: Promise<unknown>[] = [];
    for (let tick = 0; tick < TICKS; tick++) {
      for (const { client, page } of guests) {
        const line = `${page.name} ${tick}`;
        published.push(line);
        acks.push(client.channel("list:{id}", list).publish("line:add", line));
      }
      await site.world.clock.advance(100);
      if (tick % 17 === 16) site.http.cut();
    }
    site.http.fateOf = () => "arrives";
    await site.world.clock.advance(60_000);
    await Promise.all(acks);
    const [first] = guests;
    expect(first!.seen.toSorted()).toEqual(published.toSorted());
    for (const { page } of guests) {
      const own = first!.seen.filter((line) => line.startsWith(`${page.name} `));
      expect(own).toEqual(published.filter((line) => line.startsWith(`${page.name} `)));
    }
    for (const { seen, client } of guests) {
      expect(seen).toEqual(first!.seen);
      expect(client.channel("list:{id}", list).state.getSnapshot()).toEqual(first!.seen);
    }
  });

  it.each(CASES)("LNK-18: by %s at %i nodes presence, signals and calls are as over a WebSocket", async (name, nodes, make) => {
    const site = await Site.open(nodes);
    const [ada, bob] = [await site.enter("ada", make), await site.enter("bob", make)];
    const rooms = [ada, bob].map(({ client }) => client.channel("list:{id}", list));
    const heard: number[] = [];
    rooms[1]!.on("cursor:move", ({ payload }) => void heard.push(payload));
    await site.world.clock.advance(15_000);
    const names = rooms.map(({ presence }) => presence.getSnapshot().people.flatMap(({ devices }) => devices.map(({ state }) => state.name)));
    expect(names.map((each) => each.toSorted())).toEqual([["ada", "bob"], ["ada", "bob"]]);
    rooms[0]!.signal("cursor:move", 7);
    const echo = ada.client.call("text:echo", "é");
    await site.world.clock.advance(15_000);
    expect(heard).toEqual([7]);
    expect(await echo).toBe("é");
    expect(site.servers.flatMap((server) => server.connections().map(({ transport }) => transport))).toEqual([name, name]);
    // Whoever says goodbye is gone at once.
    void bob.client.close();
    await site.world.clock.advance(1_000);
    expect(site.servers.reduce((sum, server) => sum + server.stats().connections, 0)).toBe(1);
  });

  it.each(CASES)("LNK-18: by %s at %i nodes a client stays connected when nothing happens, and is told when it is sent away", async (_name, nodes, make) => {
    const site = await Site.open(nodes);
    const { client, seen } = await site.enter("ada", make);
    const statuses: string[] = [];
    client.on("status", ({ status, reason }) => statuses.push(`${status} ${reason?.code}`));
    await site.world.clock.advance(10 * 60_000);
    expect(statuses).toEqual([]);
    const [server] = site.servers;
    void server!.disconnect({ session: client.connection.getSnapshot().session! }, "enough");
    await site.world.clock.advance(15_000);
    expect(statuses).toEqual(["disconnected KICKED"]);
    expect(seen).toEqual([]);
  });

  it.each(TRANSPORTS)("LNK-18: by %s a client whose node dies goes on at another, and misses nothing", async (_name, make) => {
    const site = await Site.open(2);
    const { client, seen } = await site.enter("ada", make);
    const ack = client.channel("list:{id}", list).publish("line:add", "before");
    await site.world.clock.advance(15_000);
    await ack;
    const holder = site.servers.findIndex((server) => server.stats().connections === 1);
    const other = site.servers[1 - holder]!;
    const service = other.http();
    site.http.route = () => service;
    site.http.cut();
    void site.servers[holder]!.drain({ withinMs: 0 });
    void other.channel("list:{id}", list).publish("line:add", "after");
    await site.world.clock.advance(20_000);
    expect(seen).toEqual(["before", "after"]);
    expect(other.stats().connections).toBe(1);
  });
});
