import { TuttiError, type Environment } from "@tutti/protocol";
import type { Report } from "./emitter.js";
import type { ClientConfig } from "./options.js";
import { OutboundQueue, type Entry, type Settled } from "./outbound-queue.js";
import type { Requests } from "./requests.js";
import type { Session } from "./session.js";
import type { StoredPublish } from "./storage.js";
import { Store } from "./store.js";

/** What waits to be settled in all channels. */
export interface PendingTotals {
  readonly count: number;
  readonly bytes: number;
}

export interface QueuesArguments {
  readonly environment: Environment;
  readonly requests: Requests;
  readonly session: Session;
  readonly config: ClientConfig;
  readonly settled: (channel: string, entry: Entry, settled: Settled) => void;
  readonly changed: (channel: string) => void;
  readonly report: Report;
}

/** The outbound queues of all channels, within one bound. A channel has one while something of it waits. */
export class OutboundQueues {
  readonly #with: QueuesArguments;
  readonly #byChannel = new Map<string, OutboundQueue>();
  readonly #totals: Store<PendingTotals>;
  #count = 0;
  #bytes = 0;
  /** Publishes whose schema is still at work. */
  #validating = 0;

  constructor(given: QueuesArguments) {
    this.#with = given;
    this.#totals = new Store(() => ({ count: this.#count, bytes: this.#bytes }), given.report);
  }

  get totals(): Store<PendingTotals> {
    return this.#totals;
  }

  entries(channel: string): readonly Entry[] {
    return this.#byChannel.get(channel)?.entries ?? [];
  }

  find(channel: string): OutboundQueue | undefined {
    return this.#byChannel.get(channel);
  }

  /** Makes room for a publish. @throws TuttiError `QUEUE_FULL` */
  reserve(bytes: number): void {
    const { queueCountMax, queueBytesMax } = this.#with.config;
    if (this.#count + this.#validating >= queueCountMax || this.#bytes + bytes > queueBytesMax) throw new TuttiError("QUEUE_FULL");
  }

  /** Counts a publish while its schema is at work. @throws TuttiError `QUEUE_FULL` */
  async validating<T>(output: Promise<T>): Promise<T> {
    this.reserve(0);
    this.#validating += 1;
    try {
      return await output;
    } finally {
      this.#validating -= 1;
    }
  }

  /** Takes a publish in. It is sent by `pump`, when all who show it know it. @throws TuttiError `QUEUE_FULL` */
  add(channel: string, publish: Omit<Entry, "n" | "attempted">) {
    this.reserve(publish.bytes);
    this.#count += 1;
    this.#bytes += publish.bytes;
    return this.#of(channel).add(publish);
  }

  pump(channel: string): void {
    this.#totals.changed();
    this.#with.changed(channel);
    this.#byChannel.get(channel)?.pump();
  }

  /** Takes up what an earlier page left. */
  restore(publishes: readonly StoredPublish[], bytesOf: (publish: StoredPublish) => number): void {
    for (const publish of publishes) {
      const bytes = bytesOf(publish);
      this.#count += 1;
      this.#bytes += bytes;
      this.#of(publish.channel).restore({ ...publish, bytes });
    }
    if (publishes.length > 0) this.#totals.changed();
  }

  lineUp(): void {
    for (const queue of this.#byChannel.values()) queue.lineUp();
  }

  renew(isFirst: boolean): void {
    for (const queue of this.#byChannel.values()) queue.renew(isFirst);
  }

  close(error: TuttiError): void {
    for (const queue of this.#byChannel.values()) queue.close(error);
  }

  #of(channel: string): OutboundQueue {
    const known = this.#byChannel.get(channel);
    if (known !== undefined) return known;
    const { environment, requests, session, config } = this.#with;
    const queue: OutboundQueue = new OutboundQueue({
      channel,
      environment,
      requests,
      session,
      config,
      settled: (entry, settled) => {
        this.#count -= 1;
        this.#bytes -= entry.bytes;
        if (queue.entries.length === 0 && this.#byChannel.get(channel) === queue) this.#byChannel.delete(channel);
        this.#with.settled(channel, entry, settled);
      },
      changed: () => {
        this.#totals.changed();
        this.#with.changed(channel);
      },
    });
    this.#byChannel.set(channel, queue);
    return queue;
  }
}
