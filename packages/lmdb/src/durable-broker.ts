import { TuttiError, type Environment, type LastSeen, type Position, type Rewind, type WireError } from "@tutti/protocol";
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
} from "@tutti/server";
import type { ChannelContext, LogLimits } from "./channel-context.js";
import { ChannelLog } from "./channel-log.js";
import { Forgetter } from "./forgetter.js";
import { places } from "./layout.js";
import { LogClock } from "./log-clock.js";
import { LogMeta, type Durability } from "./log-meta.js";
import type { Store } from "./store.js";
import { Topics } from "./topics.js";
import { WriteQueue } from "./write-queue.js";

export interface DurableBrokerOptions {
  readonly environment: Environment;
  /**
   * `flush` (default): what is acknowledged, delivered or read outlives a crash and a loss of power. `commit`: nobody waits for the disk; an end
   * that was not clean takes back what was not flushed yet, and all channels begin a new epoch then, as they do where the disk fails.
   */
  readonly durability?: Durability;
  /** How long a publisher's count and an idempotency key are remembered after their last use, over restarts; 14 days. */
  readonly deduplicationMs?: number;
  /** How many answers to a publisher are remembered, by channel. */
  readonly answersMax?: number;
  /** How many idempotency keys are remembered, by channel; the oldest go first. */
  readonly keysMax?: number;
  /** So many channels at most are held in memory, those not counted that have subscribers or an append in flight. */
  readonly openChannelsMax?: number;
}

const DEFAULTS = { deduplicationMs: 14 * 24 * 3_600_000, answersMax: 64, keysMax: 10_000, openChannelsMax: 10_000 };

/** More than a valid name has, and less than a key may have. */
const CHANNEL_CHARACTERS_MAX = 512;
/** So many channels are looked at when one is opened and there are too many. */
const EVICTIONS_MAX = 8;
/** So many events of a channel may be acknowledged before they are flushed; those that come then wait for the disk. */
const AHEAD_MAX = 1_024;

/**
 * The log on a disk, whatever the disk is: appends are acknowledged and delivered when they are flushed, those of one turn with one flush.
 *
 * @throws TuttiError `VERSION_UNSUPPORTED` where the store holds a newer format, or something else
 */
export function durableBroker(store: Store, options: DurableBrokerOptions): Broker {
  return new DurableBroker(store, options);
}

