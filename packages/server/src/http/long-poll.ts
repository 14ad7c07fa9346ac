import { TuttiError, retryOf, samePosition, type Codec, type Encoded, type LastSeen } from "@tutti/protocol";
import type { Subscriber } from "../channels/subscription.js";
import { Subscriptions } from "../channels/subscriptions.js";
import { Outbox } from "../connections/outbox.js";
import type { Packet } from "../connections/packet.js";
import type { Writer } from "../connections/writer-line.js";
import type { NodeState } from "../node-state.js";
import { etagOf } from "./etags.js";
import type { HttpListener } from "./exchange.js";
import { bytesOf, unread } from "./formats.js";
import { taggedAnswer } from "./json-answer.js";
import type { Poll, Polls } from "./polls.js";
import { answerFailure } from "./problem.js";
import { LIMIT_MAX } from "./queries.js";
import { READER_REQUESTS, type Reader } from "./readers.js";
import { lineOf, recordsOf } from "./records.js";

/** What a channel hands over as the page that answers all who waited for it at the same position. The position stands first, to be found again. */
const pageCodec: Codec = {
  name: "page",
  encode(frames) {
    const records = recordsOf(frames);
    const last = records.at(-1);
    if (last === undefined || last.kind === "end") return "";
    const { kind, ...said } = last;
    if (kind === "gap") return lineOf({ ...said, events: [] });
    const events = records.map(({ kind: _kind, ...event }) => lineOf(event));
    return `{"position":"${last.position}","events":[${events.join(",")}]}`;
  },
  decode: unread,
};

/** Nothing waits behind the one answer to a request. */
const OUTBOX = new Outbox({ bufferedBytes: 0, send: () => {} }, Number.POSITIVE_INFINITY);

interface LongPollParts {
  readonly node: NodeState;
  readonly polls: Polls;
  readonly poll: Poll;
}

/** A request that waits for the next events of a channel: a subscription that ends with what it gets first, or when its time is over. */
export class LongPoll implements Reader, Subscriber, HttpListener, Writer {
  isInLine = false;
  readonly #node: NodeState;
  readonly #polls: Polls;
  readonly #poll: Poll;
  readonly #subscriptions: Subscriptions;
  /** When it has waited long enough, on the monotonic clock. */
  readonly #waitsUntil: number;
  /** What comes is the page that it asked for, as of all who wait at this position; else that is more, or less, and is read from the log. */
  #isShared = false;
  /** What came. */
  #packet: Packet | undefined;
  #isOver = false;

  constructor({ node, polls, poll }: LongPollParts) {
    this.#node = node;
    this.#polls = polls;
    this.#poll = poll;
    this.#subscriptions = new Subscriptions(node, poll.caller, this);
    this.#waitsUntil = node.services.environment.elapsed() + poll.query.waitMs;
  }

  get codec(): Codec {
    return pageCodec;
  }

  get outbox(): Outbox {
    return OUTBOX;
  }

  get requests(): typeof READER_REQUESTS {
    return READER_REQUESTS;
  }

  get channel(): string {
    return this.#poll.policy.name;
  }

  get session(): string {
    return this.#poll.caller.session;
  }

  get user(): string | undefined {
    return this.#poll.caller.user?.id;
  }

  /** Waits for what comes after a position; nothing was answered where it rejects. @throws TuttiError as a subscription is refused, `UNAVAILABLE` */
  async open(since: LastSeen): Promise<void> {
    const { exchange, query } = this.#poll;
    this.#node.readers.add(this);
    this.#isShared = query.limit === LIMIT_MAX && samePosition(since, query.since);
    exchange.listener = this;
    try {
      await this.#subscriptions.subscribe({ channel: this.channel, since }, ({ gap }) => {
        if (gap !== undefined) this.#answerAnew();
      });
    } catch (error) {
      // Ended by its own answer, if there was one.
      if (this.#isOver) return;
      this.closed();
      throw error;
    }
  }

  push(packet: Packet): void {
    if (packet.bytes === 0 || this.#isOver) return;
    this.closed();
    this.#packet = packet;
    // Thousands may wait for the same event: they are answered when those who stand in line before them have had theirs.
    this.#node.services.turn.writeInLine(this);
  }

  /** Answers with what came. */
  flush(): boolean {
    const packet = this.#packet;
    if (packet === undefined) return false;
    this.#packet = undefined;
    if (this.#isShared) this.#answerWith(packet);
    else void this.#polls.answerNow(this.#poll);
    return true;
  }

  evict(channel: string, error: TuttiError): void {
    if (channel !== this.channel || this.#isOver) return;
    this.#subscriptions.evict(channel, error);
    this.closed();
    answerFailure(this.#poll.exchange, error, this.#node.services.log, { channel });
  }

  fail(error: TuttiError): void {
    // Its client comes back by itself.
    if (retryOf(error.code) === "reconnect") this.#answerAnew();
    else this.evict(this.channel, error);
  }

  sweep(now: number): void {
    if (this.#poll.caller.expiresAt <= now) this.fail(new TuttiError("TOKEN_EXPIRED"));
    else if (this.#waitsUntil <= now) this.#answerAnew();
  }

  drained(): void {}

  closed(): void {
    this.#isOver = true;
    this.#node.readers.remove(this);
    this.#subscriptions.endAll("leave");
  }

  #answerWith(packet: Packet): void {
    const { etag, body } = packet.framed(sharedPage);
    this.#poll.exchange.answer(taggedAnswer(this.#poll.caller, etag, body));
  }

  #answerAnew(): void {
    if (this.#isOver) return;
    this.closed();
    void this.#polls.answerNow(this.#poll);
  }
}

/** What is made once for all who are answered with a page. */
function sharedPage(data: Encoded): { readonly etag: string; readonly body: Uint8Array } {
  const [, cursor = ""] = typeof data === "string" ? (/^\{"position":"([^"]*)"/.exec(data) ?? []) : [];
  return { etag: etagOf(cursor), body: bytesOf(data) };
}
