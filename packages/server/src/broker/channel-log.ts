import type { Environment, LastSeen, Position, Rewind, WireError } from "@tutti/protocol";
import {
  lastSeen,
  type AppendRequest,
  type EventRun,
  type Head,
  type IdempotencyKey,
  type Keep,
  type NewEvent,
  type Outcome,
  type Page,
  type PublisherCount,
  type StoredSnapshot,
} from "./broker.js";
import { KeptEvents } from "./kept-events.js";

/** What the log of one channel remembers at most. */
export interface LogLimits {
  readonly deduplicationMs: number;
  readonly answersMax: number;
  readonly keysMax: number;
  readonly publishersMax: number;
}

interface Publisher {
  readonly highest: number;
  readonly usedAt: number;
  /** What its latest publishes were answered, by *n*; the oldest first. */
  readonly answers: Map<number, number | WireError>;
}

/** The history of one channel, and who wrote it. It counts by ones, so an event's index follows from its `seq`. */
export class ChannelLog {
  readonly listeners = new Set<(run: EventRun) => void>();
  readonly #environment: Environment;
  readonly #limits: LogLimits;
  readonly #epoch: string;
  readonly #kept = new KeptEvents();
  #floor = 0;
  /** Of the event at the floor, which was forgotten. */
  #floorEventId: string | undefined;
  #snapshot: StoredSnapshot | undefined;
  readonly #publishers = new Map<string, Publisher>();
  readonly #keys = new Map<string, { seq: number; at: number }>();
  /** Until then a publisher that is not known may be one that had to go before its time. */
  #doubtUntil = Number.NEGATIVE_INFINITY;
  #sweptAt: number;

  constructor(environment: Environment, limits: LogLimits, epoch: string) {
    this.#environment = environment;
    this.#limits = limits;
    this.#epoch = epoch;
    this.#sweptAt = environment.elapsed();
  }

  get position(): Position {
    return this.#at(this.#headSeq);
  }

  get head(): Head {
    const { position } = this;
    const floor = this.#floor;
    const floorEventId = this.#floorEventId;
    const eventId = this.#eventIdAt(position.seq);
    if (eventId === undefined) return { position, floor };
    return floorEventId === undefined ? { position, floor, eventId } : { position, floor, eventId, floorEventId };
  }

  get snapshot(): StoredSnapshot | undefined {
    return this.#snapshot;
  }

  /** Whether nobody would miss it. */
  get isBlank(): boolean {
    const isUnwritten = this.#floor === 0 && this.#kept.length === 0 && this.#snapshot === undefined;
    return isUnwritten && this.listeners.size === 0 && this.#publishers.size === 0 && this.#keys.size === 0;
  }

  /** What is already known of the publish, or `undefined` where it may be appended. */
  check({ publisher, key }: AppendRequest): Outcome | undefined {
    if (publisher !== undefined) return this.checkCount(publisher);
    return key === undefined ? undefined : this.#ofKey(key);
  }

  checkCount(count: PublisherCount): Outcome | undefined {
    const known = this.#ofCount(count);
    if (known !== undefined) return known;
    const highest = this.#publishers.get(count.session)?.highest ?? 0;
    return Math.max(highest, count.settled) === count.n - 1 ? undefined : { outcome: "out-of-order", highest };
  }

  lookup(id: PublisherCount | IdempotencyKey): Outcome | undefined {
    if ("key" in id) return this.#ofKey(id);
    // Who asks about an earlier publish of somebody who may have been forgotten must not take it for one that never landed.
    const mayBeForgotten = !this.#publishers.has(id.session) && this.#environment.elapsed() <= this.#doubtUntil;
    return mayBeForgotten ? { outcome: "unknown" } : this.#ofCount(id);
  }