class DurableBroker implements Broker {
  readonly #store: Store;
  readonly #meta: LogMeta;
  readonly #writes: WriteQueue;
  readonly #context: ChannelContext;
  readonly #forgetter: Forgetter;
  readonly #topics: Topics;
  readonly #openChannelsMax: number;
  /** The channels in memory, the one that was used last at the end. */
  readonly #open = new Map<string, ChannelLog>();
  /** The write that says what may be lost. */
  #marking: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(store: Store, options: DurableBrokerOptions) {
    const { environment, durability = "flush" } = options;
    this.#store = store;
    this.#meta = new LogMeta(store, environment, durability);
    // What was shown and did not reach the disk must not be taken for what will stand there.
    this.#writes = new WriteQueue(store, environment, () => {
      if (durability === "commit") this.#meta.beginEpoch();
    });
    this.#context = contextOf(store, this.#meta, options);
    this.#topics = new Topics((task) => this.#context.tell(task));
    this.#forgetter = new Forgetter(this.#context, this.#writes, environment);
    this.#openChannelsMax = options.openChannelsMax ?? DEFAULTS.openChannelsMax;
    this.#writeMeta();
  }

  async append(channel: string, request: AppendRequest): Promise<Outcome> {
    if (!this.#meta.isMarked) await this.#mark();
    const log = this.#log(channel);
    const known = log.check(request);
    if (known !== undefined) return this.#settled(log, known);
    const position = log.append(request);
    const done = this.#write(log);
    if (this.#waits(log)) await done;
    return { outcome: "appended", position };
  }

  async refuse(channel: string, publisher: PublisherCount, error: WireError): Promise<Outcome> {
    if (!this.#meta.isMarked) await this.#mark();
    const log = this.#log(channel);
    const known = log.checkCount(publisher);
    if (known !== undefined) return this.#settled(log, known);
    log.answer(publisher, error);
    const done = this.#write(log);
    if (this.#waits(log)) await done;
    return { outcome: "refused", error };
  }

  async lookup(channel: string, id: PublisherCount | IdempotencyKey): Promise<Outcome | undefined> {
    const log = this.#log(channel);
    const known = log.lookup(id);
    return known === undefined ? undefined : this.#settled(log, known);
  }

  async read(channel: string, after: LastSeen, { countMax }: ReadOptions): Promise<Page> {
    return this.#log(channel).read(after, countMax);
  }

  async head(channel: string): Promise<Head> {
    return this.#log(channel).head;
  }

  async heads(channels: readonly string[]): Promise<readonly Head[]> {
    return channels.map((channel) => this.#glance(channel).head);
  }

  async locate(channel: string, back: Rewind): Promise<LastSeen> {
    return this.#log(channel).locate(back);
  }

  async trim(channel: string, upTo: Position, keep?: Keep): Promise<void> {
    await this.#log(channel).landing;
    // Slice by slice, each with a write of its own.
    for (let log = this.#log(channel); log.trim(upTo, keep); log = this.#log(channel)) await this.#write(log);
  }

  async subscribe(channel: string, listener: (run: EventRun) => void): Promise<() => Promise<void>> {
    const log = this.#log(channel);
    const hear = (run: EventRun): void => listener(run);
    log.listeners.add(hear);
    return async () => void log.listeners.delete(hear);
  }

  async broadcast(topic: string, message: string): Promise<void> {
    this.#assertOpen();
    this.#topics.broadcast(topic, message);
  }

  async listen(topic: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    this.#assertOpen();
    return this.#topics.listen(topic, listener);
  }

  async saveSnapshot(channel: string, snapshot: StoredSnapshot): Promise<boolean> {
    const log = this.#log(channel);
    if (!log.saveSnapshot(snapshot)) return false;
    // Also where a newer one is kept already: that may not be flushed yet.
    await this.#write(log);
    return true;
  }

  async loadSnapshot(channel: string): Promise<StoredSnapshot | undefined> {
    return this.#log(channel).loadSnapshot();
  }

  /** Flushes what was appended, and releases the disk. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#forgetter.stop();
    await this.#writes.idle();
    this.#meta.end();
    this.#writeMeta();
    await this.#writes.idle();
    await this.#store.close();
    this.#open.clear();
    this.#topics.clear();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new TuttiError("UNAVAILABLE", { message: "the broker is closed" });
  }

  /** An answer that rests on a write that is under way is given when that is flushed. */
  async #settled(log: ChannelLog, known: Outcome): Promise<Outcome> {
    if (this.#waits(log)) await log.landing;
    return known;
  }

  #waits(log: ChannelLog): boolean {
    return this.#context.durability === "flush" || log.aheadCount > AHEAD_MAX;
  }

  /** Awaited before anything is shown that is not flushed: else an end before the first flush would look like a clean one. */
  #mark(): Promise<void> {
    this.#assertOpen();
    this.#marking ??= this.#writes.join(this.#meta).finally(() => (this.#marking = undefined));
    return this.#marking;
  }

  #writeMeta(): void {
    // Whoever needs it written joins the same write.
    if (!this.#meta.isWritten) void this.#writes.join(this.#meta);
  }

  #write(log: ChannelLog): Promise<void> {
    this.#writeMeta();
    return log.land(this.#writes.join(log));
  }

  /** The log of a channel, in memory from now on, since it is likely to be asked for again. */
  #log(channel: string): ChannelLog {
    this.#assertOpen();
    const open = this.#open.get(channel);
    const log = open ?? new ChannelLog(this.#context, storable(channel));
    log.refresh();
    if (open === undefined) this.#makeRoom();
    else this.#open.delete(channel);
    this.#open.set(channel, log);
    return log;
  }

  /** The log of a channel, which does not count as used where it is in memory already. */
  #glance(channel: string): ChannelLog {
    this.#assertOpen();
    const open = this.#open.get(channel);
    if (open === undefined) return this.#log(channel);
    open.refresh();
    return open;
  }

  /** Lets channels go that were not used for long, as far as nobody needs them; a few at a time, so that those in need are not gone through. */
  #makeRoom(): void {
    let left = EVICTIONS_MAX;
    for (const [name, log] of this.#open) {
      if (this.#open.size < this.#openChannelsMax || left-- === 0) return;
      this.#open.delete(name);
      if (!log.isIdle) this.#open.set(name, log);
    }
  }
}

/** @throws TuttiError `CHANNEL_INVALID` for what cannot be part of a key */
function storable(channel: string): string {
  if (channel.length > CHANNEL_CHARACTERS_MAX || channel.includes("\0")) throw new TuttiError("CHANNEL_INVALID");
  return channel;
}

function contextOf(store: Store, meta: LogMeta, options: DurableBrokerOptions): ChannelContext {
  const { environment, durability = "flush" } = options;
  const clock = new LogClock(environment);
  const limits: LogLimits = {
    deduplicationMs: options.deduplicationMs ?? DEFAULTS.deduplicationMs,
    answersMax: options.answersMax ?? DEFAULTS.answersMax,
    keysMax: options.keysMax ?? DEFAULTS.keysMax,
  };
  let lastId = Number(store.get(places.ids) ?? 0);
  return {
    store,
    clock,
    limits,
    durability,
    get epoch() {
      return meta.epoch;
    },
    newId: () => ++lastId,
    isForgotten: (usedAt) => clock.isOlder(usedAt, limits.deduplicationMs),
    tell(task) {
      try {
        task();
      } catch (error) {
        // The error of a listener is the application's, and must not look like one of the disk.
        environment.defer(() => {
          throw error;
        });
      }
    },
  };
}
