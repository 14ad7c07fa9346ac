import { isFinal, jsonCodec, publishResult, TuttiError, type Cancel, type Environment, type Position } from "@tutti/protocol";
import { Backoff } from "./backoff.js";
import { Deferred } from "./deferred.js";
import type { ClientConfig } from "./options.js";
import type { Reply, Requests } from "./requests.js";
import type { Session } from "./session.js";
import { encodedBytes } from "./size.js";

/** What a publish resolves with. */
export interface PublishResult {
  readonly position: Position;
  readonly eventId: string;
}

/** A publish that is not settled. */
export interface Entry {
  readonly n: number;
  readonly type: string;
  readonly payload: unknown;
  readonly timestamp: number;
  readonly bytes: number;
  /** Whether it may have reached a server. */
  readonly attempted: boolean;
}

interface Queued extends Entry {
  n: number;
  attempted: boolean;
  step: Step;
  readonly outcome: Deferred<PublishResult>;
}

type Step =
  | { readonly kind: "queued" }
  /** "Attempted" is being stored. */
  | { readonly kind: "storing" }
  | { readonly kind: "sent"; readonly correlationId: string };

/** What became of a publish. */
export type Settled =
  | { readonly kind: "acked"; readonly result: PublishResult }
  /** Its event arrived. */
  | { readonly kind: "arrived"; readonly result: PublishResult }
  | { readonly kind: "refused"; readonly error: TuttiError }
  /** The application closed the client. */
  | { readonly kind: "closed"; readonly error: TuttiError };

export interface QueueArguments {
  readonly channel: string;
  readonly environment: Environment;
  readonly requests: Requests;
  readonly session: Session;
  readonly config: ClientConfig;
  /** Hears of an entry before its promise does. */
  readonly settled: (entry: Entry, settled: Settled) => void;
  readonly changed: () => void;
}

const QUEUED: Step = { kind: "queued" };

/**
 * The publishes of one channel that are not settled: sent in the order of their *n*, several under way, and again until each has landed or
 * was refused for good.
 */
export class OutboundQueue {
  readonly #with: QueueArguments;
  readonly #backoff: Backoff;
  #entries: Queued[] = [];
  #pause: Cancel | undefined;
  /** How often the server asked for order since something was settled. */
  #resends = 0;

  constructor(given: QueueArguments) {
    this.#with = given;
    this.#backoff = new Backoff(given.environment);
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Everything up to here is settled. */
  get settled(): number {
    const first = this.#entries[0];
    return first === undefined ? this.#with.session.highest(this.#with.channel) : first.n - 1;
  }

  /** Takes a publish in; nothing is sent before `pump`. */
  add(publish: Omit<Entry, "n" | "attempted">): { readonly entry: Entry; readonly outcome: Promise<PublishResult> } {
    const n = this.#with.session.count(this.#with.channel);
    const entry = this.#take({ ...publish, n, attempted: false });
    void this.#store(entry);
    return { entry, outcome: entry.outcome.promise };
  }

  /** Takes up what an earlier page left. */
  restore(entry: Entry): void {
    this.#take(entry);
  }

  lineUp(): void {
    this.#recall(() => true);
    this.#resends = 0;
    this.pump();
  }

  /**
   * The session became another one. What it may have published is unknown and stays so; the rest is counted anew.
   *
   * @param isFirst the session had no public id yet, so nothing was ever sent in another's name
   */
  renew(isFirst: boolean): void {
    const lost = isFirst ? [] : this.#entries.filter(({ attempted }) => attempted);
    this.#entries = this.#entries.filter((entry) => !lost.includes(entry));
    for (const entry of this.#entries) {
      entry.n = this.#with.session.count(this.#with.channel);
      void this.#store(entry);
    }
    const error = new TuttiError("OUTCOME_UNKNOWN", { message: "the user changed" });
    for (const entry of lost) this.#conclude(entry, { kind: "refused", error });
  }

  /** The event of publish `n` arrived; its ack may be lost. */
  arrived(n: number, result: PublishResult): void {
    const entry = this.#entries.find((other) => other.n === n);
    if (entry === undefined) return;
    this.#settle(entry, { kind: "arrived", result });
    this.pump();
  }

  close(error: TuttiError): void {
    this.#stopPause();
    for (const entry of this.#entries.slice()) this.#settle(entry, { kind: "closed", error });
  }

  /** Sends what may be sent now. */
  pump(): void {
    const { requests, config } = this.#with;
    while (requests.isUp && this.#pause === undefined) {
      const next = this.#next();
      if (next === undefined || this.#underWay() >= config.inFlightMax || !this.#send(next)) return;
    }
  }

  #next(): Queued | undefined {
    const { order } = this.#with.config.guards;
    return order === false ? this.#entries.findLast(isQueued) : this.#entries.find((entry) => entry.step.kind !== "sent");
  }

  #underWay(): number {
    return this.#entries.reduce((count, { step }) => (step.kind === "sent" ? count + 1 : count), 0);
  }

  #take(entry: Entry): Queued {
    const queued: Queued = { ...entry, step: QUEUED, outcome: new Deferred<PublishResult>() };
    this.#entries.push(queued);
    return queued;
  }

