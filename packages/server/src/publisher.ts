import { TuttiError, isFinal, wireErrorOf, type ClientFrameOf, type Position } from "@tutti/protocol";
import type { Outcome, PublisherCount } from "./broker.js";
import { tuttiError } from "./errors.js";
import type { Caller } from "./handlers.js";
import type { ChannelPolicy } from "./policy.js";
import type { Services } from "./services.js";

type PublishFrame = ClientFrameOf<"publish">;

/** What the client is told of a publish that is in the log. */
export interface Published {
  readonly position: Position;
  readonly eventId: string;
  readonly repeat?: true;
}

/** Answers one publish. */
export interface PublishReply {
  succeed(published: Published): void;
  fail(error: TuttiError): void;
}

interface Job {
  readonly frame: PublishFrame;
  readonly reply: PublishReply;
}

type Prepared = { readonly payload: unknown } | { readonly refusal: TuttiError };

/**
 * One session's publishes to one channel, by one connection. They are looked at one after the other; appends are not waited for, since the
 * broker keeps their order and counts them itself.
 */
export class Publisher {
  readonly #services: Services;
  readonly #policy: ChannelPolicy;
  readonly #caller: Caller;
  readonly #assertExists: () => Promise<void>;
  readonly #jobs: Job[] = [];
  #isWorking = false;
  /** The highest *n* that was handed to the broker and has not failed. */
  #issued = 0;
  /** Who waits for what was handed to the broker, by *n*. */
  readonly #appending = new Map<number, PublishReply[]>();

  constructor(services: Services, policy: ChannelPolicy, caller: Caller, assertExists: () => Promise<void>) {
    this.#services = services;
    this.#policy = policy;
    this.#caller = caller;
    this.#assertExists = assertExists;
  }

  /** Whether nothing is under way. */
  get isIdle(): boolean {
    return !this.#isWorking && this.#appending.size === 0;
  }

  publish(frame: PublishFrame, reply: PublishReply): void {
    this.#jobs.push({ frame, reply });
    if (!this.#isWorking) void this.#work();
  }

  /** Drops what was not begun. Nobody hears of it. */
  stop(): void {
    this.#jobs.length = 0;
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      try {
        await this.#handle(job);
      } catch (error) {
        job.reply.fail(tuttiError(error, this.#services.log, { channel: this.#policy.name, type: job.frame.type }));
      }
    }
    this.#isWorking = false;
  }

  async #handle({ frame, reply }: Job): Promise<void> {
    const { n, settled } = frame;
    if (n <= settled) throw new TuttiError("FRAME_INVALID", { message: "n is not above settled", field: "n" });
    const waiting = this.#appending.get(n);
    // A repeat of what is under way is answered with it.
    if (waiting !== undefined) return void waiting.push(reply);
    const count: PublisherCount = { session: this.#caller.session, n, settled };
    const floor = Math.max(this.#issued, settled);
    if (frame.retry === true || n <= floor) {
      // Before the handler: a repeat is answered from the log.
      const known = await this.#services.broker.lookup(this.#policy.name, count);
      if (known !== undefined) {
        this.#issued = Math.max(this.#issued, n);
        return this.#answer(known, count, reply);
      }
    }
    if (n > floor + 1) throw outOfOrder(floor);
    const prepared = await this.#prepare(frame);
    if ("refusal" in prepared) return this.#refuse(count, prepared.refusal, reply);
    this.#append(frame, count, prepared.payload, reply);
  }

  /** The payload as it is to be logged, or why it is refused for good. Rejects where it may be tried again. */
  async #prepare({ type, payload }: PublishFrame): Promise<Prepared> {
    try {
      await this.#assertExists();
      await this.#policy.assertAllowed(this.#caller, "publish", type);
      return { payload: await this.#policy.prepareEvent(this.#caller, type, payload) };
    } catch (cause) {
      const error = tuttiError(cause, this.#services.log, { channel: this.#policy.name, type });
      if (!isFinal(error.code)) throw error;
      return { refusal: error };
    }
  }

  /** Takes the count with the refusal, so that neither a repeat nor what was sent before can land later. */
  async #refuse(count: PublisherCount, error: TuttiError, reply: PublishReply): Promise<void> {
    const outcome = await this.#services.broker.refuse(this.#policy.name, count, wireErrorOf(error));
    if (outcome.outcome !== "out-of-order") this.#issued = Math.max(this.#issued, count.n);
    this.#answer(outcome, count, reply);
  }

  #append({ type }: PublishFrame, count: PublisherCount, payload: unknown, reply: PublishReply): void {
    const { broker, environment, log } = this.#services;
    const { user, session } = this.#caller;
    const event = {
      eventId: eventIdOf(count),
      type,
      payload,
      timestamp: environment.now(),
      ...(user !== undefined && { user: user.id }),
    };
    const { retention } = this.#policy;
    const replies = [reply];
    this.#issued = Math.max(this.#issued, count.n);
    this.#appending.set(count.n, replies);
    broker.append(this.#policy.name, { event, publisher: count, ...(retention !== undefined && { retention }) }).then(
      (outcome) => {
        this.#appending.delete(count.n);
        if (outcome.outcome === "out-of-order") this.#issued = Math.min(this.#issued, count.n - 1);
        for (const each of replies) this.#answer(outcome, count, each);
      },
      (cause: unknown) => {
        this.#appending.delete(count.n);
        this.#issued = Math.min(this.#issued, count.n - 1);
        const error = tuttiError(cause, log, { channel: this.#policy.name, session });
        for (const each of replies) each.fail(error);
      },
    );
  }

  #answer(outcome: Outcome, count: PublisherCount, reply: PublishReply): void {
    switch (outcome.outcome) {
      case "appended":
        return reply.succeed({ position: outcome.position, eventId: eventIdOf(count) });
      case "repeat":
        return reply.succeed({ position: outcome.position, eventId: eventIdOf(count), repeat: true });
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
}

function eventIdOf({ session, n }: PublisherCount): string {
  return `${session}:${n}`;
}

function outOfOrder(highest: number): TuttiError {
  return new TuttiError("OUT_OF_ORDER", { message: `the one after ${highest} comes first` });
}
