import { createClient, type Client, type Transport } from "@tutti/client";
import { longPollTransport } from "@tutti/client/long-poll";
import { pollTransport } from "@tutti/client/poll";
import { sseTransport } from "@tutti/client/sse";
import { streamTransport } from "@tutti/client/stream";
import { channel, defineContract } from "@tutti/protocol";
import { createServer, silentLog, type Server } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { RandomStream, simulate, type Participant, type SimulatedWorld } from "../src/index.js";

const contract = defineContract({
  channels: {
    "list:{id}": channel({
      events: { "line:add": z.string() },
      state: { version: 1, initial: [] as string[], reduce: (lines, { payload }) => [...lines, payload] },
    }),
  },
});

type Lists = typeof contract;

const NODES = ["node0", "node1", "node2"];
const SECONDS = 30;
const MAKERS = [sseTransport, streamTransport, longPollTransport, pollTransport] as const;

interface Guest {
  readonly client: Client<Lists>;
  readonly seen: string[];
  readonly name: string;
}

/** Three nodes on one broker behind one name, where each connection and each request finds the next of them. */
async function site(seed: number): Promise<{ readonly world: SimulatedWorld; readonly servers: readonly Server<Lists>[]; readonly enter: (name: string, make: (page: Participant) => Transport) => Guest }> {
  const world = simulate({ seed });
  const broker = world.broker();
  const servers = NODES.map((name) => {
    const environment = world.process(name);
    const server = createServer({ contract, environment, log: silentLog, sessionKeys: ["k".repeat(32)], broker: broker.connect(environment), outboxBytesMax: 64 * 1024 });
    world.network.listen(name, environment, (transport, request) => server.accept(transport, request));
    world.network.listenHttp(name, environment, server.http());
    return server;
  });
  let turn = 0;
  world.network.route = () => NODES[turn++ % NODES.length]!;
  await world.clock.advance(3_000);
  const enter = (name: string, make: (page: Participant) => Transport): Guest => {
    const environment = world.process(name);
    const client = createClient({ contract, url: "ws://site.test/v1/connect", environment, transport: make(environment), lifecycle: { watch: () => () => {} }, reconnectDelaysMs: [500], reconnectAttemptsMax: 1_000 });
    const list = client.channel("list:{id}", { id: "1" });
    const seen: string[] = [];
    list.on("line:add", ({ payload }) => void seen.push(payload));
    void list.subscribe();
    return { client, seen, name };
  };
  return { world, servers, enter };
}

describe("links over a simulated network", () => {
  it.each([1, 2, 3, 4, 5])("LNK-18, LNK-9: with every transport at three nodes events come once and in order, and publishes land once, whatever befalls requests (seed %i)", async (seed) => {
    const { world, servers, enter } = await site(seed);
    const guests = MAKERS.map((make, index) => enter(`guest${index}`, (page) => make({ fetch: world.network.fetch(page), environment: page })));
    guests.push(enter("guest4", (page) => world.network.transport(page)));
    await world.clock.advance(10_000);
    expect(servers.flatMap((server) => server.connections().map(({ transport }) => transport)).toSorted()).toEqual(["long-poll", "poll", "sse", "stream", "websocket"]);
    const chances = new RandomStream(seed, "faults");
    const published: string[] = [];
    const acks: Promise<unknown>[] = [];
    for (let tick = 0; tick < SECONDS * 5; tick++) {
      for (const { client, name } of guests) {
        const line = `${name} ${tick}`;
        published.push(line);
        acks.push(client.channel("list:{id}", { id: "1" }).publish("line:add", line));
      }
      await world.clock.advance(200);
      const ways = world.network.connections();
      const way = ways[chances.below(Math.max(1, ways.length))];
      if (tick % 10 === 3) way?.cut("cable");
      if (tick % 10 === 6) way?.lose();
      if (tick % 10 === 9) way?.stallReader();
    }
    world.network.heal();
    await world.clock.advance(90_000);
    await Promise.all(acks);
    const log = guests[0]!.client.channel("list:{id}", { id: "1" }).state.getSnapshot();
    expect(log.toSorted()).toEqual(published.toSorted());
    for (const { client, seen, name } of guests) {
      expect(client.channel("list:{id}", { id: "1" }).state.getSnapshot()).toEqual(log);
      expect(new Set(seen).size).toBe(seen.length);
      expect(log.filter((line) => line.startsWith(`${name} `))).toEqual(published.filter((line) => line.startsWith(`${name} `)));
    }
  });

  it("LNK-11: a page that dies leaves no link behind, whichever it has", async () => {
    const { world, servers, enter } = await site(1);
    const pages: Participant[] = [];
    for (const [index, make] of MAKERS.entries()) {
      enter(`guest${index}`, (page) => {
        pages.push(page);
        return make({ fetch: world.network.fetch(page), environment: page });
      });
    }
    await world.clock.advance(15_000);
    const open = (): number => servers.reduce((sum, server) => sum + server.stats().connections, 0);
    expect(open()).toBe(4);
    for (const page of pages) page.stop();
    // Nobody is told: the machine is gone.
    for (const way of world.network.connections()) way.lose();
    await world.clock.advance(160_000);
    expect(open()).toBe(0);
  });
});
