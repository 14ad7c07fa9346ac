import { samePosition, type LastSeen, type Position, type Rewind } from "@tutti/protocol";
import type { AppendRequest, EventRun, Head, IdempotencyKey, LoggedEvent, Outcome, Page, PublisherCount, Retention, StoredSnapshot } from "@tutti/server";
import type { ChannelContext } from "./channel-context.js";
import { ORIGIN, decodeChannel, decodeEvent, encodeChannel, encodeEvent, markOf, missing, type EventRecord, type Mark } from "./event-record.js";
import { KeyBook } from "./key-book.js";
import { places, ranges } from "./layout.js";
import { PublisherBook } from "./publisher-book.js";
import type { Answer } from "./publisher-record.js";
import { edgeOf, isDue, isSpare, lastWhere } from "./retention.js";
import { SnapshotShelf } from "./snapshot-shelf.js";
import type { Write } from "./store.js";
import type { Writer } from "./write-queue.js";

/** So many events at most are forgotten in one write beyond as many as it brings. */
const FORGOTTEN_MAX = 1_024;

/** The last event, with its id, or the floor where there is none. */
interface Tip extends Mark {
  readonly eventId?: string;
}

/** What is on disk of a channel. One that nobody wrote to has no id yet. */
interface Extent {
  readonly id: number | undefined;
  readonly floor: Mark;
  readonly head: Tip;
}

/**
 * The history of one channel, and who wrote it. What it shows is flushed, unless the log acknowledges before that; what it counts by is what was
 * appended.
 */
export class ChannelLog implements Writer {
  readonly listeners = new Set<(run: EventRun) => void>();
  readonly #context: ChannelContext;
  readonly #name: string;
  readonly #publishers: PublisherBook;
  readonly #keys: KeyBook;
  readonly #shelf: SnapshotShelf;
  #flushed: Extent;
  /** Raised as soon as events are to be forgotten, so that nobody begins to read them. */
  #floor: Mark;
  #head: Tip;
  /** The event that decides whether something is due; read once for each floor. */
  #edge: Mark | undefined;
  #unsealed: EventRecord[] = [];
  #sealed: { readonly events: readonly EventRecord[]; readonly extent: Extent } | undefined;
  /** A write failed, and what is in memory may be wrong. */
  #isStale = false;
  #landing: Promise<void> | undefined;

  /** @throws TuttiError `UNAVAILABLE` where the disk cannot be read */
  constructor(context: ChannelContext, name: string) {
    this.#context = context;
    this.#name = name;
    this.#publishers = new PublisherBook(context);
    this.#keys = new KeyBook(context);
    this.#shelf = new SnapshotShelf(context);
    this.#flushed = this.#readExtent();
    this.#floor = this.#flushed.floor;
    this.#head = this.#flushed.head;
  }

  /** Whether it can be read from the disk again when it is needed. */
  get isIdle(): boolean {
    return this.#landing === undefined && this.listeners.size === 0;
  }

  /** Settles as the last write does that this channel takes part in; `undefined` when all is flushed. */
  get landing(): Promise<void> | undefined {
    return this.#landing;
  }

  get head(): Head {
    const { seq, eventId } = this.#shown;
    const floor = this.#shownFloor;
    const position = this.#at(seq);
    return eventId !== undefined && seq > floor ? { position, floor, eventId } : { position, floor };
  }

  /** How many events were shown and are not flushed. */
  get aheadCount(): number {
    return this.#shown.seq - this.#flushed.head.seq;
  }

