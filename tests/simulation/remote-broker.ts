import { durableBroker, type Key } from "@tutti/lmdb";
import { memoryBroker, type Broker } from "@tutti/server";
import { boundBroker, calmBroker, type BrokerFaults, type LinkCut, type Participant, type SimulatedBroker, type SimulatedWorld } from "@tutti/testkit";
import type { BrokerSite, Comeback } from "./broker-site.js";
import { channels } from "./contract.js";
import type { LogBook } from "./log-book.js";
import type { BrokerGuards } from "./profiles.js";
import type { SimulatedDisk } from "./simulated-disk.js";

/** As long as an application's would be by default: a month is more. */
export const DEDUPLICATION_MS = 14 * 86_400_000;

export interface RemoteBrokerOptions {
  readonly world: SimulatedWorld;
  readonly book: LogBook;
  readonly faults: BrokerFaults;
  readonly guards: BrokerGuards;
  /** Where its log lives, which can be rolled back then; in memory unless given. */
  readonly disk: SimulatedDisk | undefined;
  /** Whether it begins a new epoch where somebody names what it lost; else it goes on in the one that it had. */
  readonly noticesLoss: boolean;
  /** Runs a task later, whatever happens in the scene meanwhile; the answer cancels it. */
  readonly after: (ms: number, task: () => void) => () => void;
}

/** Where the durable log has its epoch: without one that is there it begins another. */
const EPOCH: Key = ["meta", "epoch"];

/** A broker that is a process of its own. */
export class RemoteBroker implements BrokerSite {
  readonly #broker: SimulatedBroker;
  readonly #book: LogBook;
  readonly #disk: SimulatedDisk | undefined;
  readonly #guards: BrokerGuards;
  readonly #after: RemoteBrokerOptions["after"];
  /** Set while the broker is down: keeps it from starting by itself. */
  #cancelStart: (() => void) | undefined;
  /** What ends the faults of single links. */
  readonly #mends = new Set<() => void>();

  constructor({ world, book, faults, guards, disk, noticesLoss, after }: RemoteBrokerOptions) {
    this.#after = after;
    this.#book = book;
    this.#disk = disk;
    this.#guards = guards;
    this.#broker = world.broker({
      create: (environment) => this.#create(environment),
      ...(noticesLoss && { beginEpoch: (environment: Participant) => this.#beginEpoch(environment) }),
      landed: ({ channel, epoch, seq, request }) => book.note(channel, { ...request.event, epoch, seq, atMs: world.clock.nowMs }),
    });
    this.#broker.faults = faults;
  }

  get log(): Broker {
    return this.#broker.log;
  }

  connect(server: Participant): Broker {
    return this.#broker.connect(server);
  }

  lose(server: Participant): void {
    this.#broker.disconnect(server);
  }

  cut(server: Participant, cut: LinkCut): () => void {
    return this.#mending(this.#broker.cut(server, cut));
  }

  loseHeld(): void {
    this.#broker.loseHeld();
  }

  wedge(server: Participant): () => void {
    return this.#mending(this.#broker.wedge(server));
  }

  restart(comeback: Comeback, downMs: number): void {
    if (this.#cancelStart !== undefined) return;
    this.#broker.stop();
    this.#cancelStart = this.#after(downMs, () => this.#start(comeback));
  }

  heal(): void {
    this.#broker.faults = calmBroker;
    for (const mend of this.#mends) mend();
    if (this.#cancelStart !== undefined) this.#start("kept");
  }

  /** It is known at once. */
  async settle(): Promise<void> {}

  /** Ends with all faults, or before. */
  #mending(end: () => void): () => void {
    const mend = (): void => {
      if (this.#mends.delete(mend)) end();
    };
    this.#mends.add(mend);
    return mend;
  }

  #start(comeback: Comeback): void {
    this.#cancelStart?.();
    this.#cancelStart = undefined;
    if (typeof comeback === "string") {
      if (comeback === "lost") this.#disk?.wipe();
      void this.#broker.start(comeback);
    } else if (this.#disk !== undefined) {
      this.#disk.rewind(comeback.writesLost);
      void this.#broker.start("rolled back");
      this.#note(this.log);
    }
  }

  #note(log: Broker): void {
    for (const { name } of channels) void log.head(name).then(({ position }) => this.#book.goOn(name, position));
  }

  #beginEpoch(environment: Participant): Broker {
    this.#disk?.forget(EPOCH);
    const log = this.#create(environment);
    this.#note(log);
    return log;
  }

  #create(environment: Participant): Broker {
    const { count, lastSeenId } = this.#guards;
    const deduplicationMs = DEDUPLICATION_MS;
    const log =
      this.#disk === undefined
        ? memoryBroker({ environment, deduplicationMs, guards: { ...(count === false && { count }) } })
        : durableBroker(this.#disk.open(environment), { environment, deduplicationMs });
    if (lastSeenId !== false) return log;
    return { ...boundBroker(log), read: (channel, { epoch, seq }, options) => log.read(channel, { epoch, seq }, options) };
  }
}
