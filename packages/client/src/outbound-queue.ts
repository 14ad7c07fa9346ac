import { isFinal, jsonCodec, publishResult, TuttiError, type Cancel, type Position } from "@tutti/protocol";
import { backoffMs } from "./backoff.js";
import type { Core } from "./core.js";
import { Deferred } from "./deferred.js";
import { encodeFrame } from "./message.js";
import { count, eventIdOf } from "./session.js";
import type { Answer } from "./requests.js";

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
  /** The sending whose answer is awaited. */
  sending: string | undefined;
  readonly outcome: Deferred<PublishResult>;
}

/** What became of a publish: its ack, its event, a refusal, or the end of the client. */
export type Settled =
  | { readonly kind: "acked" | "arrived"; readonly result: PublishResult }
  | { readonly kind: "refused" | "closed"; readonly error: TuttiError };

/** What waits to be settled in all channels: the bound is one for all. */
export interface PendingTotals {
  readonly count: number;
  readonly bytes: number;
}

export interface QueueEvents {
  /** Makes the totals larger or smaller; tells nobody. */
  weigh(count: number, bytes: number): void;
  /** Hears of an entry before its promise does. */
  settled(entry: Entry, settled: Settled): void;
}

/**
 * The publishes of one channel that are not settled: sent in the order of their *n*, several under way, and again until each has landed or
 * was refused for good.
 */
export class OutboundQueue {
  readonly #channel: string;
  readonly #core: Core;
  readonly #events: QueueEvents;
  #entries: Queued[] = [];
  #pause: Cancel | undefined;
  /** How often the server wanted something again since something was settled. */
  #setbacks = 0;

