import { samePosition, type LastSeen, type Position, type Rewind } from "@tutti/protocol";
import type { AppendRequest, EventRun, Head, IdempotencyKey, Keep, LoggedEvent, Outcome, Page, PublisherCount, Retention, StoredSnapshot } from "@tutti/server";
import type { ChannelContext } from "./channel-context.js";
import { ORIGIN, decodeChannel, decodeEvent, encodeChannel, encodeEvent, markOf, missing, tipOf, type EventRecord, type Mark, type Tip } from "./event-record.js";
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

/** What is on disk of a channel. One that nobody wrote to has no id yet. */
interface Extent {
  readonly id: number | undefined;
  /** The last event that was forgotten. */
  readonly floor: Tip;
  /** The last event, or the floor where there is none. */
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
  #floor: Tip;
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
    const { seq: floor, eventId: floorEventId } = this.#shownFloor;
    const position = this.#at(seq);
    if (eventId === undefined) return { position, floor };
    return floorEventId === undefined ? { position, floor, eventId } : { position, floor, eventId, floorEventId };
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
    const before = this.#head;
    this.#unsealed.push(record);
    this.#head = record.mark;
    if (retention !== undefined) this.#forgetSpare(retention);
    if (this.#isShownAtOnce) this.#deliver([record.event], before);
    return this.#at(seq);
  }

  answer(publisher: PublisherCount, answer: Answer): void {
    this.#publishers.answer(this.#flushed.id, publisher, answer);
  }

  read(after: LastSeen, countMax: number): Page {
    const floor = this.#shownFloor;
    const isKnown = after.epoch === this.#context.epoch && after.seq >= floor.seq && after.seq <= this.#shown.seq;
    if (!isKnown || (after.seq === floor.seq && isOther(after, floor))) return this.#gap();
    const isChecked = after.eventId !== undefined && after.seq > floor.seq;
    const events = this.#events(isChecked ? after.seq - 1 : after.seq, countMax + (isChecked ? 1 : 0));
    if (isChecked && events.shift()?.eventId !== after.eventId) return this.#gap();
    return { outcome: "page", run: { epoch: this.#context.epoch, events }, head: this.#at(this.#shown.seq) };
  }

  locate(back: Rewind): LastSeen {
    const head = this.#shown;
    const floor = this.#shownFloor;
    if ("count" in back) return this.#seen(this.#shownAt(Math.max(floor.seq, head.seq - back.count)));
    const since = this.#context.clock.now() - back.ageMs;
    return this.#seen(this.#shownAt(lastWhere(floor.seq, head.seq, (seq) => this.#markAt(seq).at < since)));
  }

  /** Whether something is to be forgotten yet; a part of it goes with the next write then. */
  trim({ epoch, seq }: Position, keep: Keep | undefined): boolean {
    if (epoch !== this.#context.epoch) return false;
    const saved = keep?.unsaved === true ? this.#shelf.savedUpTo(this.#flushed.id) : seq;
    const upTo = Math.min(seq, saved, this.#flushed.head.seq);
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
    if (eventId !== undefined && seq >= this.#shownFloor.seq && isOther({ eventId }, this.#shownAt(seq))) return false;
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
    const before = this.#flushed.head;
    this.#flushed = extent;
    this.#sealed = undefined;
    this.#publishers.flushed();
    this.#keys.flushed();
    this.#shelf.flushed();
    if (events.length > 0 && !this.#isShownAtOnce) this.#deliver(events.map(({ event }) => event), before);
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
  get #shownFloor(): Tip {
    return this.#floor.seq <= this.#shown.seq ? this.#floor : this.#shown;
  }

  /** What was appended and is not flushed. */
  get #ahead(): readonly EventRecord[] {
    return this.#sealed === undefined ? this.#unsealed : [...this.#sealed.events, ...this.#unsealed];
  }

  #deliver(events: readonly LoggedEvent[], { eventId: before }: Tip): void {
    const { epoch } = this.#context;
    const run: EventRun = before === undefined ? { epoch, events } : { epoch, events, before };
    for (const listener of this.listeners) this.#context.tell(() => listener(run));
  }

  #gap(): Page {
    return { outcome: "gap", floor: this.#seen(this.#shownFloor), head: this.#seen(this.#shown) };
  }

  #seen({ seq, eventId }: Tip): LastSeen {
    return eventId === undefined ? this.#at(seq) : { epoch: this.#context.epoch, seq, eventId };
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
    this.#floor = this.#tipAt(upTo);
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
    return this.#knownAt(seq) ?? markOf(seq, this.#textAt(seq));
  }

  #tipAt(seq: number): Tip {
    return this.#knownAt(seq) ?? tipOf(seq, this.#textAt(seq));
  }

  /** A place that anybody may see, the floor included. */
  #shownAt(seq: number): Tip {
    const floor = this.#shownFloor;
    return seq === floor.seq ? floor : this.#tipAt(seq);
  }

  /** What need not be read. */
  #knownAt(seq: number): Tip | undefined {
    if (seq <= this.#floor.seq) return this.#floor;
    const { head } = this.#flushed;
    if (seq === head.seq) return head;
    return seq < head.seq ? undefined : (this.#ahead[seq - head.seq - 1]?.mark ?? this.#head);
  }

  #textAt(seq: number): string {
    const { id } = this.#flushed;
    const text = id === undefined ? undefined : this.#context.store.get(places.event(id, seq));
    if (text === undefined) throw missing(this.#name, seq);
    return text;
  }

  #readExtent(): Extent {
    const { store } = this.#context;
    const text = store.get(places.channel(this.#name));
    if (text === undefined) return { id: undefined, floor: ORIGIN, head: ORIGIN };
    const { id, floor } = decodeChannel(text);
    for (const { key, value } of store.range({ ...ranges.eventsAbove(id, floor.seq), reverse: true, limit: 1 })) {
      return { id, floor, head: tipOf(Number(key[2]), value) };
    }
    return { id, floor, head: floor };
  }
}

/** Whether another event is known to stand there than was seen. */
function isOther({ eventId }: Pick<LastSeen, "eventId">, there: Tip): boolean {
  return eventId !== undefined && there.eventId !== undefined && there.eventId !== eventId;
}
