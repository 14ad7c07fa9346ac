import type { Encoded } from "@tutti/protocol";
import { memoryBroker } from "@tutti/server";
import {
  RandomStream,
  SimulatedWorld,
  calmBroker,
  type BrokerFaults,
  type ClockSkew,
  type LinkConditions,
  type MessageFate,
  type Participant,
  type Reach,
  type SimulatedBroker,
  type SimulatedClock,
  type SimulatedNetwork,
} from "@tutti/testkit";
import { Actor } from "./actor.js";
import { Announcer } from "./announcer.js";
import { strikes, type FaultName } from "./faults.js";
import { Host, serverBounds } from "./host.js";
import { LogBook } from "./log-book.js";
import type { Break } from "./profiles.js";

export interface SceneOptions {
  readonly seed: number;
  readonly faults: ReadonlySet<FaultName>;
  readonly guards: Pick<Break, "client" | "server" | "broker">;
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
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly broker: SimulatedBroker;
  readonly host: Host;
  readonly actors: readonly Actor[];
  readonly announcer: Announcer;
  readonly book = new LogBook();
  readonly faults: ReadonlySet<FaultName>;
  readonly highWater: HighWater = { outbox: 0, queueCount: 0 };
  /** When everybody stops acting and all faults end. */
  readonly endsAtMs: number;
  /** How likely a publish is large, so that a reader that stalls fills its outbox. */
  readonly fillerChance: number;
  readonly #world: SimulatedWorld;
  readonly #seed: number;
  readonly #random: RandomStream;
  /** What happens in the scene and to nobody in particular. */
  readonly #director: Participant;
  readonly #offline = new Set<Participant>();
  /** Set while the broker is down: keeps it from starting by itself. */
  #cancelBrokerStart: (() => void) | undefined;

