import { isFinal, TuttiError, type Cancel, type ErrorCode, type Position, type Schemas, type StateDefinition } from "@tutti/protocol";
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
  /** What the server's handler made of the payload; left out where it is what was sent. */
  readonly payload?: unknown;
}

/** A publish that is not settled. */
export interface Entry {
  /** Its place among the session's publishes in the channel; another one may be given to it until the session is known. */
  readonly n: number;
  readonly type: string;
  readonly payload: unknown;
  readonly timestamp: number;
  readonly bytes: number;
  /** Whether it may have reached a server. */
  readonly attempted: boolean;
}

/** An entry as the queue has it. */
export interface Queued extends Entry {
  n: number;
  attempted: boolean;
  /**
   * What the session's home has of it: nothing yet; a write is under way; it, and not that it was attempted; all that it needs to be sent. Without
   * a home it stays `new` until it is settled.
   */
  step: "new" | "storing" | "stored" | "ready" | "settled";
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
  /** When the oldest of them was made, Unix ms. */
  readonly oldestAt?: number | undefined;
}

/**
 * The publishes of one channel that are not settled: sent in the order of their *n*, several under way, and again until each has landed or
 * was refused for good.
 */
export interface OutboundQueue {
  readonly channel: string;
  readonly entries: () => readonly Queued[];
  /** Makes room for a publish, where the application wants that. @throws TuttiError `QUEUE_FULL` */
  makeRoom(bytes: number): void;
  /** Takes in a publish; nothing is stored or sent before `pump`. */
  add(publish: Omit<Entry, "n" | "attempted">): Queued;
  /** The connection is up: everything is sent again. */
  lineUp(): void;
  /** These wait from now on. What does not any longer ends with this code, or with `OUTCOME_UNKNOWN` where it was attempted; what is stored stays. */
  replace(next: Queued[], code: ErrorCode): void;
  /** Ends an entry, unless it has ended, and forgets what is stored of it. */
  settle(entry: Queued, settled: Settled): void;
  /** Goes on from publish `n` after a pause, or from the lowest when the server asks for order. */
  again(n: number, error: TuttiError): void;
  /** The event of publish `n` arrived, with what landed; its ack may be lost. */
  arrived(n: number, result: PublishResult): void;
  close(error: TuttiError): void;
  /** Sends what may be sent now. */
  pump(): void;
}

/**
 * @param definition the channel's state, where it has one
 * @param onSettled hears of an entry before its promise does
 * @param onAttempted hears that an entry is sent for the first time
 */
