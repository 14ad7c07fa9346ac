import { createClient, type Client } from "@tutti/client";
import { channel, defineContract } from "@tutti/protocol";
import { createServer, memoryBroker, silentLog, type Broker, type Server } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { simulate, type Participant, type SimulatedWorld } from "../src/index.js";

const contract = defineContract({
  channels: {
    "log:{id}": channel({ events: { "line:add": z.string() } }),
    "list:{id}": channel({
      events: { "line:add": z.string() },
      state: { version: 1, initial: [] as string[], reduce: (lines, { payload }) => [...lines, payload] },
    }),
  },
});

type Rooms = typeof contract;

/** A client that soon finds out that its connection is dead, long before the server does. */
const IMPATIENT = { heartbeatIntervalMs: 500, heartbeatTimeoutMs: 250, reconnectDelaysMs: [100], reconnectAttemptsMax: 1_000 };
const DAY_MS = 24 * 3_600_000;
const SECONDS = 30;
const LINES_A_SECOND = 10;

interface Hopper {
  readonly client: Client<Rooms>;
  readonly page: Participant;
  /** The events of the log, in the order in which the application saw them. */
  readonly seen: string[];
  readonly gaps: number[];
}

/** Nodes on one broker, and clients whose every connection lands at the next of them. */
class Cluster {
  readonly world: SimulatedWorld;
  readonly servers: readonly Server<Rooms>[];
  readonly hoppers: Hopper[] = [];
  #connections = 0;

  /** @param wallOffsetsMs of each node's wall clock */
  constructor(world: SimulatedWorld, brokers: (process: Participant) => Broker, wallOffsetsMs: readonly number[] = [0, 0, 0]) {
    this.world = world;
    const processes = wallOffsetsMs.map((wallOffsetMs, index) => world.process(`node${index}`, { wallOffsetMs }));
    this.servers = processes.map((environment) => createServer({ contract, environment, log: silentLog, broker: brokers(environment) }));
    this.#listen(processes, 0);
  }

  /** How many connections have been made. */
  get connectionCount(): number {
    return this.#connections;
  }

  /** How many the servers believe in. */
  get heldCount(): number {
    return this.servers.reduce((sum, server) => sum + server.stats().connections, 0);
  }

  open(name: string): Hopper {
    const page = this.world.process(name);
    const client = createClient({ contract, url: "ws://nodes.test/", environment: page, transport: this.world.network.transport(page), ...IMPATIENT });
    const hopper: Hopper = { client, page, seen: [], gaps: [] };
    const log = client.channel("log:{id}", { id: "1" });
    log.on("line:add", ({ payload }) => void hopper.seen.push(payload));
    log.on("gap", () => void hopper.gaps.push(this.world.clock.nowMs));
    for (const room of [log, client.channel("list:{id}", { id: "1" })]) void room.subscribe();
    this.hoppers.push(hopper);
    return hopper;
  }

  /** Everybody publishes, to the log and to the list, while connections die, one after the other; some of them unnoticed by their node. What was published. */
  async publish(): Promise<ReadonlyMap<string, readonly string[]>> {
    const published = new Map(this.hoppers.map(({ page }) => [page.name, [] as string[]]));
    const acks: Promise<unknown>[] = [];
    // A subscription begins where the channel is: everybody is there first.
    await this.world.clock.advance(1_000);
    for (let tick = 0; tick < SECONDS * LINES_A_SECOND; tick++) {
      for (const { client, page } of this.hoppers) {
        const line = `${page.name} ${tick}`;
        published.get(page.name)?.push(line);
        for (const pattern of ["log:{id}", "list:{id}"] as const) acks.push(client.channel(pattern, { id: "1" }).publish("line:add", line));
      }
      await this.world.clock.advance(1_000 / LINES_A_SECOND);
      if (tick % 7 === 0) this.#kill(tick);
    }
    await this.world.clock.advance(20_000);
    await Promise.all(acks);
    return published;
  }

  #kill(tick: number): void {
    const connections = this.world.network.connections();
    const connection = connections[tick % connections.length];
    if (tick % 2 === 0) connection?.lose();
    else connection?.cut("cable");
  }

  /** The next connection lands at the node after that. */
  #listen(processes: readonly Participant[], next: number): void {
    const [server, environment] = [this.servers[next], processes[next]];
    if (server === undefined || environment === undefined) throw new Error("no such node");
    this.world.network.listen("nodes.test", environment, (transport, request) => {
      this.#connections++;
      this.#listen(processes, (next + 1) % processes.length);
      return server.accept(transport, request);
    });
  }
}