  append({ event, publisher, key, retention }: AppendRequest): Position {
    const prev = this.#headSeq;
    // The copy comes last: fields after one give each event a hidden class of its own, which takes microseconds and memory. The place is written
    // over it, since an event that was read from another log brings one.
    const logged = { seq: 0, prev: 0, ...(event satisfies NewEvent) };
    logged.seq = prev + 1;
    logged.prev = prev;
    this.#kept.push(logged, this.#environment.elapsed());
    if (publisher !== undefined) this.answer(publisher, logged.seq);
    if (key !== undefined) this.#remember(key, logged.seq);
    if (retention !== undefined) this.#forget(this.#kept.spare(retention, this.#environment.elapsed()));
    this.#sweep();
    const run: EventRun = { epoch: this.#epoch, events: [logged] };
    for (const listener of this.listeners) listener(run);
    return this.#at(logged.seq);
  }

  /** Settles a publisher's *n*: with the `seq` where it landed, or the error that refused it. */
  answer({ session, n }: PublisherCount, answer: number | WireError): void {
    const { answersMax, publishersMax } = this.#limits;
    const answers = this.#publishers.get(session)?.answers ?? new Map<number, number | WireError>();
    answers.set(n, answer);
    forgetOldest(answers, answersMax);
    // Deleted first, so that the map is in the order of their last publishes.
    this.#publishers.delete(session);
    this.#publishers.set(session, { highest: n, usedAt: this.#environment.elapsed(), answers });
    for (const { usedAt } of forgetOldest(this.#publishers, publishersMax)) this.#doubtUntil = usedAt + this.#limits.deduplicationMs;
  }

  read(after: LastSeen, countMax: number): Page {
    const head = this.#headSeq;
    const isKnown = after.epoch === this.#epoch && after.seq >= this.#floor && after.seq <= head;
    if (!isKnown || this.#hasAnother(after)) return { outcome: "gap", floor: this.#seenAt(this.#floor), head: this.#seenAt(head) };
    return { outcome: "page", run: { epoch: this.#epoch, events: this.#kept.slice(after.seq - this.#floor, countMax) }, head: this.#at(head) };
  }

  locate(back: Rewind): LastSeen {
    const first = "count" in back ? this.#kept.length - back.count : this.#kept.indexSince(this.#environment.elapsed() - back.ageMs);
    return this.#seenAt(this.#floor + Math.max(0, first));
  }

  trim({ epoch, seq }: Position, keep?: Keep): void {
    if (epoch !== this.#epoch) return;
    const limit = keep?.unsaved === true ? Math.min(seq, this.#snapshot?.position.seq ?? 0) : seq;
    const upTo = Math.max(0, Math.min(limit - this.#floor, this.#kept.length));
    this.#forget(keep === undefined ? upTo : Math.min(upTo, this.#kept.spare(keep, this.#environment.elapsed())));
  }

  /** Whether this one or a newer one is kept now. */
  saveSnapshot(snapshot: StoredSnapshot): boolean {
    const { epoch, seq } = snapshot.position;
    if (epoch !== this.#epoch || seq > this.#headSeq || this.#hasAnother(lastSeen(snapshot))) return false;
    if (this.#snapshot === undefined || seq >= this.#snapshot.position.seq) this.#snapshot = snapshot;
    return true;
  }

  /** Whether it holds another event than the one that was seen there. */
  #hasAnother({ seq, eventId }: LastSeen): boolean {
    const there = this.#eventIdAt(seq);
    return there !== undefined && eventId !== undefined && there !== eventId;
  }

  get #headSeq(): number {
    return this.#floor + this.#kept.length;
  }

  /** Of the event at a place that was not forgotten, or at the floor. */
  #eventIdAt(seq: number): string | undefined {
    return seq === this.#floor ? this.#floorEventId : this.#kept.at(seq - this.#floor - 1)?.eventId;
  }

  #seenAt(seq: number): LastSeen {
    const eventId = this.#eventIdAt(seq);
    return eventId === undefined ? this.#at(seq) : { epoch: this.#epoch, seq, eventId };
  }

  #at(seq: number): Position {
    return { epoch: this.#epoch, seq };
  }

  #ofKey(key: IdempotencyKey): Outcome | undefined {
    const known = this.#keys.get(keyOf(key));
    return known === undefined ? undefined : { outcome: "repeat", position: this.#at(known.seq) };
  }

  #ofCount({ session, n }: PublisherCount): Outcome | undefined {
    const publisher = this.#publishers.get(session);
    if (publisher === undefined || n > publisher.highest) return undefined;
    const answer = publisher.answers.get(n);
    if (answer === undefined) return { outcome: "unknown" };
    return typeof answer === "number" ? { outcome: "repeat", position: this.#at(answer) } : { outcome: "refused", error: answer };
  }

  #remember(key: IdempotencyKey, seq: number): void {
    this.#keys.set(keyOf(key), { seq, at: this.#environment.elapsed() });
    forgetOldest(this.#keys, this.#limits.keysMax);
  }

  /** Forgets the oldest events, and of the last of them all but its id. */
  #forget(count: number): void {
    if (count === 0) return;
    this.#floorEventId = this.#kept.at(count - 1)?.eventId;
    this.#kept.forget(count);
    this.#floor += count;
  }

  /** Forgets publishers and keys that were not used for the window; looked at once in a tenth of it. */
  #sweep(): void {
    const now = this.#environment.elapsed();
    const { deduplicationMs } = this.#limits;
    if (now - this.#sweptAt < deduplicationMs / 10) return;
    this.#sweptAt = now;
    for (const [session, { usedAt }] of this.#publishers) if (now - usedAt > deduplicationMs) this.#publishers.delete(session);
    for (const [key, { at }] of this.#keys) if (now - at > deduplicationMs) this.#keys.delete(key);
  }
}

function keyOf({ principal, key }: IdempotencyKey): string {
  return JSON.stringify([principal, key]);
}

/** Deletes what was put in first, until no more than `countMax` are left. What it deleted. */
function forgetOldest<Value>(map: Map<unknown, Value>, countMax: number): readonly Value[] {
  const forgotten: Value[] = [];
  for (const [key, value] of map) {
    if (map.size <= countMax) break;
    map.delete(key);
    forgotten.push(value);
  }
  return forgotten;
}