  constructor({ seed, faults, guards, keepLines }: SceneOptions) {
    this.#seed = seed;
    this.#random = new RandomStream(seed, "scene");
    this.faults = faults;
    this.#world = new SimulatedWorld({ seed, keepLines });
    this.clock = this.#world.clock;
    this.network = this.#world.network;
    this.#director = this.#world.process("scene");
    // Most runs are short, and some long enough for heartbeats to find a dead peer while faults go on.
    this.endsAtMs = this.#random.chance(0.15) ? this.#random.between(30_000, 60_000) : this.#random.between(6_000, 24_000);
    this.fillerChance = this.#random.chance(0.05) ? 0.7 : 0.05;
    this.network.conditions = this.#drawConditions();
    this.network.fateOf = this.#drawFates();
    this.hinder(() => "accepted");
    this.broker = this.#world.broker({
      create: (environment) => memoryBroker({ environment, ...(guards.broker !== undefined && { guards: guards.broker }) }),
      landed: (landing) => this.book.note(landing),
    });
    this.broker.faults = this.#drawBrokerFaults();
    this.host = new Host({
      network: this.network,
      broker: this.broker,
      guards: guards.server ?? {},
      newProcess: (name) => this.newProcess(name),
    });
    const count = 2 + this.#random.below(NAMES.length - 1);
    this.announcer = new Announcer(this, this.newProcess("announcer"));
    this.actors = NAMES.slice(0, count).map((name) => new Actor(this, name, seed, guards.client ?? {}));
  }

  /** A process with clocks of its own. */
  newProcess(name: string): Participant {
    const skew: ClockSkew = this.faults.has("wrong-clocks")
      ? { wallOffsetMs: this.#random.between(-86_400_000, 86_400_000), rate: this.#random.between(0.99, 1.01) }
      : {};
    return this.#world.process(name, skew);
  }

  /** Runs `task` in so many milliseconds, unless the faults have ended by then. */
  later(inMs: number, task: () => void): void {
    if (this.clock.nowMs + inMs >= this.endsAtMs) return;
    this.#director.after(inMs, task);
  }

  /** Whom new connections reach; who is offline reaches nobody. */
  hinder(reach: () => Reach): void {
    this.network.reach = (page) => (this.#offline.has(page) ? "refused" : reach());
  }

  setOffline(page: Participant, isOffline: boolean): void {
    if (isOffline) this.#offline.add(page);
    else this.#offline.delete(page);
  }

  restartBroker(data: "kept" | "lost", downMs: number): void {
    if (this.#cancelBrokerStart !== undefined) return;
    this.broker.stop();
    this.#cancelBrokerStart = this.#director.after(downMs, () => this.#startBroker(data));
  }

  #startBroker(data: "kept" | "lost"): void {
    this.#cancelBrokerStart?.();
    this.#cancelBrokerStart = undefined;
    void this.broker.start(data);
  }

  /** Forgets all of the feed's history but the newest events. The board, which has state, is trimmed by its server. */
  trimFeed(keep: number): void {
    void this.broker.log.head("feed:1").then(({ position }) => this.broker.log.trim("feed:1", { ...position, seq: position.seq - keep }));
  }

  /** Starts everybody and every fault. */
  begin(): void {
    for (const actor of this.actors) actor.open();
    this.announcer.begin();
    for (const name of this.faults) {
      const fault = strikes[name];
      if (fault === undefined) continue;
      const random = new RandomStream(this.#seed, name);
      const again = (): void =>
        this.later(random.between(...fault.everyMs), () => {
          this.clock.trace.note(this.clock.nowMs, "scene", () => name);
          fault.strike(this, random);
          again();
        });
      again();
    }
    this.#measure();
  }

  /** Ends all faults; what was broken is found out now. */
  heal(): void {
    this.broker.faults = calmBroker;
    if (this.#cancelBrokerStart !== undefined) this.#startBroker("kept");
    this.#offline.clear();
    this.network.heal();
    this.host.start();
    for (const actor of this.actors) actor.settle();
    // What nobody sends, nobody can miss: a client finds a hole by what comes after it.
    if (this.faults.has("frames-lost")) this.announcer.lastWord();
  }

  #measure(): void {
    this.#director.after(MEASURE_EVERY_MS, () => {
      const { network, highWater, actors } = this;
      for (const { outboxBytes, largestMessageBytes } of network.connections()) {
        // A message that is larger than an outbox fits into an empty one.
        highWater.outbox = Math.max(highWater.outbox, outboxBytes / Math.max(serverBounds.outboxBytesMax, largestMessageBytes));
      }
      for (const { queueCount } of actors) highWater.queueCount = Math.max(highWater.queueCount, queueCount);
      if (this.clock.nowMs < this.endsAtMs) this.#measure();
    });
  }

  #drawConditions(): LinkConditions {
    const random = this.#random;
    return {
      delayMs: this.faults.has("slow-network") ? [5, random.between(100, 1_500)] : [0.5, random.between(2, 60)],
      bytesPerMs: this.faults.has("narrow-network") ? random.between(4, 20) : Infinity,
    };
  }

  /** A node that forgets to send events, or sends them twice: the client finds out by their positions. */
  #drawFates(): (message: Encoded) => MessageFate {
    const random = new RandomStream(this.#seed, "frames");
    const repeated = this.faults.has("frames-repeated") ? random.between(0.05, 0.5) : 0;
    const lost = this.faults.has("frames-lost") ? random.between(0.02, 0.3) : 0;
    if (repeated + lost === 0) return () => "arrives";
    return (message) => {
      if (typeof message !== "string" || !message.startsWith('{"op":"events"')) return "arrives";
      const draw = random.next();
      return draw < repeated ? "arrives twice" : draw < repeated + lost ? "is lost" : "arrives";
    };
  }

  #drawBrokerFaults(): BrokerFaults {
    const random = this.#random;
    const likely = (name: FaultName, low: number, high: number): number => (this.faults.has(name) ? random.between(low, high) : 0);
    return {
      delayMs: this.faults.has("broker-slow") ? [0.5, random.between(20, 600)] : [0.1, 3],
      refused: likely("broker-refuses", 0.02, 0.3),
      answerLost: likely("broker-answers-lost", 0.02, 0.3),
      hangs: likely("broker-hangs", 0.01, 0.08),
      hangMs: random.between(500, 8_000),
      deliveryLost: likely("deliveries-lost", 0.03, 0.5),
      deliveryRepeated: likely("deliveries-repeated", 0.03, 0.4),
    };
  }
}
