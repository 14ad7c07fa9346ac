import { isFinal, jsonCodec, TuttiError, type Cancel, type ErrorCode, type Position, type Schemas, type StateDefinition } from "@tutti/protocol";
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

interface Queued extends Entry {
  n: number;
  attempted: boolean;
  /**
   * What the storage has of it: nothing yet; a write is under way; it, and not that it was attempted; all that it needs to be sent. Without
   * a storage nothing is needed.
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
  readonly entries: () => readonly Entry[];
  /** Makes room for a publish, where the application wants that. @throws TuttiError `QUEUE_FULL` */
  makeRoom(bytes: number): void;
  /** Takes in a publish; nothing is stored or sent before `pump`. */
  add(publish: Omit<Entry, "n" | "attempted">): Queued;
  /**
   * It is known which session this is, and what is stored of it. That comes first, under the numbers that it has; what was stored by this
   * client and is not there any more was settled by somebody else.
   */
  restore(stored: readonly Omit<Entry, "bytes">[], isSame: boolean): void;
  /** The connection is up: everything is sent again. */
  lineUp(): void;
  /** The user is another one, and publishes nothing of what the one before wanted to. */
  clear(): void;
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
    session.keep({ kind: "settle", channel, n: entry.n });
    if ("result" in settled) reconcile(entry, settled.result.payload);
    conclude(entry, settled);
  };
  /** Ends it without the server's word: what may have reached it stays unknown. */
  const refuse = (entry: Queued, code: ErrorCode): void => settle(entry, refusal(entry, code));
  const recall = (from: number): void => {
    for (const entry of entries) if (entry.n >= from) entry.sending = undefined;
  };
  /** Goes on from publish `n` after a pause, or from the lowest when the server asks for order. */
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
        Object.assign(entry, measure(channel, { type, payload, timestamp }, session.messageBytesMax), { step: "new" });
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
  /** Writes it down; `attempted`: as one that a server may have, which has to be known after a reload before it is sent. */
  const store = (entry: Queued, attempted: boolean): void => {
    const { n, type, payload, timestamp, step: before } = entry;
    entry.step = "storing";
    session.keep({ kind: "put", publish: { channel, n, type, payload, timestamp, attempted } }, (failure) => {
      // Settled, or held anew, meanwhile.
      if (entry.step !== "storing") return;
      if (failure === undefined) entry.step = attempted ? "ready" : "stored";
      else if (before === "new") settle(entry, { kind: "refused", error: failure });
      else {
        entry.step = before;
        again(n, failure);
      }
      pump();
    });
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
    if (typeof session.home === "string") return;
    const { home } = session;
    let room = core.isUp() && pause === undefined ? inFlightMax : 0;
    let isBehind = false;
    for (const entry of config.guards.order === false ? entries.toReversed() : entries) {
      if (entry.sending === undefined && environment.now() - entry.timestamp > config.queueAgeMsMax) refuse(entry, "QUEUE_EXPIRED");
      if (entry.step === "settled") continue;
      const mayGo = room-- > 0;
      if (home === undefined) entry.step = "ready";
      if (entry.step === "new" || (entry.step === "stored" && mayGo)) store(entry, mayGo);
      if (entry.step !== "ready") isBehind = true;
      if (mayGo && !isBehind && entry.sending === undefined) send(entry);
    }
  };

  return {
    entries: () => entries,
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
    restore(stored, isSame) {
      const before = entries;
      entries = stored.map((publish) => {
        const step = publish.attempted ? "ready" : "stored";
        const known = before.find(({ n, step: of }) => isSame && n === publish.n && of !== "new");
        if (known !== undefined) return Object.assign(known, { step });
        const { bytes } = measure(channel, publish, Number.POSITIVE_INFINITY);
        core.weigh(1, bytes);
        return { ...publish, bytes, step, outcome: deferred() };
      });
      for (const entry of before) if (entry.step === "new") entries.push(Object.assign(entry, { n: count(session, channel) }));
      for (const entry of before) if (!entries.includes(entry)) conclude(entry, refusal({ attempted: true }, "OUTCOME_UNKNOWN"));
    },
    lineUp() {
      recall(0);
      pump();
    },
    clear() {
      // What is stored of them is forgotten already.
      for (const entry of entries.splice(0)) conclude(entry, refusal(entry, "USER_CHANGED"));
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
    pump,
  };
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
export function measure(channel: string, publish: Pick<Entry, "type" | "payload" | "timestamp">, bytesMax: number): Pick<Entry, "payload" | "bytes"> {
  const n = Number.MAX_SAFE_INTEGER;
  const { message, bytes } = encodeFrame({ ...publishFrame(channel, { ...publish, n }, n, true), correlationId: "00000000" }, bytesMax);
  const { payload } = Object(jsonCodec.decode(message)[0]) as { payload?: unknown };
  return { payload, bytes };
}
