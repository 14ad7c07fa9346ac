import { SERVER_DEPTH_MAX, TuttiError, isFinal, jsonCodec, wireErrorOf, type ClientFrameOf, type Position } from "@tutti/protocol";
import type { Outcome, PublisherCount } from "../broker/broker.js";
import type { Channels } from "../channels/channels.js";
import { tuttiError } from "../errors.js";
import type { Caller } from "../handlers.js";
import type { ChannelPolicy } from "../policy/policy.js";
import type { Services } from "../services.js";
import type { Prepared, PreparedEvent, PreparedPublishes } from "./prepared.js";

type PublishFrame = ClientFrameOf<"publish">;

/** What is told of a publish that is in the log. */
export interface Published {
  readonly position: Position;
  readonly eventId: string;
  readonly repeat?: true;
  /** What the application's handler made of the payload; not there where that is what was sent, or is not known any more. */
  readonly payload?: unknown;
}

/** Answers one publish. */
export interface PublishReply {
  succeed(published: Published): void;
  fail(error: TuttiError): void;
}

/** A connection that publishes. */
export interface PublishSource {
  readonly caller: Caller;
  /** @throws TuttiError `ROOM_NOT_FOUND` */
  assertExists(policy: ChannelPolicy): Promise<void>;
}

export interface PublisherParts {
  readonly services: Services;
  readonly channels: Channels;
  readonly policy: ChannelPolicy;
  readonly session: string;
  readonly prepared: PreparedPublishes;
}

interface Job {
  readonly frame: PublishFrame;
  readonly source: PublishSource;
  readonly reply: PublishReply;
}

/**
 * One session's publishes to one channel, whichever of its connections they come by, so that a repeat finds what the first one has begun. They are
 * looked at one after the other; appends are not waited for, since the broker keeps their order and counts them itself.
 */
export class Publisher {
  readonly session: string;
  readonly #services: Services;
  readonly #channels: Channels;
  readonly #policy: ChannelPolicy;
  readonly #prepared: PreparedPublishes;
  readonly #sources = new Set<PublishSource>();
  #jobs: Job[] = [];
  #isWorking = false;
  /** The highest *n* that was handed to the broker and has not failed. */
  #issued = 0;
  /** Who waits for what was handed to the broker, by *n*. */
  readonly #appending = new Map<number, Job[]>();

  constructor({ services, channels, policy, session, prepared }: PublisherParts) {
    this.session = session;
    this.#services = services;
    this.#channels = channels;
    this.#policy = policy;
    this.#prepared = prepared;
  }

  get channel(): string {
    return this.#policy.name;
  }

  /** Whether nothing is under way. */
  get isIdle(): boolean {
    return !this.#isWorking && this.#appending.size === 0;
  }

  /** Whether nobody would miss it. */
  get isBlank(): boolean {
    return this.#sources.size === 0 && this.isIdle && this.#prepared.size === 0;
  }

  join(source: PublishSource): void {
    this.#sources.add(source);
  }

  /** The connection is gone. What was not begun is dropped, and nobody hears of it: the client was not answered, and sends it again. */
  leave(source: PublishSource): void {
    this.#sources.delete(source);
    this.#jobs = this.#jobs.filter((job) => job.source !== source);
  }

