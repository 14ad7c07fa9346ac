import type { Codec, LastSeen, Position, SubscriptionStart } from "@tutti/protocol";
import type { LoggedEvent } from "./broker.js";
import type { Channel } from "./channel.js";
import { eventsFrame } from "./events-frame.js";
import { resumeAfter } from "./follower.js";
import { Packet, type SharedPacket } from "./packet.js";
import type { Outbox } from "./outbox.js";
import type { Services } from "./services.js";

const PAGE_COUNT = 256;
/** A replay's frames are made about this big, so that live traffic gets its turn in between. */
const CHUNK_BYTES = 64 * 1024;
const CHUNK_COUNT_FIRST = 4;
const RETRY_MS = 1_000;

/** What a subscription needs of its connection. */
export interface Subscriber {
  readonly session: string;
  readonly codec: Codec;
  readonly outbox: Outbox;
  /** Queues a packet for the end of the turn; ends the connection where it does not fit. */
  push(packet: Packet): void;
}

/** One connection's subscription to one channel: reads what was missed, joins the live events without a hole or a repeat, and ends. */
export class Subscription {
  readonly channel: Channel;
  readonly subscriber: Subscriber;
  /** Whether it is told who is here. */
  readonly watchesPresence: boolean;
  readonly #services: Services;
  #isEnded = false;
  /** The last event that was sent; of interest only until it is live. */
  #last: LastSeen = { epoch: "", seq: 0 };
  #chunkCount = CHUNK_COUNT_FIRST;
  /** A change of presence was not sent because the connection was slow: the whole list follows when it is not. */
  #owesPresence = false;

  constructor(services: Services, channel: Channel, subscriber: Subscriber, watchesPresence: boolean) {
    this.#services = services;
    this.channel = channel;
    this.subscriber = subscriber;
    this.watchesPresence = watchesPresence;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Finds where the subscription starts. When it resolves, send the start and call {@link run}, both at once. Rejects as the broker does.
   */
  async start(since: LastSeen | undefined): Promise<SubscriptionStart> {
    this.channel.beginReplay();
    try {
      return await this.#findStart(since);
    } catch (error) {
      this.channel.endReplay();
      this.end();
      throw error;
    }
  }

  async #findStart(since: LastSeen | undefined): Promise<SubscriptionStart> {
    if (since === undefined) return this.#startAtHead();
    const page = await this.#services.broker.read(this.channel.name, since, { countMax: 1 });
    if (page.outcome === "page") {
      this.#last = since;
      return { position: { epoch: since.epoch, seq: since.seq } };
    }
    const from: Position = { epoch: since.epoch, seq: since.seq };
    if (this.channel.snapshot() !== undefined) return this.#startAfterGap(from, this.#startAtHead());
    const position = resumeAfter(since, page);
    this.#last = position;
    return this.#startAfterGap(from, { position });
  }

  /** Sends what was missed, then goes live. Never rejects. */
  async run(): Promise<void> {
    try {
      while (!this.isEnded && !this.#join()) await this.#replayPage();
    } finally {
      this.channel.endReplay();
    }
  }

  /** Sends what all live subscriptions get. */
  deliver(packet: SharedPacket): void {
    this.subscriber.push(packet.for(this.subscriber.codec));
  }

  /** Sends what a slow connection can do without. */
  deliverDroppable(packet: SharedPacket): void {
    if (!this.subscriber.outbox.isPressed) this.deliver(packet);
  }

  /** Sends a change of presence; to a slow connection the whole list, later. */
  deliverPresence(changes: SharedPacket): void {
    if (this.subscriber.outbox.isPressed) this.#oweList();
    else if (!this.#owesPresence) this.deliver(changes);
  }

  /** The channel lost events and goes on elsewhere. */
  restart(gap: { readonly from: Position; readonly to: Position }): void {
    const start: SubscriptionStart = { ...this.#startAtHead(), gap };
    this.#send([{ op: "gap", channel: this.channel.name, start }]);
  }

  end(): void {
    if (this.isEnded) return;
    this.#isEnded = true;
    this.channel.remove(this);
  }

  #startAtHead(): SubscriptionStart {
    const { position } = this.channel;
    this.#last = position;
    const snapshot = this.channel.snapshot();
    return { position: { epoch: position.epoch, seq: position.seq }, ...(snapshot !== undefined && { snapshot }) };
  }

  #startAfterGap(from: Position, start: SubscriptionStart): SubscriptionStart {
    return { ...start, gap: { from, to: start.position } };
  }

  /** Whether it is live now: the channel holds everything that comes after what was sent. */
  #join(): boolean {
    const missing = this.channel.tailAfter(this.#last);
    if (missing === undefined && this.#services.guards.join !== false) return false;
    if (missing !== undefined && missing.length > 0) this.#sendEvents(this.#last.epoch, missing);
    this.channel.join(this, this.#last.seq);
    return true;
  }

  async #replayPage(): Promise<void> {
    const { broker, environment, log } = this.#services;
    try {
      const page = await broker.read(this.channel.name, this.#last, { countMax: PAGE_COUNT });
      if (this.isEnded) return;
      if (page.outcome === "gap") this.#goOnAfterGap(resumeAfter(this.#last, page));
      else if (page.run.events.length === 0) await this.channel.catchUp();
      else await this.#sendInChunks(page.run.epoch, page.run.events);
    } catch (error) {
      log.warn("reading history failed, trying again", { channel: this.channel.name, error });
      await new Promise<void>((resolve) => void environment.after(RETRY_MS, resolve));
    }
  }

  /** History was trimmed, or the stream replaced, while it was read. */
  #goOnAfterGap(position: Position): void {
    const from: Position = { epoch: this.#last.epoch, seq: this.#last.seq };
    this.#last = position;
    const start = this.channel.snapshot() === undefined ? { position } : this.#startAtHead();
    this.#send([{ op: "gap", channel: this.channel.name, start: this.#startAfterGap(from, start) }]);
  }

  /** Sends in frames that grow and shrink towards {@link CHUNK_BYTES}, and waits whenever the connection is slow. */
  async #sendInChunks(epoch: string, events: readonly LoggedEvent[]): Promise<void> {
    let index = 0;
    while (index < events.length) {
      if (this.subscriber.outbox.isPressed) await this.subscriber.outbox.roomy();
      if (this.isEnded) return;
      const chunk = events.slice(index, index + this.#chunkCount);
      index += chunk.length;
      const bytes = this.#sendEvents(epoch, chunk);
      this.#chunkCount = bytes < CHUNK_BYTES ? Math.min(PAGE_COUNT, this.#chunkCount * 2) : Math.max(1, this.#chunkCount >> 1);
    }
  }

  #sendEvents(epoch: string, events: readonly LoggedEvent[]): number {
    const last = events.at(-1);
    if (last !== undefined) this.#last = { epoch, seq: last.seq, eventId: last.eventId };
    return this.#send([eventsFrame(this.channel.name, epoch, events)]);
  }

  #send(frames: readonly object[]): number {
    const packet = Packet.of(this.subscriber.codec, frames);
    this.subscriber.push(packet);
    return packet.bytes;
  }

  #oweList(): void {
    if (this.#owesPresence) return;
    this.#owesPresence = true;
    void this.subscriber.outbox.roomy().then(() => {
      this.#owesPresence = false;
      if (!this.isEnded) this.deliver(this.channel.presence.list());
    });
  }
}