  #store({ n, type, payload, timestamp, attempted }: Entry): Promise<void> | undefined {
    const { session, channel } = this.#with;
    return session.put({ channel, n, type, payload, timestamp, attempted });
  }

  /** @returns whether the next one may follow at once */
  #send(entry: Queued): boolean {
    if (entry.step.kind === "storing") return false;
    const retry = entry.attempted;
    if (!retry) {
      // Stored first: after a reload it must be known that a server may have it.
      entry.attempted = true;
      const stored = this.#store(entry);
      if (stored !== undefined) {
        entry.step = { kind: "storing" };
        void stored.then(() => this.#stored(entry));
        return false;
      }
    }
    this.#transmit(entry, retry);
    return true;
  }

  #stored(entry: Queued): void {
    if (entry.step.kind !== "storing") return;
    entry.step = QUEUED;
    if (this.#with.requests.isUp && this.#pause === undefined && this.#next() === entry) this.#transmit(entry, false);
    this.pump();
  }

  #transmit(entry: Queued, retry: boolean): void {
    const { requests, config, session, channel } = this.#with;
    const { n } = entry;
    const publish = publishFrame(channel, entry, config.guards.order === false ? n - 1 : this.settled, retry);
    try {
      entry.step = { kind: "sent", correlationId: requests.ask(publish, (reply) => this.#answered(entry, n, reply)) };
    } catch (cause) {
      const error = cause instanceof TuttiError ? cause : new TuttiError("INTERNAL", { cause });
      return this.#settle(entry, { kind: "refused", error });
    }
    if (config.guards.ack === false) this.#settle(entry, { kind: "acked", result: { position: { epoch: "", seq: 0 }, eventId: session.eventId(n) } });
  }

  #answered(entry: Queued, n: number, reply: Reply): void {
    // Settled meanwhile by its event, or counted anew for another session.
    if (reply.kind === "lost" || entry.n !== n || !this.#entries.includes(entry)) return;
    if (reply.kind === "success") {
      const { position, eventId } = publishResult.read(reply.data, "data");
      this.#settle(entry, { kind: "acked", result: { position, eventId } });
    } else if (isFinal(reply.error.code)) {
      this.#settle(entry, { kind: "refused", error: reply.error });
    } else if (entry.step.kind === "sent" && entry.step.correlationId === reply.correlationId) {
      // An answer to an earlier sending says nothing about the one under way.
      this.#again(n, reply.error);
    }
    this.pump();
  }

  /** Sends again from publish `n`, or from the lowest when the server asks for order. */
  #again(n: number, error: TuttiError): void {
    const isOutOfOrder = error.retry === "resend";
    this.#recall((entry) => isOutOfOrder || entry.n >= n);
    // Once at once; a server that is never content with the order is not called in a loop.
    if (isOutOfOrder && this.#resends++ === 0) return;
    this.#stopPause();
    this.#pause = this.#with.environment.after(this.#backoff.nextMs(error.retryAfterMs), () => {
      this.#pause = undefined;
      this.pump();
    });
  }

  #recall(which: (entry: Queued) => boolean): void {
    for (const entry of this.#entries) if (entry.step.kind === "sent" && which(entry)) entry.step = QUEUED;
  }

  #settle(entry: Queued, settled: Settled): void {
    const index = this.#entries.indexOf(entry);
    if (index < 0) return;
    this.#entries.splice(index, 1);
    if (this.#entries.length === 0) this.#stopPause();
    this.#resends = 0;
    this.#backoff.reset();
    this.#with.session.settle(this.#with.channel, entry.n);
    this.#conclude(entry, settled);
  }

  #conclude(entry: Queued, settled: Settled): void {
    this.#with.settled(entry, settled);
    if ("result" in settled) entry.outcome.resolve(settled.result);
    else entry.outcome.reject(settled.error);
    this.#with.changed();
  }

  #stopPause(): void {
    this.#pause?.();
    this.#pause = undefined;
  }
}

const isQueued = (entry: Queued): boolean => entry.step.kind === "queued";

function publishFrame(channel: string, { n, type, payload, timestamp }: Entry, settled: number, retry: boolean) {
  return { op: "publish", channel, n, settled, ...(retry && { retry }), type, ...(payload !== undefined && { payload }), timestamp } as const;
}

/** A payload as it will come back from the server, and the most bytes that its publish can take. */
export interface Measured {
  readonly payload: unknown;
  readonly bytes: number;
}

/**
 * Measures a publish and takes a copy of its payload, so that the application may go on changing its own, and a reducer sees here what it
 * will see in the event.
 *
 * @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP`, `MESSAGE_TOO_LARGE`
 */
export function measure(channel: string, publish: Pick<Entry, "type" | "payload" | "timestamp">, messageBytesMax: number): Measured {
  const n = Number.MAX_SAFE_INTEGER;
  const frame = { ...publishFrame(channel, { ...publish, n, bytes: 0, attempted: true }, n, true), correlationId: "00000000" };
  const message = jsonCodec.encode([frame]);
  const bytes = encodedBytes(message);
  if (bytes > messageBytesMax) throw new TuttiError("MESSAGE_TOO_LARGE", { message: `${bytes} bytes, at most ${messageBytesMax}` });
  const [copy] = jsonCodec.decode(message);
  const payload = typeof copy === "object" && copy !== null && "payload" in copy ? copy.payload : undefined;
  return { payload, bytes };
}