export function makeOutboundQueue(
  channel: string,
  core: Core,
  definition: Pick<StateDefinition<unknown, Schemas>, "reconcile"> | undefined,
  onSettled: (entry: Entry, settled: Settled) => void,
  onAttempted: () => void,
): OutboundQueue {
  const { environment, config, session } = core;
  const inFlightMax = definition?.reconcile === undefined ? config.inFlightMax : 1;
  let entries: Queued[] = [];
  let pause: Cancel | undefined;
  /** How often the server wanted something again since something was settled. */
  let setbacks = 0;

  const stopPause = (): void => {
    pause?.();
    pause = undefined;
  };
  const conclude = (entry: Queued, settled: Settled): void => {
    entry.step = "settled";
    core.weigh(-1, -entry.bytes);
    onSettled(entry, settled);
    if ("result" in settled) entry.outcome.resolve(settled.result);
    else entry.outcome.reject(settled.error);
  };
  const settle = (entry: Queued, settled: Settled): void => {
    if (entry.step === "settled") return;
    entries = entries.filter((other) => other !== entry);
    setbacks = 0;
    if (entries.length === 0) stopPause();
    session.home?.keep({ kind: "settle", channel, n: entry.n });
    if ("result" in settled) reconcile(entry, settled.result.payload);
    conclude(entry, settled);
  };
  /** Ends it without the server's word: what may have reached it stays unknown. */
  const refuse = (entry: Queued, code: ErrorCode): void => settle(entry, refusal(entry, code));
  const recall = (from: number): void => {
    for (const entry of entries) if (entry.n >= from) entry.sending = undefined;
  };
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
  /** The publishes behind one that landed otherwise than it was sent, as they have to be now. */
  const reconcile = (sent: Entry, landed: unknown): void => {
    if (landed === undefined) return;
    for (const entry of entries) {
      const { type, timestamp, bytes, payload: before } = entry;
      if (entry.attempted || definition?.reconcile === undefined) continue;
      try {
        const payload: unknown = definition.reconcile({ type, payload: before }, { sent, landed: { type: sent.type, payload: landed } });
        if (payload === before) continue;
        // To be stored again before it is sent.
        Object.assign(entry, measure(core, channel, { type, payload, timestamp }), { step: "new" });
        core.weigh(0, entry.bytes - bytes);
      } catch (cause) {
        core.error(new TuttiError("INTERNAL", { cause }), channel);
      }
    }
  };
  const answered = (entry: Queued, sending: string, answer: Answer): void => {
    // Settled meanwhile by its event.
    if (answer.kind === "lost" || entry.step === "settled") return;
    if (answer.kind === "success") {
      const result = answer.data as PublishResult;
      assertCounts(result.position.seq);
      settle(entry, { kind: "acked", result });
    } else if (isFinal(answer.error.code)) settle(entry, { kind: "refused", error: answer.error });
    // An answer to an earlier sending says nothing about the one under way.
    else if (entry.sending === sending) again(entry.n, answer.error);
    pump();
  };
  const send = (entry: Queued): void => {
    const { n, attempted } = entry;
    // Everything before the first that waits is settled.
    const settled = config.guards.order === false ? n - 1 : (entries[0]?.n ?? n) - 1;
    entry.attempted = true;
    entry.sending = core.requests.ask(publishFrame(channel, entry, settled, attempted), (answer, sending) => answered(entry, sending, answer));
    if (config.guards.ack === false) settle(entry, { kind: "acked", result: { position: { epoch: "", seq: 0 }, eventId: eventIdOf(session, n) } });
    // Last: who hears it may publish, and finds this one on its way.
    if (!attempted) onAttempted();
  };
  const pump = (): void => {
    const { home } = session;
    if (home?.isKnown() === false) return;
    let room = core.isUp() && pause === undefined ? inFlightMax : 0;
    let isBehind = false;
    for (const entry of config.guards.order === false ? entries.toReversed() : entries) {
      if (entry.sending === undefined && environment.now() - entry.timestamp > config.queueAgeMsMax) refuse(entry, "QUEUE_EXPIRED");
      if (entry.step === "settled") continue;
      const mayGo = room-- > 0;
      if (home?.prepare(queue, entry, mayGo) === false) isBehind = true;
      if (mayGo && !isBehind && entry.sending === undefined) send(entry);
    }
  };

  const queue: OutboundQueue = {
    channel,
    entries: () => entries,
    settle,
    again,
    pump,
    makeRoom(bytes) {
      const waiting = config.queueFull === "drop-oldest" ? entries.filter(({ attempted }) => !attempted) : [];
      const dropped: Queued[] = [];
      for (let freed = 0; core.isFull(1 - dropped.length, bytes - freed); ) {
        const oldest = waiting.shift();
        if (oldest === undefined) throw new TuttiError("QUEUE_FULL");
        dropped.push(oldest);
        freed += oldest.bytes;
      }
      for (const entry of dropped) refuse(entry, "QUEUE_FULL");
    },
    add(publish) {
      core.weigh(1, publish.bytes);
      const entry: Queued = { ...publish, n: count(session, channel), attempted: false, step: "new", outcome: deferred() };
      entries.push(entry);
      return entry;
    },
    lineUp() {
      recall(0);
      pump();
    },
    replace(next, code) {
      const gone = entries.filter((entry) => !next.includes(entry));
      entries = next;
      for (const entry of gone) conclude(entry, refusal(entry, code));
    },
    arrived(n, { payload, ...result }) {
      const entry = entries.find((other) => other.n === n);
      if (entry === undefined) return;
      const isOther = JSON.stringify(payload) !== JSON.stringify(entry.payload);
      settle(entry, { kind: "arrived", result: isOther ? { ...result, payload } : result });
      pump();
    },
    close(error) {
      for (const entry of entries) settle(entry, { kind: "closed", error });
    },
  };
  return queue;
}

/** What was not attempted did not land; of the rest nobody knows. */
function refusal({ attempted }: Pick<Entry, "attempted">, code: ErrorCode): Settled {
  return { kind: "refused", error: new TuttiError(attempted ? "OUTCOME_UNKNOWN" : code) };
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
export function measure(
  { config: { codec }, session }: Core,
  channel: string,
  publish: Pick<Entry, "type" | "payload" | "timestamp">,
  bytesMax: number = session.messageBytesMax,
): Pick<Entry, "payload" | "bytes"> {
  const n = Number.MAX_SAFE_INTEGER;
  const { message, bytes } = encodeFrame(codec, { ...publishFrame(channel, { ...publish, n }, n, true), correlationId: "00000000" }, bytesMax);
  const [{ payload }] = codec.decode(message) as readonly [{ readonly payload?: unknown }];
  return { payload, bytes };
}
