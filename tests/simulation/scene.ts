import {
  RandomStream,
  SimulatedWorld,
  type Participant,
  type Reach,
  type SimulatedClock,
  type SimulatedNetwork,
} from "@tutti/testkit";
import { Actor } from "./actor.js";
import { ANNOUNCER, Announcer } from "./announcer.js";
import type { BrokerSite } from "./broker-site.js";
import { Cluster } from "./cluster.js";
import { channels } from "./contract.js";
import { strikes, type FaultName } from "./faults.js";
import { EmbeddedBroker } from "./embedded-broker.js";
import { Handlings } from "./handlings.js";
import { Issuer } from "./issuer.js";
import { LogBook } from "./log-book.js";
import type { Parts } from "./parts.js";
import { Permits } from "./permits.js";
import type { GuardsOff } from "./profiles.js";
import { RemoteBroker } from "./remote-broker.js";
import { serverBounds } from "./server-node.js";
import { SessionWatch } from "./session-watch.js";
import { SimulatedDisk } from "./simulated-disk.js";
import { Weather } from "./weather.js";

export interface SceneOptions {
  readonly seed: number;
  /** How many nodes share the broker; one where it is embedded in it. */
  readonly nodes: number;
  readonly faults: ReadonlySet<FaultName>;
  readonly parts: Parts;
  /** Ends everything sooner than the seed would. */
  readonly untilMs: number;
  readonly guards: GuardsOff;
  readonly keepLines: boolean;
}

/** What grew largest in a run. */
export interface HighWater {
  /** The fullest outbox of a connection, 1 being its bound. */
  outbox: number;
  /** The longest outbound queue of a client. */
  queueCount: number;
}

const NAMES = ["ada", "bob", "cyd", "dan"] as const;
const MEASURE_EVERY_MS = 1_000;

/** Everything of one run: the world from a seed, who acts in it, and what is known of it. */
export class Scene {
  /** Whether any page polled. */
  hasPolled = false;
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly broker: BrokerSite;
  readonly disk: SimulatedDisk;
  readonly cluster: Cluster;
  /** Those who take part. */
  readonly actors: readonly Actor[];
  readonly announcer: Announcer;
  readonly issuer: Issuer;
  readonly book = new LogBook();
  readonly handlings = new Handlings();
  readonly faults: ReadonlySet<FaultName>;
  readonly parts: Parts;
  readonly weather: Weather;
  /** What was wrong in what servers sent. */
  readonly wireFaults: string[] = [];
  /** Sessions that had two connections for too long. */
  readonly sessionFaults: string[] = [];
  readonly #sessionWatch = new SessionWatch((what) => this.sessionFaults.push(what));
  readonly highWater: HighWater = { outbox: 0, queueCount: 0 };
  readonly channelNames = channels.map(({ name }) => name);
  /** How long people act and faults last, leaps left out. */
  readonly actsForMs: number;
  /** How likely a publish is large, so that a reader that stalls fills its outbox. */
  readonly fillerChance: number;
  readonly #world: SimulatedWorld;
  readonly #seed: number;
  /** The actors of the seed by name; those who are left out are gaps, so that a choice among all stays the same. */
  readonly #cast: readonly (Actor | undefined)[];
  /** What happens in the scene and to nobody in particular. */
  readonly #director: Participant;
  readonly #announcerProcess: Participant;
  readonly #offline = new Set<Participant>();
  #leapCount = 0;
  #leptMs = 0;