/** What the log has of a channel, by its own account. */
async function contents(broker: Broker, channelName: string): Promise<string[]> {
  const { position } = await broker.head(channelName);
  const page = await broker.read(channelName, { epoch: position.epoch, seq: 0 }, { countMax: 10_000 });
  if (page.outcome === "gap") throw new Error("the log forgot its beginning");
  return page.run.events.map(({ payload }) => String(payload));
}

function expectOnceAndInOrder(lines: readonly string[], published: ReadonlyMap<string, readonly string[]>): void {
  for (const [name, own] of published) expect(lines.filter((line) => line.startsWith(`${name} `))).toEqual(own);
  expect(lines).toHaveLength([...published.values()].flat().length);
}

async function expectNothingLostOrDoubled(cluster: Cluster, log: Broker): Promise<void> {
  const published = await cluster.publish();
  // Most of what died was followed by a connection at the next node.
  expect(cluster.connectionCount).toBeGreaterThan(20);
  const lines = await contents(log, "log:1");
  const listed = await contents(log, "list:1");
  expectOnceAndInOrder(lines, published);
  expectOnceAndInOrder(listed, published);
  for (const { client, seen, gaps } of cluster.hoppers) {
    expect(gaps).toEqual([]);
    expect(seen).toEqual(lines);
    expect(client.channel("list:{id}", { id: "1" }).state.canonical()).toEqual(listed);
    expect(client.connection.getSnapshot().status).toBe("connected");
  }
}

describe("clients that come back at another node each time", () => {
  it.each([1, 2, 3])("SES-9, REC-6: see each event once and in order, and what they publish lands once, on three nodes and one broker in memory (seed %i)", async (seed) => {
    const world = simulate({ seed });
    const log = memoryBroker({ environment: world.process("log") });
    const cluster = new Cluster(world, () => log);
    for (const name of ["ada", "bob"]) cluster.open(name);
    await expectNothingLostOrDoubled(cluster, log);
  });

  it.each([4, 5, 6])("SES-9, REC-6: do so where the broker takes its time, repeats and loses what nodes tell each other (seed %i)", async (seed) => {
    const world = simulate({ seed });
    const broker = world.broker();
    broker.faults = { ...broker.faults, deliveryLost: 0.1, deliveryRepeated: 0.1, broadcastLost: 0.3, broadcastRepeated: 0.1, broadcastLate: 0.1 };
    const cluster = new Cluster(world, (process) => broker.connect(process));
    for (const name of ["ada", "bob"]) cluster.open(name);
    await expectNothingLostOrDoubled(cluster, broker.log);
  });

  it.each([7, 8])("SES-1, SES-9: have one connection over all nodes, however many were lost unnoticed (seed %i)", async (seed) => {
    const world = simulate({ seed });
    const broker = world.broker();
    const cluster = new Cluster(world, (process) => broker.connect(process));
    const { client } = cluster.open("ada");
    for (let hops = 0; hops < 10; hops++) {
      await world.clock.advance(2_000);
      expect([client.connection.getSnapshot().status, cluster.heldCount]).toEqual(["connected", 1]);
      for (const connection of world.network.connections()) connection.lose();
    }
    expect(cluster.connectionCount).toBe(10);
  });

  it("SES-2, SES-3: are never ended for good, with wall clocks days apart and most of what nodes tell each other lost", async () => {
    const reasons = new Set<string>();
    for (let seed = 10; seed < 30; seed++) {
      const world = simulate({ seed });
      const broker = world.broker();
      broker.faults = { ...broker.faults, broadcastLost: 0.6, broadcastLate: 0.2 };
      const cluster = new Cluster(world, (process) => broker.connect(process), [DAY_MS, 0, -DAY_MS]);
      const { client } = cluster.open("ada");
      client.on("status", ({ reason }) => void reasons.add(reason?.code ?? ""));
      for (let hops = 0; hops < 20; hops++) {
        await world.clock.advance(700);
        for (const connection of world.network.connections()) connection.lose();
      }
      await world.clock.advance(30_000);
      expect(client.connection.getSnapshot().status).toBe("connected");
    }
    // Where the clocks were wrong, the connection was lost, and the client came back.
    expect(reasons).toContain("CONNECTION_LOST");
  });
});
