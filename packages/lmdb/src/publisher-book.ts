import type { Outcome, PublisherCount } from "@tutti/server";
import type { ChannelContext } from "./channel-context.js";
import { places } from "./layout.js";
import { answerOf, answered, decodePublisher, encodePublisher, type Answer, type Publisher } from "./publisher-record.js";
import type { Write } from "./store.js";

/** So many publishers of an open channel are kept in memory beyond those with a publish that is not flushed; of others the record is read again. */
const CACHED_MAX = 64;

/** Who published to a channel, and what each was answered. */
export class PublisherBook {
  readonly #context: ChannelContext;
  #unsealed = new Map<string, Publisher>();
  #sealed: ReadonlyMap<string, Publisher> = new Map();
  /** As they are on disk, the latest at the end. One that is not flushed as well is older here. */
  readonly #cached = new Map<string, Publisher>();

  constructor(context: ChannelContext) {
    this.#context = context;
  }

  /** What is already known of a publish, or `undefined` where it may be appended or refused. */
  check(id: number | undefined, count: PublisherCount): Outcome | undefined {
    const publisher = this.#of(id, count.session);
    const highest = publisher?.highest ?? 0;
    if (publisher !== undefined && count.n <= highest) return this.#outcome(publisher, count.n);
    return Math.max(highest, count.settled) === count.n - 1 ? undefined : { outcome: "out-of-order", highest };
  }

  /** What became of a publish, or `undefined` where nothing is known of it. */
  lookup(id: number | undefined, { session, n }: PublisherCount): Outcome | undefined {
    const publisher = this.#of(id, session);
    return publisher === undefined || n > publisher.highest ? undefined : this.#outcome(publisher, n);
  }

  /** Settles a publish. */
  answer(id: number | undefined, { session, n }: PublisherCount, answer: Answer): void {
    const { clock, limits } = this.#context;
    const publisher = answered(this.#of(id, session), n, answer, clock.usedAt(), limits.answersMax);
    this.#unsealed.set(session, publisher);
  }

  seal(id: number): readonly Write[] {
    this.#sealed = this.#unsealed;
    this.#unsealed = new Map();
    return [...this.#sealed].map(([session, publisher]) => ({ put: places.publisher(id, session), value: encodePublisher(publisher) }));
  }

  flushed(): void {
    for (const [session, publisher] of this.#sealed) this.#cache(session, publisher);
    this.#sealed = new Map();
  }

  /** Forgets what it has in memory. */
  clear(): void {
    this.#cached.clear();
    this.#unsealed = new Map();
    this.#sealed = new Map();
  }

  #of(id: number | undefined, session: string): Publisher | undefined {
    const publisher = this.#unsealed.get(session) ?? this.#sealed.get(session) ?? this.#cached.get(session) ?? this.#read(id, session);
    return publisher === undefined || this.#context.isForgotten(publisher.usedAt) ? undefined : publisher;
  }

  #read(id: number | undefined, session: string): Publisher | undefined {
    const text = id === undefined ? undefined : this.#context.store.get(places.publisher(id, session));
    if (text === undefined) return undefined;
    const publisher = decodePublisher(text);
    this.#cache(session, publisher);
    return publisher;
  }

  #cache(session: string, publisher: Publisher): void {
    // Deleted first, so that it stands at the end.
    this.#cached.delete(session);
    this.#cached.set(session, publisher);
    for (const oldest of this.#cached.keys()) {
      if (this.#cached.size <= CACHED_MAX) return;
      this.#cached.delete(oldest);
    }
  }

  #outcome(publisher: Publisher, n: number): Outcome {
    const answer = answerOf(publisher, n);
    if (answer === undefined) return { outcome: "unknown" };
    if (typeof answer !== "number") return { outcome: "refused", error: answer };
    return { outcome: "repeat", position: { epoch: this.#context.epoch, seq: answer } };
  }
}
