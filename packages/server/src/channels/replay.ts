import { TuttiError, isFinal, type Cancel, type LastSeen, type Position, type Rewind, type SubscriptionStart } from "@tutti/protocol";
import type { LoggedEvent, Page } from "../broker/broker.js";
import { Packet } from "../connections/packet.js";
import type { Services } from "../services.js";
import type { Channel } from "./channel.js";
import { resumeAfter } from "./follower.js";
import type { Subscriber, Subscription } from "./subscription.js";

const PAGE_COUNT = 256;
/** A replay's frames are made about this big, so that live traffic gets its turn in between. */
const CHUNK_BYTES = 64 * 1024;
const CHUNK_COUNT_FIRST = 4;
const RETRY_MS = 1_000;

/** Where a subscription starts: at the head, after the last event that was seen, or so far behind the head. */
export interface StartFrom {
  readonly since?: LastSeen | undefined;
  readonly rewind?: Rewind | undefined;
}

/**
 * Brings a subscription up to date: reads what was missed, and joins the live events without a hole or a repeat. It is done with when the
 * subscription is live, or has ended.
 */
export class Replay {
  readonly #services: Services;
  readonly #channel: Channel;
  readonly #subscription: Subscription;
  readonly #subscriber: Subscriber;
  readonly #chunkBytes: number;
  /** The last event that was sent. */
  #last: LastSeen = { epoch: "", seq: 0 };
  /** How far the log went when it was last read; the node may not have heard of all that. */
  #head: Position = this.#last;
  #chunkCount = CHUNK_COUNT_FIRST;
  #hasSentChunk = false;
  /** Ends a pause before its time. */
  #wake = (): void => {};

  constructor(services: Services, subscription: Subscription, subscriber: Subscriber) {
    this.#services = services;
    this.#channel = subscription.channel;
    this.#subscription = subscription;
    this.#subscriber = subscriber;
    this.#chunkBytes = Math.min(CHUNK_BYTES, services.bounds.outboxBytesMax / 8);
  }

  /** Where the subscription starts. Rejects as the broker does, or with `REWIND_UNSUPPORTED` where the channel has state. */
  async start({ since, rewind }: StartFrom): Promise<SubscriptionStart> {
    if (rewind !== undefined) return this.#startBehindHead(rewind);
    if (since === undefined) return this.#startAtHead();
    const page = await this.#services.broker.read(this.#channel.name, since, { countMax: 1 });
    this.#head = page.head;
    return page.outcome === "page" ? this.#startAt(since) : this.#startAfter(since, page);
  }

  /** Goes on after `last`, once the log has been read from there: it may not have that any more. */
  resume(last: LastSeen): void {
    this.#last = last;
    this.#head = { epoch: last.epoch, seq: Number.MAX_SAFE_INTEGER };
  }

  /** Sends what was missed, until the subscription is live. Rejects where that cannot be encoded. */
  async run(): Promise<void> {
    const { lease } = this.#services;
    while (!this.#isEnded) {
      if (lease.isOver) await lease.renewal();
      else if (this.#join()) return;
      else await this.#advance();
    }
  }

  /** The subscription has ended: nobody waits any more. */
  stop(): void {
    this.#wake();
  }

  get #isEnded(): boolean {
    return this.#subscription.isEnded;
  }

  async #startBehindHead(rewind: Rewind): Promise<SubscriptionStart> {
    if (this.#channel.hasState) throw new TuttiError("REWIND_UNSUPPORTED", { field: "rewind", message: `${this.#channel.name} has state` });
    const { broker } = this.#services;
    const position = await broker.locate(this.#channel.name, rewind);
    const page = await broker.read(this.#channel.name, position, { countMax: 1 });
    this.#head = page.head;
    // Where that was trimmed meanwhile, nothing is missing that the client has seen.
    return this.#startAt(page.outcome === "page" ? position : resumeAfter(position, page));
  }

  #startAt(last: LastSeen): SubscriptionStart {
    this.#last = last;
    return { position: last };
  }

  #startAtHead(): SubscriptionStart {
    this.#last = this.#channel.position;
    return startAtHead(this.#channel);
  }

  /** Where it goes on when the log does not have what comes after `last`. */
  #startAfter(last: LastSeen, page: Extract<Page, { outcome: "gap" }>): SubscriptionStart {
    const start = this.#channel.hasState ? this.#startAtHead() : this.#startAt(resumeAfter(last, page));
    return { ...start, gap: { from: placeOf(last), to: placeOf(start.position) } };
  }