  /** Takes part in a write that ends as `done` does. */
  land(done: Promise<void>): Promise<void> {
    if (this.#landing === done) return done;
    this.#landing = done;
    const over = (): void => {
      if (this.#landing === done) this.#landing = undefined;
    };
    done.then(over, over);
    return done;
  }

  /** Takes the disk's word after a write failed. */
  refresh(): void {
    if (!this.#isStale) return;
    this.#flushed = this.#readExtent();
    this.#floor = this.#flushed.floor;
    this.#head = this.#flushed.head;
    this.#edge = undefined;
    this.#isStale = false;
  }

  /** What is already known of the publish, or what stands against it; `undefined` where it may be appended. */
  check({ publisher, key, expected }: AppendRequest): Outcome | undefined {
    const known = publisher === undefined ? key && this.lookup(key) : this.checkCount(publisher);
    if (known !== undefined) return known;
    const head = this.#at(this.#head.seq);
    return expected === undefined || samePosition(expected, head) ? undefined : { outcome: "conflict", head };
  }

  checkCount(count: PublisherCount): Outcome | undefined {
    return this.#publishers.check(this.#flushed.id, count);
  }

  lookup(id: PublisherCount | IdempotencyKey): Outcome | undefined {
    if ("session" in id) return this.#publishers.lookup(this.#flushed.id, id);
    const seq = this.#keys.lookup(this.#flushed.id, id);
    return seq === undefined ? undefined : { outcome: "repeat", position: this.#at(seq) };
  }

  /**
   * Goes with the next write. Where it throws, it leaves no answer and no key behind that a repeat would find.
   *
   * @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP`, `UNAVAILABLE` where the disk cannot be read
   */
  append({ event, publisher, key, retention }: AppendRequest): Position {
    const record = encodeEvent(event, this.#head, Math.max(this.#head.at, this.#context.clock.now()));
    const { seq } = record.mark;
    if (publisher !== undefined) this.answer(publisher, seq);
    if (key !== undefined) this.#keys.add(this.#flushed.id, key, seq);
    this.#unsealed.push(record);
    this.#head = { ...record.mark, eventId: event.eventId };
    if (retention !== undefined) this.#forgetSpare(retention);
    if (this.#isShownAtOnce) this.#deliver([record.event]);
    return this.#at(seq);
  }

  answer(publisher: PublisherCount, answer: Answer): void {
    this.#publishers.answer(this.#flushed.id, publisher, answer);
  }

  read(after: LastSeen, countMax: number): Page {
    const isKnown = after.epoch === this.#context.epoch && after.seq >= this.#shownFloor && after.seq <= this.#shown.seq;
    if (!isKnown) return this.#gap();
    const isChecked = after.eventId !== undefined && after.seq > this.#shownFloor;
    const events = this.#events(isChecked ? after.seq - 1 : after.seq, countMax + (isChecked ? 1 : 0));
    if (isChecked && events.shift()?.eventId !== after.eventId) return this.#gap();
    return { outcome: "page", run: { epoch: this.#context.epoch, events }, head: this.#at(this.#shown.seq) };
  }

  locate(back: Rewind): Position {
    const head = this.#shown;
    const floor = this.#shownFloor;
    if ("count" in back) return this.#at(Math.max(floor, head.seq - back.count));
    const since = this.#context.clock.now() - back.ageMs;
    return this.#at(lastWhere(floor, head.seq, (seq) => this.#markAt(seq).at < since));
  }

  /** Whether something is to be forgotten yet; a part of it goes with the next write then. */
  trim({ epoch, seq }: Position, keep: Retention | undefined): boolean {
    if (epoch !== this.#context.epoch) return false;
    const upTo = Math.min(seq, this.#flushed.head.seq);
    const spare = keep === undefined ? upTo : this.#spareUpTo(keep, upTo);
    this.#raiseFloor(spare);
    return this.#flushed.floor.seq < spare;
  }

  /**
   * Whether it, or a newer one, is kept with the next write: not if its position is of another epoch or above the head, or if another event stands
   * there. Whoever saw that one has not noticed that the log was rolled back, and nothing would lead on from what it made of it.
   */
  saveSnapshot(snapshot: StoredSnapshot): boolean {
    const { position, eventId } = snapshot;
    const { epoch, seq } = position;
    if (epoch !== this.#context.epoch || seq > this.#shown.seq) return false;
    if (eventId !== undefined && seq > this.#shownFloor && this.#events(seq - 1, 1)[0]?.eventId !== eventId) return false;
    this.#shelf.put(this.#flushed.id, snapshot);
    return true;
  }

  loadSnapshot(): StoredSnapshot | undefined {
    return this.#shelf.load(this.#flushed.id);
  }

  seal(): readonly Write[] {
    if (this.#isStale) return [];
    const { floor: before, head: flushedHead } = this.#flushed;
    const events = this.#unsealed;
    const id = this.#flushed.id ?? this.#context.newId();
    const floor = this.#floor;
    const writes: Write[] = [];
    if (this.#flushed.id === undefined) writes.push({ put: places.ids, value: String(id) });
    if (this.#flushed.id === undefined || floor !== before) writes.push({ put: places.channel(this.#name), value: encodeChannel({ id, floor }) });
    for (let seq = before.seq + 1; seq <= Math.min(floor.seq, flushedHead.seq); seq++) writes.push({ remove: places.event(id, seq) });
    for (const { mark, text } of events) if (mark.seq > floor.seq) writes.push({ put: places.event(id, mark.seq), value: text });
    this.#unsealed = [];
    this.#sealed = { events, extent: { id, floor, head: this.#head } };
    return [...writes, ...this.#publishers.seal(id), ...this.#keys.seal(id), ...this.#shelf.seal(id)];
  }

  flushed(): void {
    if (this.#sealed === undefined) return;
    const { events, extent } = this.#sealed;
    this.#flushed = extent;
    this.#sealed = undefined;
    this.#publishers.flushed();
    this.#keys.flushed();
    this.#shelf.flushed();
    if (events.length > 0 && !this.#isShownAtOnce) this.#deliver(events.map(({ event }) => event));
  }

  failed(): void {
    this.#isStale = true;
    this.#unsealed = [];
    this.#sealed = undefined;
    this.#publishers.clear();
    this.#keys.clear();
    this.#shelf.clear();
  }

  get #isShownAtOnce(): boolean {
    return this.#context.durability === "commit";
  }

  /** The last event that anybody may see. */
  get #shown(): Tip {
    return this.#isShownAtOnce ? this.#head : this.#flushed.head;
  }

  /** What is appended may be forgotten before anybody sees it. */
  get #shownFloor(): number {
    return Math.min(this.#floor.seq, this.#shown.seq);
  }

  /** What was appended and is not flushed. */
  get #ahead(): readonly EventRecord[] {
    return this.#sealed === undefined ? this.#unsealed : [...this.#sealed.events, ...this.#unsealed];
  }

  #deliver(events: readonly LoggedEvent[]): void {
    const run: EventRun = { epoch: this.#context.epoch, events };
    for (const listener of this.listeners) this.#context.tell(() => listener(run));
  }

  #gap(): Page {
    return { outcome: "gap", floor: this.#at(this.#shownFloor), head: this.#at(this.#shown.seq) };
  }

  #at(seq: number): Position {
    return { epoch: this.#context.epoch, seq };
  }

  #events(after: number, countMax: number): LoggedEvent[] {
    const { id, head } = this.#flushed;
    const events: LoggedEvent[] = [];
    const range = id === undefined ? undefined : { ...ranges.events(id, after, head.seq), limit: countMax };
    if (range !== undefined) for (const { value } of this.#context.store.range(range)) events.push(decodeEvent(value));
    if (this.#shown === head || events.length === countMax) return events;
    const ahead = this.#ahead.map(({ event }) => event).filter(({ seq }) => seq > Math.max(after, head.seq));
    return [...events, ...ahead.slice(0, countMax - events.length)];
  }

  /** Forgets events in memory, and on disk with the next write; not so many that this would take long. */
  #raiseFloor(spare: number): void {
    const upTo = Math.min(spare, this.#flushed.floor.seq + this.#unsealed.length + FORGOTTEN_MAX);
    if (upTo <= this.#floor.seq) return;
    this.#floor = this.#markAt(upTo);
    this.#edge = undefined;
  }

  #forgetSpare(retention: Retention): void {
    try {
      if (this.#isDue(retention)) this.#raiseFloor(this.#spareUpTo(retention, this.#head.seq));
    } catch {
      // The event is appended by now, whatever cannot be read: a later append forgets.
    }
  }

  #isDue(retention: Retention): boolean {
    const edge = edgeOf(this.#floor);
    if (this.#edge === undefined && edge < this.#head.seq) this.#edge = this.#markAt(edge);
    return isDue(retention, this.#floor, this.#edge, this.#head, this.#context.clock.now());
  }

  #spareUpTo(retention: Retention, upTo: number): number {
    const now = this.#context.clock.now();
    return lastWhere(this.#floor.seq, upTo, (seq) => isSpare(retention, this.#markAt(seq), this.#head, now));
  }

  #markAt(seq: number): Mark {
    if (seq <= this.#floor.seq) return this.#floor;
    const { id, head } = this.#flushed;
    if (seq === head.seq) return head;
    if (seq > head.seq) return this.#ahead[seq - head.seq - 1]?.mark ?? this.#head;
    const text = id === undefined ? undefined : this.#context.store.get(places.event(id, seq));
    if (text === undefined) throw missing(this.#name, seq);
    return markOf(seq, text);
  }

  #readExtent(): Extent {
    const { store } = this.#context;
    const text = store.get(places.channel(this.#name));
    if (text === undefined) return { id: undefined, floor: ORIGIN, head: ORIGIN };
    const { id, floor } = decodeChannel(text);
    for (const { key, value } of store.range({ ...ranges.eventsAbove(id, floor.seq), reverse: true, limit: 1 })) {
      return { id, floor, head: { ...markOf(Number(key[2]), value), eventId: decodeEvent(value).eventId } };
    }
    return { id, floor, head: floor };
  }
}
