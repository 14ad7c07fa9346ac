import { durableBroker } from "@tutti/lmdb";
import type { Broker, LoggedEvent } from "@tutti/server";
import { boundBroker, type Participant } from "@tutti/testkit";
import type { BrokerSite } from "./broker-site.js";
import { channels } from "./contract.js";
import type { LogBook } from "./log-book.js";
import { DEDUPLICATION_MS } from "./remote-broker.js";
import type { SimulatedDisk } from "./simulated-disk.js";

export interface EmbeddedBrokerOptions {
  readonly disk: SimulatedDisk;
  readonly book: LogBook;
  readonly nowMs: () => number;
  readonly durability: "flush" | "commit";
}

const PAGE_COUNT = 1_000;

/** The durable log in the server's own process: it dies with it, and the next server opens the same disk. */
export class EmbeddedBroker implements BrokerSite {
  readonly #options: EmbeddedBrokerOptions;
  #log: Broker | undefined;

  constructor(options: EmbeddedBrokerOptions) {
    this.#options = options;
  }

  get log(): Broker {
    if (this.#log === undefined) throw new Error("no server has opened the log yet");
    return this.#log;
  }

  connect(server: Participant): Broker {
    const { disk, book, durability, nowMs } = this.#options;
    const log = durableBroker(disk.open(server), { environment: server, durability, deduplicationMs: DEDUPLICATION_MS });
    this.#log = log;
    for (const { name } of channels) void this.#compare(name, log);
    return {
      ...boundBroker(log),
      append: async (channel, request) => {
        try {
          const outcome = await log.append(channel, request);
          if (outcome.outcome === "appended") book.note(channel, { ...request.event, ...outcome.position, atMs: nowMs() });
          return outcome;
        } catch (error) {
          // A write that failed may be there all the same.
          void this.#compare(channel, log);
          throw error;
        }
      },
      read: async (channel, after, options) => {
        const page = await log.read(channel, after, options);
        // A write that failed without anybody waiting for it began a new epoch, under which events are read that landed in another.
        if (book.courses(channel).at(-1)?.epoch !== page.head.epoch) await this.#compare(channel, log);
        return page;
      },
    };
  }

  lose(_server: Participant, machine: "kept" | "gone"): void {
    this.#options.disk.crash(machine);
  }

  /** It has no process of its own that could. */
  restart(): void {}

  /** There is no link to cut. */
  cut(): () => void {
    return () => {};
  }

  /** Nor one that holds anything back. */
  loseHeld(): void {}

  /** Nor one to wedge. */
  wedge(): () => void {
    return () => {};
  }

  heal(): void {
    this.#options.disk.isFailing = false;
  }

  async settle(): Promise<void> {
    for (const { name } of channels) await this.#compare(name, this.log);
  }

  /** LOG-2: what the book has is on the disk. What is on the disk alone landed and was told to nobody. */
  async #compare(channel: string, log: Broker): Promise<void> {
    const { book, nowMs } = this.#options;
    const { position, floor } = await log.head(channel);
    const page = await log.read(channel, { epoch: position.epoch, seq: floor }, { countMax: PAGE_COUNT });
    const events: readonly LoggedEvent[] = page.outcome === "page" ? page.run.events : [];
    book.compare(channel, { epoch: position.epoch, floor, events, atMs: nowMs() });
  }
}
