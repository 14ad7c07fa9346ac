import { describe, expect, it } from "vitest";
import { createServer, silentLog, type Server } from "@tutti/server";
import { RandomStream, SimulatedWorld, calmBroker, type BrokerFaults, type Participant } from "@tutti/testkit";
import type { ManualEnvironment } from "./support/manual-environment.js";
import { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";

const ROUGH: BrokerFaults = {
  delayMs: [0.2, 400],
  refused: 0.05,
  answerLost: 0.05,
  hangs: 0.02,
  hangMs: 3_000,
  deliveryLost: 0.25,
  deliveryRepeated: 0.25,
  broadcastLost: 0.25,
  broadcastRepeated: 0.25,
  broadcastLate: 0.25,
};
const USERS = ["ada", "bob", "eve"];
const ROOMS = ["1", "2"];

interface Node {
  readonly process: Participant;
  readonly server: Server<typeof rooms>;
  /** One of each user, connected from the start. */
  readonly guests: readonly { readonly token: string; readonly peer: Peer }[];
}

const SEEDS = Array.from({ length: 12 }, (_, at) => at + 1);

/** Three nodes on a broker that fails, and what the application does at any of them. */
class Scene {
  readonly world: SimulatedWorld;
  readonly broker: ReturnType<SimulatedWorld["broker"]>;
  readonly nodes: Node[] = [];
  readonly random: RandomStream;
  #names = 0;
  #secrets = 0;

  constructor(seed: number) {
    this.world = new SimulatedWorld({ seed });
    this.broker = this.world.broker();
    this.random = new RandomStream(seed, "the application");
  }

  start(): void {
    const process = this.world.process(`node ${this.#names++}`);
    const server = createServer({
      contract: rooms,
      environment: process,
      broker: this.broker.connect(process),
      log: silentLog,
      snapshotEvery: 10,
      authenticate: ({ token }) => (token === undefined ? undefined : { id: token }),
      channels: { "room:{id}": { authorize: ({ action }) => action !== "subscribe" } },
    });
    this.nodes.push({ process, server, guests: this.#guestsOf(server) });
  }

  /** Who is in a channel at the end that it is not a member of: the last word of the server on it was not that it left. */
  intruders(memberships: string): string[] {
    return this.nodes.flatMap(({ process, guests }) =>
      guests.flatMap(({ token, peer }) => [...channelsOf(peer)].filter((channel) => !isMember(memberships, token, channel)).map((channel) => `${token} in ${channel} at ${process.name}`)),
    );
  }

  /** A node dies, and another one starts. */
  replace(): void {
    const [dead] = this.nodes.splice(this.random.below(this.nodes.length), 1);
    dead?.process.stop();
    this.start();
  }

  /** Does something at some node; what becomes of it is told by `settled`. */
  command(settled: (isDone: boolean) => void): void {
    const room = this.#any(this.nodes).server.channel("room:{id}", { id: this.#any(ROOMS) });
    const target = { user: this.#any(USERS) };
    const draw = this.random.next();
    const act = draw < 0.5 ? room.add(target) : draw < 0.7 ? room.remove(target) : draw < 0.8 ? room.revoke(target) : draw < 0.9 ? room.close() : room.reopen();
    act.then(
      () => settled(true),
      () => settled(false),
    );
  }

  /** What each node lets everybody into, by a connection that comes now. */
  async views(): Promise<string[]> {
    const peers = this.nodes.map(({ server }) => this.#guestsOf(server));
    await this.world.clock.advance(2_000);
    const states = this.nodes.map(async ({ server }) => {
      const closed = ROOMS.map(async (id) => server.channel("room:{id}", { id }).state().then(() => "open", () => "closed"));
      await this.world.clock.advance(1_000);
      return (await Promise.all(closed)).join();
    });
    const joined = peers.map((at) => at.map(({ token, peer }) => `${token}: ${peer.of("joined").map(({ channel }) => channel).toSorted((a, b) => a.localeCompare(b)).join()}`).join("; "));
    const views: string[] = [];
    for (const [at, state] of states.entries()) views.push(`${joined[at]}; ${await state}`);
    return views;
  }

  #guestsOf(server: Server<typeof rooms>): Node["guests"] {
    return USERS.map((token) => {
      // Nothing of it is waited for here but by the simulated clock.
      const peer = new Peer(server, this.world.clock as unknown as ManualEnvironment);
      peer.send({ op: "hello", versions: [1], session: `secret-${++this.#secrets}`.padEnd(22, "-"), token });
      return { token, peer };
    });
  }

  #any<T>(list: readonly T[]): T {
    const one = list[this.random.below(list.length)];
    if (one === undefined) throw new Error("nothing to choose from");
    return one;
  }
}

/** The channels that the server put a peer into, and did not take it out of again. */
function channelsOf(peer: Peer): Set<string> {
  const channels = new Set<string>();
  for (const frame of peer.frames) {
    if (frame.op === "joined") channels.add(frame.channel);
    if (frame.op === "left") channels.delete(frame.channel);
  }
  return channels;
}

function isMember(memberships: string, user: string, channel: string): boolean {
  return memberships.split("; ").some((part) => part.startsWith(`${user}: `) && part.includes(channel));
}

async function run(seed: number) {
  const scene = new Scene(seed);
  for (let node = 0; node < 3; node++) scene.start();
  await scene.world.clock.advance(3_000);
  scene.broker.faults = ROUGH;
  let [asked, answered, done] = [0, 0, 0];
  for (let step = 0; step < 60; step++) {
    asked++;
    scene.command((isDone) => {
      answered++;
      if (isDone) done++;
    });
    if (step === 20 || step === 40) scene.replace();
    await scene.world.clock.advance(scene.random.between(1, 600));
  }
  const died = 2;
  scene.broker.faults = calmBroker;
  await scene.world.clock.advance(40_000);
  return { scene, asked, answered, done, died };
}

describe("commands over a broker that fails", () => {
  it.each(SEEDS)("CMD-1 leave the same standing at all nodes, also at one that starts later (seed %i)", async (seed) => {
    const { scene, asked, answered, done } = await run(seed);
    scene.start();
    await scene.world.clock.advance(3_000);
    const views = await scene.views();
    expect(new Set(views).size, views.join("\n")).toBe(1);
    expect(scene.intruders(views[0] ?? "")).toEqual([]);
    expect(scene.world.clock.escapedErrors).toEqual([]);
    // Those of a node that died are answered by nobody.
    expect(answered).toBeLessThanOrEqual(asked);
    expect(done).toBeGreaterThan(asked / 4);
  });

  it("CMD-1 the runs are worth something: what stands is neither nothing nor everything", async () => {
    const all: string[] = [];
    for (const seed of [1, 2, 3, 4]) {
      const { scene } = await run(seed);
      all.push((await scene.views())[0] ?? "");
    }
    expect(new Set(all).size).toBeGreaterThan(2);
    expect(all.join()).toContain("room:");
  });
});