  constructor(channel: string, core: Core, events: QueueEvents) {
    this.#channel = channel;
    this.#core = core;
    this.#events = events;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Takes in a publish, or what an earlier page left of one; nothing is sent before `pump`. */
  add(publish: Omit<Entry, "n" | "attempted"> & { readonly n?: number; readonly attempted?: boolean }): Queued {
    this.#events.weigh(1, publish.bytes);
    const n = publish.n ?? count(this.#core.session, this.#channel);
    const entry: Queued = { attempted: false, ...publish, n, sending: undefined, outcome: new Deferred() };
    this.#entries.push(entry);
    this.#store(entry);
    return entry;
  }

  /** The connection is up: everything is sent again. */
  lineUp(): void {
    this.#recall(0);
    this.pump();
  }

  /** The session became another one. What the one before may have published stays unknown; the rest is counted anew. */
  renew(): void {
    const lost = this.#entries.filter(({ attempted }) => attempted);
    this.#entries = this.#entries.filter(({ attempted }) => !attempted);
    for (const entry of this.#entries) {
      entry.n = count(this.#core.session, this.#channel);
      this.#store(entry);
    }
    for (const entry of lost) this.#conclude(entry, { kind: "refused", error: new TuttiError("OUTCOME_UNKNOWN") });
  }

  /** The event of publish `n` arrived; its ack may be lost. */
  arrived(n: number, result: PublishResult): void {
    const entry = this.#entries.find((other) => other.n === n);
    if (entry === undefined) return;
    this.#settle(entry, { kind: "arrived", result });
    this.pump();
  }

  close(error: TuttiError): void {
    for (const entry of this.#entries.slice()) this.#settle(entry, { kind: "closed", error });
  }

  /** Sends what may be sent now. */
  pump(): void {
    const { requests, config } = this.#core;
    while (requests.isUp && this.#pause === undefined) {
      const waiting = this.#entries.filter(({ sending }) => sending === undefined);
      const next = config.guards.order === false ? waiting.at(-1) : waiting[0];
      if (next === undefined || this.#entries.length - waiting.length >= config.inFlightMax) return;
      this.#send(next);
    }
  }

  #store({ n, type, payload, timestamp, attempted }: Entry): void {
    this.#core.session.keep((storage) => storage.put({ channel: this.#channel, n, type, payload, timestamp, attempted }));
  }

  #send(entry: Queued): void {
    const { requests, session, config } = this.#core;
    const { n, attempted } = entry;
    // Everything before the first that waits is settled.
    const settled = config.guards.order === false ? n - 1 : (this.#entries[0]?.n ?? n) - 1;
    if (!attempted) {
      // Stored first: after a reload it must be known that a server may have it.
      entry.attempted = true;
      this.#store(entry);
    }
    entry.sending = requests.ask(publishFrame(this.#channel, entry, settled, attempted), (answer, sending) => this.#answered(entry, n, sending, answer));
    if (config.guards.ack === false) this.#settle(entry, { kind: "acked", result: { position: { epoch: "", seq: 0 }, eventId: eventIdOf(session, n) } });
  }

  #answered(entry: Queued, n: number, sending: string, answer: Answer): void {
    // Settled meanwhile by its event, or counted anew for another session.
    if (answer.kind === "lost" || entry.n !== n || !this.#entries.includes(entry)) return;
    if (answer.kind === "success") this.#settle(entry, { kind: "acked", result: publishResult.read(answer.data, "data") });
    else if (isFinal(answer.error.code)) this.#settle(entry, { kind: "refused", error: answer.error });
    // An answer to an earlier sending says nothing about the one under way.
    else if (entry.sending === sending) this.#again(n, answer.error);
    this.pump();
  }

  /** Sends again from publish `n`, or from the lowest when the server asks for order. */
  #again(n: number, { retry, retryAfterMs }: TuttiError): void {
    const setbacks = this.#setbacks++;
    this.#recall(retry === "resend" ? 0 : n);
    // Once at once; a server that is never content with the order is not called in a loop.
    if (retry === "resend" && setbacks === 0) return;
    const { environment } = this.#core;
    this.#pause?.();
    this.#pause = environment.after(backoffMs(environment, setbacks, retryAfterMs), () => {
      this.#pause = undefined;
      this.pump();
    });
  }

  #recall(from: number): void {
    for (const entry of this.#entries) if (entry.n >= from) entry.sending = undefined;
  }

  #settle(entry: Queued, settled: Settled): void {
    const index = this.#entries.indexOf(entry);
    if (index < 0) return;
    this.#entries.splice(index, 1);
    this.#setbacks = 0;
    if (this.#entries.length === 0) {
      this.#pause?.();
      this.#pause = undefined;
    }
    this.#core.session.keep((storage) => storage.settle(this.#channel, entry.n));
    this.#conclude(entry, settled);
  }

  #conclude(entry: Queued, settled: Settled): void {
    this.#events.weigh(-1, -entry.bytes);
    this.#events.settled(entry, settled);
    if ("result" in settled) entry.outcome.resolve(settled.result);
    else entry.outcome.reject(settled.error);
  }
}

function publishFrame(channel: string, { n, type, payload, timestamp }: Omit<Entry, "bytes" | "attempted">, settled: number, retry: boolean) {
  return { op: "publish", channel, n, settled, retry: retry || undefined, type, payload, timestamp } as const;
}

/**
 * Measures the largest frame that a publish can take, and copies its payload: the application may go on changing its own, and a reducer
 * sees here what it will see in the event.
 *
 * @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP`, `MESSAGE_TOO_LARGE`
 */
export function measure(channel: string, publish: Pick<Entry, "type" | "payload" | "timestamp">, bytesMax: number): Pick<Entry, "payload" | "bytes"> {
  const n = Number.MAX_SAFE_INTEGER;
  const { message, bytes } = encodeFrame({ ...publishFrame(channel, { ...publish, n }, n, true), correlationId: "00000000" }, bytesMax);
  const { payload } = Object(jsonCodec.decode(message)[0]) as { payload?: unknown };
  return { payload, bytes };
}