  constructor({ seed, nodes, faults, parts, untilMs, guards, keepLines }: SceneOptions) {
    this.#seed = seed;
    this.faults = faults;
    this.parts = parts;
    this.weather = new Weather(seed, faults);
    this.#world = new SimulatedWorld({ seed, keepLines });
    this.clock = this.#world.clock;
    this.network = this.#world.network;
    this.#director = this.#world.process("scene");
    const length = new RandomStream(seed, "length");
    // Most runs are short, and some long enough for heartbeats to find a dead peer while faults go on.
    this.actsForMs = Math.min(untilMs, length.chance(0.15) ? length.between(30_000, 60_000) : length.between(6_000, 24_000));
    this.fillerChance = new RandomStream(seed, "filler").chance(0.05) ? 0.7 : 0.05;
    this.network.conditions = this.weather.links();
    this.network.fateOf = this.weather.fates();
    this.network.route = (_host, connection) => this.cluster.route(connection);
    this.hinder(() => "accepted");
    const durability = faults.has("commit-only") ? "commit" : "flush";
    this.disk = new SimulatedDisk({ clock: this.clock, seed, delayMs: this.weather.disk(), ...guards.disk });
    this.broker = faults.has("durable-log") ? this.#embeddedBroker(durability) : this.#remoteBroker(guards);
    const { bounds, ...serverGuards } = guards.server ?? {};
    this.cluster = new Cluster({
      seed,
      size: faults.has("durable-log") ? 1 : nodes,
      delivery: this.weather.delivery(),
      complain: (what) => this.wireFaults.push(what),
      network: this.network,
      broker: this.broker,
      permits: new Permits(() => this.clock.nowMs),
      handlings: this.handlings,
      nowMs: () => this.clock.nowMs,
      hasTinyHistory: faults.has("tiny-history"),
      guards: serverGuards,
      bounds,
      newProcess: (name) => this.newProcess(name),
    });
    this.issuer = new Issuer({ seed, lifeMs: this.weather.tokenLifeMs(), now: () => this.cluster.now() });
    this.#announcerProcess = this.newProcess(ANNOUNCER);
    this.announcer = new Announcer(this, this.#announcerProcess);
    const count = 2 + new RandomStream(seed, "cast").below(NAMES.length - 1);
    this.#cast = NAMES.slice(0, count).map((name) => (parts.take(name) ? new Actor(this, name, seed, guards) : undefined));
    this.actors = this.#cast.filter((actor) => actor !== undefined);
  }

  /** When everybody stops acting and all faults end. */
  get endsAtMs(): number {
    return this.actsForMs + this.#leptMs;
  }

  /** How often everybody was away for long. */
  get leapCount(): number {
    return this.#leapCount;
  }

  /** One of the seed's actors, unless that one is left out. */
  anyActor(random: RandomStream): Actor | undefined {
    return this.#cast[random.below(this.#cast.length)];
  }

  /** A process with clocks of its own. */
  newProcess(name: string): Participant {
    return this.#world.process(name, this.weather.clocksOf(name));
  }

  /** Runs `task` in so many milliseconds, unless the faults have ended by then. */
  later(inMs: number, task: () => void): void {
    if (this.clock.nowMs + inMs >= this.endsAtMs) return;
    this.#director.after(inMs, task);
  }

  /** Whom new connections reach; who is offline reaches nobody. */
  hinder(reach: () => Reach): void {
    this.network.reach = (page, host) => {
      if (this.#offline.has(page)) return "refused";
      const reached = reach();
      return reached === "accepted" ? this.cluster.reach(host) : reached;
    };
  }

  setOffline(page: Participant, isOffline: boolean): void {
    if (isOffline) this.#offline.add(page);
    else this.#offline.delete(page);
  }

  /** Forgets all of the feed's history but the newest events. */
  trimFeed(keep: number): void {
    const { log } = this.broker;
    // A disk that fails may refuse.
    log.head("feed:1").then(({ position }) => log.trim("feed:1", { ...position, seq: position.seq - keep })).catch(() => {});
  }

  /** Forgets all of the board's history that its newest snapshot holds. */
  trimBoard(): void {
    const { log } = this.broker;
    log.loadSnapshot("board:1").then((snapshot) => snapshot && log.trim("board:1", snapshot.position)).catch(() => {});
  }

  kick(random: RandomStream): void {
    const actor = this.anyActor(random);
    const channel = random.chance(0.5) ? random.pick(this.channelNames) : undefined;
    if (actor !== undefined) this.cluster.kick(actor.user, channel);
  }

  /** Nobody is there for a long time: machines sleep or are off, servers are suspended or not running. No network keeps a byte for so long. */
  leap(forMs: number, random: RandomStream): void {
    const isServerOff = random.chance(0.5);
    const areClosed = this.#cast.map(() => random.chance(0.5));
    this.#leapCount++;
    this.#leptMs += forMs;
    for (const connection of this.network.connections()) connection.lose();
    this.broker.loseHeld();
    const { nodes } = this.cluster;
    if (isServerOff) for (const place of nodes.keys()) this.cluster.kill(place, "gone");
    for (const process of [...nodes.map((node) => node.process), this.#director, this.#announcerProcess]) process.freeze(forMs);
    for (const [index, actor] of this.#cast.entries()) actor?.leave(forMs, areClosed[index] === true);
    if (isServerOff) this.#director.defer(() => this.cluster.startAll());
  }

  /** A new version on all nodes: one after the other is drained and replaced. */
  deploy(random: RandomStream): void {
    let inMs = 0;
    for (const place of this.cluster.nodes.keys()) {
      const withinMs = random.between(200, 2_000);
      this.later(inMs, () => this.cluster.at(place).drain(withinMs));
      inMs += random.between(1_500, 5_000);
      this.later(inMs, () => this.cluster.replace(place));
      inMs += random.between(0, 2_000);
    }
  }

  /** Starts everybody and every fault. */
  begin(): void {
    for (const actor of this.actors) actor.open();
    if (this.parts.take(ANNOUNCER)) this.announcer.begin();
    for (const name of this.faults) this.#beginFault(name);
    this.#measure();
  }

  /** Ends all faults; what was broken is found out now. */
  heal(): void {
    this.broker.heal();
    this.#offline.clear();
    this.network.heal();
    this.cluster.permits.allowAll();
    this.issuer.heal();
    this.cluster.startAll();
    for (const actor of this.actors) actor.settle();
    // What nobody sends, nobody can miss: a client finds a hole by what comes after it.
    if (this.faults.has("frames-lost")) this.announcer.lastWord();
  }

  #embeddedBroker(durability: "flush" | "commit"): BrokerSite {
    const { disk, book, clock } = this;
    return new EmbeddedBroker({ disk, book, nowMs: () => clock.nowMs, durability });
  }

  #remoteBroker({ broker: guards = {} }: GuardsOff): BrokerSite {
    return new RemoteBroker({
      world: this.#world,
      book: this.book,
      faults: this.weather.broker(),
      guards,
      disk: this.faults.has("broker-rolled-back") ? this.disk : undefined,
      noticesLoss: this.faults.has("loss-noticed"),
      after: (ms, task) => this.#director.after(ms, task),
    });
  }

  #beginFault(name: FaultName): void {
    const fault = strikes[name];
    if (fault === undefined) return;
    const gaps = new RandomStream(this.#seed, name);
    let count = 0;
    const again = (): void => {
      if (count === fault.countMax) return;
      this.later(gaps.between(...fault.everyMs), () => {
        const part = `${name}#${count++}`;
        if (this.parts.take(part)) {
          this.clock.trace.note(this.clock.nowMs, "scene", () => part);
          fault.strike(this, new RandomStream(this.#seed, part));
        }
        again();
      });
    };
    again();
  }

  #measure(): void {
    this.#director.after(MEASURE_EVERY_MS, () => {
      const { network, highWater, actors, cluster } = this;
      if (cluster.size > 1) this.#sessionWatch.look(cluster.nodes, this.clock.nowMs);
      for (const { outboxBytes, largestMessageBytes } of network.connections()) {
        // A message that is larger than an outbox fits into an empty one.
        highWater.outbox = Math.max(highWater.outbox, outboxBytes / Math.max(serverBounds.outboxBytesMax, largestMessageBytes));
      }
      for (const { presentPages } of actors) for (const { queueCount } of presentPages) highWater.queueCount = Math.max(highWater.queueCount, queueCount);
      if (this.clock.nowMs < this.endsAtMs) this.#measure();
    });
  }
}
