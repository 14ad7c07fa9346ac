import { isFinal, jsonCodec, TuttiError, type Cancel, type Position } from "@tutti/protocol";
import { backoffMs } from "./backoff.js";
import type { Core } from "./core.js";
import { deferred, type Deferred } from "./deferred.js";
import { encodeFrame } from "./message.js";
import type { Answer } from "./requests.js";
import { assertCounts } from "./server-frame.js";
import { count, eventIdOf } from "./session.js";

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
  sending?: string | undefined;
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

/**
 * The publishes of one channel that are not settled: sent in the order of their *n*, several under way, and again until each has landed or
 * was refused for good.
 */
export interface OutboundQueue {
  readonly entries: () => readonly Entry[];
  /** Takes in a publish, or what an earlier page left of one; nothing is sent before `pump`. */
  add(publish: Omit<Entry, "n" | "attempted"> & Partial<Entry>): Queued;
  /** The connection is up: everything is sent again. */
  lineUp(): void;
  /** The session became another one. What the one before may have published stays unknown; the rest is counted anew. */
  renew(): void;
  /** The event of publish `n` arrived; its ack may be lost. */
  arrived(n: number, result: PublishResult): void;
  close(error: TuttiError): void;
  /** Sends what may be sent now. */
  pump(): void;
}

/**
 * @param onSettled hears of an entry before its promise does
 * @param onAttempted hears that an entry is sent for the first time
 */
export function makeOutboundQueue(channel: string, core: Core, onSettled: (entry: Entry, settled: Settled) => void, onAttempted: () => void): OutboundQueue {
  const { environment, config, session } = core;
  let entries: Queued[] = [];
  let pause: Cancel | undefined;
  /** How often the server wanted something again since something was settled. */
  let setbacks = 0;

  const store = ({ n, type, payload, timestamp, attempted }: Entry): void => {
    session.keep((storage) => storage.put({ channel, n, type, payload, timestamp, attempted }));
  };
  const conclude = (entry: Queued, settled: Settled): void => {
    onSettled(entry, settled);
    if ("result" in settled) entry.outcome.resolve(settled.result);
    else entry.outcome.reject(settled.error);
  };
  const stopPause = (): void => {
    pause?.();
    pause = undefined;
  };
  const settle = (entry: Queued, settled: Settled): void => {
    if (!entries.includes(entry)) return;
    entries = entries.filter((other) => other !== entry);
    setbacks = 0;
    if (entries.length === 0) stopPause();
    session.keep((storage) => storage.settle(channel, entry.n));
    conclude(entry, settled);
  };
  const recall = (from: number): void => {
    for (const entry of entries) if (entry.n >= from) entry.sending = undefined;
  };
  /** Sends again from publish `n`, or from the lowest when the server asks for order. */
  const again = (n: number, error: TuttiError): void => {
    const isOutOfOrder = error.retry === "resend";
    recall(isOutOfOrder ? 0 : n);
    stopPause();
    // Once at once; a server that is never content with the order is not called in a loop.
    if (setbacks++ > 0 || !isOutOfOrder) {
      pause = environment.after(backoffMs(environment, setbacks - 1, error), () => {
        stopPause();
        pump();
      });
    }
  };
  const answered = (entry: Queued, n: number, sending: string, answer: Answer): void => {
    // Settled meanwhile by its event, or counted anew for another session.
    if (answer.kind === "lost" || entry.n !== n || !entries.includes(entry)) return;
    if (answer.kind === "success") {
      const result = answer.data as PublishResult;
      assertCounts(result.position.seq);
      settle(entry, { kind: "acked", result });
    } else if (isFinal(answer.error.code)) settle(entry, { kind: "refused", error: answer.error });
    // An answer to an earlier sending says nothing about the one under way.
    else if (entry.sending === sending) again(n, answer.error);
    pump();
  };
  const send = (entry: Queued): void => {
    const { n, attempted } = entry;
    // Everything before the first that waits is settled.
    const settled = config.guards.order === false ? n - 1 : (entries[0]?.n ?? n) - 1;
    if (!attempted) {
      // Stored first: after a reload it must be known that a server may have it.
      entry.attempted = true;
      store(entry);
    }
    entry.sending = core.requests.ask(publishFrame(channel, entry, settled, attempted), (answer, sending) => answered(entry, n, sending, answer));
    if (config.guards.ack === false) settle(entry, { kind: "acked", result: { position: { epoch: "", seq: 0 }, eventId: eventIdOf(session, n) } });
    // Last: who hears it may publish, and finds this one on its way.
    if (!attempted) onAttempted();
  };
  const pump = (): void => {
    for (;;) {
      const waiting = entries.filter(({ sending }) => sending === undefined);
      const next = config.guards.order === false ? waiting.at(-1) : waiting[0];
      if (!core.isUp() || pause !== undefined || next === undefined || entries.length - waiting.length >= config.inFlightMax) return;
      send(next);
    }
  };

  return {
    entries: () => entries,
    add(publish) {
      const entry: Queued = { attempted: false, ...publish, n: publish.n ?? count(session, channel), outcome: deferred() };
      entries.push(entry);
      store(entry);
      return entry;
    },
    lineUp() {
      recall(0);
      pump();
    },
    renew() {
      const lost = entries.filter(({ attempted }) => attempted);
      entries = entries.filter(({ attempted }) => !attempted);
      for (const entry of entries) {
        entry.n = count(session, channel);
        store(entry);
      }
      for (const entry of lost) conclude(entry, { kind: "refused", error: new TuttiError("OUTCOME_UNKNOWN") });
    },
    arrived(n, result) {
      const entry = entries.find((other) => other.n === n);
      if (entry === undefined) return;
      settle(entry, { kind: "arrived", result });
      pump();
    },
    close(error) {
      for (const entry of entries) settle(entry, { kind: "closed", error });
    },
    pump,
  };
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
