import { memoryBroker, type Broker } from "@tutti/server";
import { calmBroker, type BrokerFaults, type Participant, type SimulatedBroker, type SimulatedWorld } from "@tutti/testkit";
import type { BrokerSite } from "./broker-site.js";
import type { LogBook } from "./log-book.js";
import type { BrokerGuards } from "./profiles.js";

/** As long as an application's would be by default: a month is more. */
export const DEDUPLICATION_MS = 14 * 86_400_000;

export interface RemoteBrokerOptions {
  readonly world: SimulatedWorld;
  readonly book: LogBook;
  readonly faults: BrokerFaults;
  readonly guards: BrokerGuards;
  /** Runs a task later, whatever happens in the scene meanwhile; the answer cancels it. */
  readonly after: (ms: number, task: () => void) => () => void;
}

/** A broker that is a process of its own, with a log in memory. */
export class RemoteBroker implements BrokerSite {
  readonly #broker: SimulatedBroker;
  readonly #after: RemoteBrokerOptions["after"];
  /** Set while the broker is down: keeps it from starting by itself. */
  #cancelStart: (() => void) | undefined;

  constructor({ world, book, faults, guards, after }: RemoteBrokerOptions) {
    this.#after = after;
    this.#broker = world.broker({
      create: (environment) => memoryBroker({ environment, deduplicationMs: DEDUPLICATION_MS, guards }),
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

  restart(data: "kept" | "lost", downMs: number): void {
    if (this.#cancelStart !== undefined) return;
    this.#broker.stop();
    this.#cancelStart = this.#after(downMs, () => this.#start(data));
  }

  heal(): void {
    this.#broker.faults = calmBroker;
    if (this.#cancelStart !== undefined) this.#start("kept");
  }

  #start(data: "kept" | "lost"): void {
    this.#cancelStart?.();
    this.#cancelStart = undefined;
    void this.#broker.start(data);
  }
}