  publish(frame: PublishFrame, source: PublishSource, reply: PublishReply): void {
    this.#jobs.push({ frame, source, reply });
    if (!this.#isWorking) void this.#work();
  }

  /** Forgets what was prepared before `before`, on the monotonic clock, and not asked for since. */
  expire(before: number): void {
    this.#prepared.expire(before);
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      try {
        await this.#handle(job);
      } catch (error) {
        job.reply.fail(this.#told(error, job));
      }
    }
    this.#isWorking = false;
  }

  async #handle(job: Job): Promise<void> {
    const { n, settled, retry } = job.frame;
    if (n <= settled) throw new TuttiError("FRAME_INVALID", { message: "n is not above settled", field: "n" });
    this.#prepared.settle(settled);
    const waiting = this.#appending.get(n);
    // A repeat of what is under way is answered with it.
    if (waiting !== undefined) return void waiting.push(job);
    const count: PublisherCount = { session: this.session, n, settled };
    const floor = Math.max(this.#issued, settled);
    if (retry === true || n <= floor) {
      // Before the handler: a repeat is answered from the log.
      const known = await this.#services.broker.lookup(this.#policy.name, count);
      if (known !== undefined) {
        this.#settle(n);
        return this.#answer(known, job);
      }
    }
    if (n > floor + 1) throw outOfOrder(floor);
    const prepared = await this.#prepare(job);
    if ("refusal" in prepared) await this.#refuse(count, prepared, job);
    else this.#append(count, prepared, job);
  }

  /** What is to be appended, or why it is refused for good. Rejects where it may be tried again. */
  async #prepare(job: Job): Promise<Prepared> {
    const { n, type, payload } = job.frame;
    const { caller } = job.source;
    const kept = this.#prepared.get(n);
    if (kept !== undefined && "refusal" in kept) return kept;
    try {
      await job.source.assertExists(this.#policy);
      // Asked each time: it may have been withdrawn since the handler was here.
      await this.#policy.assertAllowed(caller, "publish", kept?.type ?? type);
      if (kept !== undefined) return kept;
      if (this.#policy.handles(type)) this.#prepared.assertRoom(this.#appending.size);
      return await this.#policy.prepareEvent(caller, type, payload);
    } catch (cause) {
      const error = this.#told(cause, job);
      if (!isFinal(error.code)) throw error;
      return { refusal: error };
    }
  }

  /** Takes the count with the refusal, so that neither a repeat nor what was sent before can land later. */
  async #refuse(count: PublisherCount, prepared: { readonly refusal: TuttiError }, job: Job): Promise<void> {
    let outcome: Outcome;
    try {
      outcome = await this.#services.broker.refuse(this.#policy.name, count, wireErrorOf(prepared.refusal));
    } catch (error) {
      this.#keep(job, prepared);
      throw error;
    }
    if (outcome.outcome === "out-of-order") this.#keep(job, prepared);
    else this.#settle(count.n);
    return this.#answer(outcome, job);
  }

  #append(count: PublisherCount, prepared: PreparedEvent, job: Job): void {
    const { broker, brokerWatch, environment } = this.#services;
    const { user } = job.source.caller;
    const { type, payload } = prepared;
    const event = { eventId: eventIdOf(count), type, payload, timestamp: environment.now(), ...(user !== undefined && { user: user.id }) };
    const { retention } = this.#policy;
    const { n } = count;
    const jobs = [job];
    const failed = (): void => {
      this.#issued = Math.min(this.#issued, n - 1);
      this.#keep(job, prepared);
    };
    this.#issued = Math.max(this.#issued, n);
    this.#appending.set(n, jobs);
    broker.append(this.#policy.name, { event, publisher: count, ...(retention !== undefined && { retention }) }).then(
      (outcome) => {
        brokerWatch.worked("append");
        this.#appending.delete(n);
        if (outcome.outcome === "out-of-order") failed();
        else this.#prepared.forget(n);
        if (outcome.outcome === "appended") this.#channels.tend(this.#policy, outcome.position);
        for (const each of jobs) void this.#answer(outcome, each, prepared);
      },
      (cause: unknown) => {
        brokerWatch.failed("append", this.#policy.name, cause);
        this.#appending.delete(n);
        failed();
        for (const each of jobs) each.reply.fail(this.#told(cause, each));
      },
    );
  }

  /** Keeps what the handler made for the repeat. Without a handler the same is made again. */
  #keep({ frame }: Job, prepared: Prepared): void {
    if (this.#policy.handles(frame.type)) this.#prepared.keep(frame.n, prepared);
  }

  #settle(n: number): void {
    this.#issued = Math.max(this.#issued, n);
    this.#prepared.forget(n);
  }

  /** Never rejects. @param prepared what was appended just now, where that was it */
  async #answer(outcome: Outcome, job: Job, prepared?: PreparedEvent): Promise<void> {
    const { reply, frame } = job;
    const eventId = eventIdOf({ session: this.session, n: frame.n });
    switch (outcome.outcome) {
      case "appended":
        return reply.succeed({ position: outcome.position, eventId, ...(prepared?.isReplaced === true && { payload: prepared.payload }) });
      case "repeat":
        return this.#answerRepeat({ position: outcome.position, eventId, repeat: true }, job);
      case "refused":
        return reply.fail(TuttiError.fromWire(outcome.error));
      case "unknown":
        return reply.fail(new TuttiError("OUTCOME_UNKNOWN", { message: "this was settled too long ago" }));
      case "out-of-order":
        return reply.fail(outOfOrder(outcome.highest));
      case "conflict":
        return reply.fail(new TuttiError("CONDITION_FAILED"));
    }
  }

  /** Where a handler may have replaced the payload, the log knows by what. */
  async #answerRepeat(published: Published, job: Job): Promise<void> {
    const { reply, frame } = job;
    if (!this.#policy.handles(frame.type)) return reply.succeed(published);
    try {
      const { epoch, seq } = published.position;
      const page = await this.#services.broker.read(this.#policy.name, { epoch, seq: seq - 1 }, { countMax: 1 });
      const event = page.outcome === "page" ? page.run.events[0] : undefined;
      const isReplaced = event?.eventId === published.eventId && !isSamePayload(event.payload, frame.payload);
      reply.succeed({ ...published, ...(isReplaced && { payload: event.payload }) });
    } catch (error) {
      reply.fail(this.#told(error, job));
    }
  }

  #told(error: unknown, { frame }: Job): TuttiError {
    return tuttiError(error, this.#services.log, { channel: this.#policy.name, type: frame.type, session: this.session });
  }
}

/** Whether two payloads travel as the same text. */
export function isSamePayload(one: unknown, other: unknown): boolean {
  const [first, second] = [one, other].map((payload) => jsonCodec.encode([{ payload }], SERVER_DEPTH_MAX));
  return first === second;
}

function eventIdOf({ session, n }: Pick<PublisherCount, "session" | "n">): string {
  return `${session}:${n}`;
}

function outOfOrder(highest: number): TuttiError {
  return new TuttiError("OUT_OF_ORDER", { message: `the one after ${highest} comes first` });
}
