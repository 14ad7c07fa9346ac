import { TuttiError } from "@tutti/protocol";
import { createServer, silentLog, type Broker, type Server } from "@tutti/server";
import { simulate, type Participant, type SimulatedWorld } from "@tutti/testkit";
import { Peer } from "./peer.js";
import { rooms } from "./rooms.js";

export const room = "room:1";
const LOG = "$commands";
/** Longer than any test lasts: nobody pings. */
const SILENCE_MS = 3_600_000;

/** One of several nodes on a simulated bus, whose way to the broker may be disturbed. */
export class LeasedNode {
  /** Nothing of the log of commands reaches it, while all else does. */
  isBlind = false;
  /** Nothing that it tells other nodes reaches them. */
  isMute = false;
  /** It does not hear who lives. */
  isDeaf = false;
  /** The log of commands cannot be written. */
  cannotWrite = false;
  /** Its reading of the log of a channel waits for this. */
  pages: Promise<void> = Promise.resolve();
  /** How often it asked for the head of the log of commands. */
  looks = 0;
  /** How often it read in the log of a channel. */
  reads = 0;
  readonly server: Server<typeof rooms>;
  readonly process: Participant;
  readonly #world: SimulatedWorld;
  #secrets = 0;

  constructor(world: SimulatedWorld, process: Participant, link: Broker) {
    this.#world = world;
    this.process = process;
    this.server = createServer({
      contract: rooms,
      environment: process,
      broker: this.#disturbed(link),
      log: silentLog,
      silenceMsMax: SILENCE_MS,
      authenticate: ({ token }) => (token === undefined ? undefined : { id: token }),
      calls: { "room:list": () => [room] },
    });
  }

  get id(): string {
    return this.server.nodes().find(({ self }) => self)?.id ?? "";
  }

  get room() {
    return this.server.channel("room:{id}", { id: "1" });
  }

  /** Somebody who is connected here. */
  async peer(token: string): Promise<Peer> {
    const peer = new Peer(this.server, { settle: () => this.#world.clock.advance(50) });
    await peer.hello({ token, secret: `${token}-${this.process.name}-${++this.#secrets}`.padEnd(22, "-") });
    return peer;
  }

  /** Somebody who is in the room. */
  async guest(token: string, channel = room): Promise<Peer> {
    const peer = await this.peer(token);
    await peer.subscribe(channel, { presence: true });
    return peer;
  }

  #disturbed(link: Broker): Broker {
    const away = (channel: string): boolean => this.isBlind && channel === LOG;
    const unavailable = (): Promise<never> => Promise.reject(new TuttiError("UNAVAILABLE"));
    return {
      ...link,
      append: (channel, request) => (this.cannotWrite && channel === LOG ? unavailable() : link.append(channel, request)),
      head: (channel) => {
        if (channel === LOG) this.looks++;
        return away(channel) ? unavailable() : link.head(channel);
      },
      read: async (channel, after, options) => {
        if (away(channel)) return unavailable();
        if (channel !== LOG) this.reads++;
        if (channel !== LOG && options.countMax > 1) await this.pages;
        return link.read(channel, after, options);
      },
      subscribe: (channel, listener) => link.subscribe(channel, (run) => void (away(channel) || listener(run))),
      broadcast: (topic, message) => (this.isMute ? Promise.resolve() : link.broadcast(topic, message)),
      listen: (topic, listener) => link.listen(topic, (message) => void ((this.isDeaf && topic === "nodes") || listener(message))),
    };
  }
}

/** Nodes that share a simulated broker. */
export function leasedNodes() {
  const world = simulate();
  const broker = world.broker();
  let count = 0;
  const start = (disturb: (node: LeasedNode) => void = () => {}): LeasedNode => {
    const process = world.process(`node ${++count}`);
    const node = new LeasedNode(world, process, broker.connect(process));
    disturb(node);
    return node;
  };
  const pass = (ms: number): Promise<void> => world.clock.advance(ms);
  /** The commands that are logged, by type. */
  const logged = async (): Promise<string[]> => {
    const { position, floor } = await broker.log.head(LOG);
    const page = await broker.log.read(LOG, { epoch: position.epoch, seq: floor }, { countMax: 1_000 });
    return page.outcome === "page" ? page.run.events.map(({ type }) => type) : [];
  };
  return { world, broker, start, pass, logged };
}

/** Two nodes that know each other; ada and bob are in the room at the second one. */
export async function ready() {
  const nodes = leasedNodes();
  const [here, there] = [nodes.start(), nodes.start()];
  await nodes.pass(3_000);
  const [ada, bob] = [await there.guest("ada"), await there.guest("bob")];
  await nodes.pass(1_000);
  return { ...nodes, here, there, ada, bob };
}

/** What became of a promise so far. */
export function watched(promise: Promise<unknown>): { outcome: unknown } {
  const watch = { outcome: "waits" as unknown };
  promise.then(
    () => (watch.outcome = "done"),
    (error: unknown) => (watch.outcome = error),
  );
  return watch;
}

export const textsOf = (peer: Peer, channel = room): unknown[] => peer.payloadsOf(channel).map((payload) => Object(payload).text);
