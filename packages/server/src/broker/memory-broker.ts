import { TuttiError, samePosition, type Environment, type LastSeen, type Position, type Rewind, type WireError } from "@tutti/protocol";
import { nodeEnvironment } from "../node-environment.js";
import type {
  AppendRequest,
  Broker,
  EventRun,
  Head,
  IdempotencyKey,
  Keep,
  Outcome,
  Page,
  PublisherCount,
  ReadOptions,
  StoredSnapshot,
} from "./broker.js";
import { ChannelLog, type LogLimits } from "./channel-log.js";

export interface MemoryBrokerOptions {
  readonly environment?: Environment;
  /** How long a publisher's counts and an idempotency key are remembered after their last use; 14 days, twice as long as a client keeps a publish (QUE-5). */
  readonly deduplicationMs?: number;
  /** How many answers to a publisher are remembered, by channel. */
  readonly answersMax?: number;
  /** How many idempotency keys are remembered, by channel. */
  readonly keysMax?: number;
  /**
   * How many publishers are remembered, by channel; the one that was silent for longest goes first. Where one had to go before its time, a repeat of a
   * publisher that is not known ends with `OUTCOME_UNKNOWN`: it may have landed.
   */
  readonly publishersMax?: number;
  /** How many channels may be written to; `LIMIT_EXCEEDED` beyond. */
  readonly channelsMax?: number;
  /** For the testkit alone: switches a guard off, to see that the simulation sees it. */
  readonly guards?: { readonly count?: false };
}

const DEFAULTS = { deduplicationMs: 14 * 24 * 3_600_000, answersMax: 256, keysMax: 10_000, publishersMax: 10_000, channelsMax: 100_000 };

/** What no channel's name begins with. */
const OWN_PREFIX = "$";

/**
 * One process's memory as the broker: nothing survives the process. All channels start a new epoch with it, so a client that comes back after
 * a restart is told of the gap.
 */
export function memoryBroker(options: MemoryBrokerOptions = {}): Broker {
  return new MemoryBroker(options);
}

class MemoryBroker implements Broker {
  readonly #environment: Environment;
  readonly #limits: LogLimits & { readonly channelsMax: number };
  readonly #countsPublishers: boolean;
  /** One for all channels, so that a channel nobody ever wrote to may be forgotten, and is the same when it is asked for again. */
  readonly #epoch: string;
  readonly #logs = new Map<string, ChannelLog>();
  /** The nodes' own: few, of names that no channel has, so they take no channel's place. */
  readonly #ownLogs = new Map<string, ChannelLog>();
  readonly #listeners = new Map<string, Set<(message: string) => void>>();
  #closed = false;

  constructor(options: MemoryBrokerOptions) {
    this.#environment = options.environment ?? nodeEnvironment();
    this.#limits = {
      deduplicationMs: options.deduplicationMs ?? DEFAULTS.deduplicationMs,
      answersMax: options.answersMax ?? DEFAULTS.answersMax,
      keysMax: options.keysMax ?? DEFAULTS.keysMax,
      publishersMax: options.publishersMax ?? DEFAULTS.publishersMax,
      channelsMax: options.channelsMax ?? DEFAULTS.channelsMax,
    };
    this.#countsPublishers = options.guards?.count !== false;
    this.#epoch = this.#environment.id().slice(0, 8);
  }

  async append(channel: string, request: AppendRequest): Promise<Outcome> {
    const log = this.#log(channel);
    const known = this.#countsPublishers ? log.check(request) : undefined;
    if (known !== undefined) return known;
    if (request.expected !== undefined && !samePosition(request.expected, log.position)) return { outcome: "conflict", head: log.position };
    return { outcome: "appended", position: log.append(request) };
  }

  async refuse(channel: string, publisher: PublisherCount, error: WireError): Promise<Outcome> {
    const log = this.#log(channel);
    const known = log.checkCount(publisher);
    if (known !== undefined) return known;
    log.answer(publisher, error);
    return { outcome: "refused", error };
  }

  async lookup(channel: string, id: PublisherCount | IdempotencyKey): Promise<Outcome | undefined> {
    return this.#known(channel).lookup(id);
  }

  async read(channel: string, after: LastSeen, { countMax }: ReadOptions): Promise<Page> {
    return this.#known(channel).read(after, countMax);
  }

  async head(channel: string): Promise<Head> {
    return this.#known(channel).head;
  }

  async heads(channels: readonly string[]): Promise<readonly Head[]> {
    return channels.map((channel) => this.#known(channel).head);
  }

  async locate(channel: string, back: Rewind): Promise<LastSeen> {
    return this.#known(channel).locate(back);
  }

  async trim(channel: string, upTo: Position, keep?: Keep): Promise<void> {
    this.#known(channel).trim(upTo, keep);
  }

  async subscribe(channel: string, listener: (run: EventRun) => void): Promise<() => Promise<void>> {
    const log = this.#log(channel);
    log.listeners.add(listener);
    return async () => {
      log.listeners.delete(listener);
      if (log.isBlank && this.#logs.get(channel) === log) this.#logs.delete(channel);
    };
  }

  async broadcast(topic: string, message: string): Promise<void> {
    this.#assertOpen();
    for (const listener of this.#listeners.get(topic) ?? []) listener(message);
  }

  async listen(topic: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    this.#assertOpen();
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return async () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
  }

  async saveSnapshot(channel: string, snapshot: StoredSnapshot): Promise<boolean> {
    return this.#log(channel).saveSnapshot(snapshot);
  }

  async loadSnapshot(channel: string): Promise<StoredSnapshot | undefined> {
    return this.#known(channel).snapshot;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#logs.clear();
    this.#ownLogs.clear();
    this.#listeners.clear();
  }

  #assertOpen(): void {
    if (this.#closed) throw new TuttiError("UNAVAILABLE", { message: "the broker is closed" });
  }

  /** The log of a channel, kept from now on. Names cost memory, and clients may choose them, so there is a bound. */
  #log(channel: string): ChannelLog {
    const log = this.#known(channel);
    const { channelsMax } = this.#limits;
    const logs = this.#logsBeside(channel);
    if (logs === this.#logs && logs.size >= channelsMax && !logs.has(channel)) {
      throw new TuttiError("LIMIT_EXCEEDED", { message: `channelsMax of the memory broker is ${channelsMax}` });
    }
    logs.set(channel, log);
    return log;
  }

  /** The log of a channel to look into; a blank one where there is none, so that asking for names costs nothing. */
  #known(channel: string): ChannelLog {
    this.#assertOpen();
    return this.#logsBeside(channel).get(channel) ?? new ChannelLog(this.#environment, this.#limits, this.#epoch);
  }

  #logsBeside(channel: string): Map<string, ChannelLog> {
    return channel.startsWith(OWN_PREFIX) ? this.#ownLogs : this.#logs;
  }
}