  /** Whether it is live now: the channel held everything that comes after what was sent, and the connection had room for it. */
  #join(): boolean {
    const missing = this.#channel.tailAfter(this.#last);
    const logHasMore = missing?.length === 0 && this.#head.epoch === this.#last.epoch && this.#head.seq > this.#last.seq;
    if ((missing === undefined || logHasMore) && this.#services.guards.join !== false) return false;
    for (let rest = missing ?? []; rest.length > 0; ) {
      if (this.#subscriber.outbox.isPressed) return false;
      rest = rest.slice(this.#sendChunk(this.#last.epoch, rest));
    }
    // What was sent may have been too much for the connection.
    if (!this.#isEnded) this.#channel.join(this.#subscription, this.#last);
    return true;
  }

  /** One step towards the head of the log. */
  async #advance(): Promise<void> {
    let page: Page;
    try {
      page = await this.#services.broker.read(this.#channel.name, this.#last, { countMax: PAGE_COUNT });
      this.#head = page.head;
      // The log has nothing more, or something else, and the node does not know it yet.
      const isNodeBehind = page.outcome === "page" ? page.run.events.length === 0 : this.#channel.hasState;
      if (isNodeBehind && !this.#isEnded) await this.#channel.catchUp();
    } catch (error) {
      if (this.#isEnded) return;
      if (error instanceof TuttiError && isFinal(error.code)) return this.#subscription.fail(error);
      this.#services.log.warn("reading history failed, trying again", { channel: this.#channel.name, error });
      return this.#pause();
    }
    // What was read may not be sent any more: it is read again when it may.
    if (this.#isEnded || this.#services.lease.isOver) return;
    // History was trimmed, or the stream replaced, while it was read.
    if (page.outcome === "gap") this.#send({ op: "gap", channel: this.#channel.name, start: this.#startAfter(this.#last, page) });
    else await this.#sendInChunks(page.run.epoch, page.run.events);
  }

  async #sendInChunks(epoch: string, events: readonly LoggedEvent[]): Promise<void> {
    const { outbox } = this.#subscriber;
    let index = 0;
    while (index < events.length) {
      // The others get their turn between two chunks.
      if (this.#hasSentChunk) await this.#services.turn.next();
      // Looked at anew right before sending: many wait for the same room.
      while (!this.#isEnded && outbox.isPressed) await outbox.roomy();
      if (this.#isEnded || this.#services.lease.isOver) return;
      index += this.#sendChunk(epoch, events.slice(index));
      this.#hasSentChunk = true;
    }
  }

  /** Sends the first of the events, as many as make about {@link CHUNK_BYTES}, at least one. Returns how many. */
  #sendChunk(epoch: string, events: readonly LoggedEvent[]): number {
    const { codec } = this.#subscriber;
    let chunk = events.slice(0, this.#chunkCount);
    let packet = this.#channel.replayed(codec, epoch, chunk);
    while (packet.bytes > 2 * this.#chunkBytes && chunk.length > 1) {
      this.#chunkCount = chunk.length >> 1;
      chunk = chunk.slice(0, this.#chunkCount);
      packet = this.#channel.replayed(codec, epoch, chunk);
    }
    if (packet.bytes < this.#chunkBytes && chunk.length === this.#chunkCount) this.#chunkCount = Math.min(PAGE_COUNT, this.#chunkCount * 2);
    const last = chunk.at(-1);
    if (last !== undefined) this.#last = { epoch, seq: last.seq, eventId: last.eventId };
    this.#subscriber.push(packet);
    return chunk.length;
  }

  #send(frame: object): void {
    this.#subscriber.push(Packet.of(this.#subscriber.codec, [frame]));
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel: Cancel = this.#services.environment.after(RETRY_MS, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** The place alone, without what was seen there. */
function placeOf({ epoch, seq }: Position): Position {
  return { epoch, seq };
}

/** Where a subscription starts that is to see what comes from now on. */
export function startAtHead(channel: Channel): SubscriptionStart {
  const snapshot = channel.snapshot();
  return { position: channel.position, ...(snapshot !== undefined && { snapshot }) };
}
