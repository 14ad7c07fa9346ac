import { TuttiError } from "@tutti/protocol";
import type { Connection } from "../../connections/connection.js";
import type { Packet } from "../../connections/packet.js";
import type { NodeState } from "../../node-state.js";
import type { Poll, PollAnswer, SessionUplink, UplinkMessages } from "../../sessions/forwarding.js";
import type { HttpListener } from "../exchange.js";
import { ExchangeAnswer } from "./exchange-answer.js";
import { Inbox } from "./inbox.js";
import { CLOSING_BYTES_MAX, LINK_SWEEP_MS, type HttpLink, type LinkParts } from "./link.js";
import { TokenHold, type Opening } from "./token-hold.js";

/** How much one answer carries; a larger message has one of its own. */
const ANSWER_BYTES_MAX = 256 * 1024;

interface PollLinkParts extends LinkParts {
  /** How long its client lets pass between two polls at most; `undefined` where it always has one waiting. */
  readonly intervalMs: number | undefined;
  /** Called when it has closed, and stays to say so. */
  readonly lingers: (link: PollLink) => void;
}

interface WaitingPoll {
  readonly answer: PollAnswer;
  /** When it is answered with nothing, on the monotonic clock. */
  readonly dueAt: number;
}

type Phase =
  /** Nobody can poll it by a token yet: the first answer brings that, or says how it ended. */
  | { readonly name: "greeting" }
  | { readonly name: "open" }
  /** Stays to say so. */
  | { readonly name: "closed"; readonly code: number; readonly reason: string; readonly forgottenAt: number }
  | { readonly name: "over" };

/** A link whose client asks what there is for it, again and again. Each answer is kept until the next question says that it has come. */
export class PollLink implements HttpLink, SessionUplink, HttpListener {
  readonly name: "long-poll" | "poll";
  readonly carriesHello = true;
  readonly remoteAddress: string;
  readonly pollIntervalMs?: number;
  readonly #node: NodeState;
  readonly #lingers: PollLinkParts["lingers"];
  readonly #inbox = new Inbox();
  readonly #hold: TokenHold;
  #connection: Connection | undefined;
  #phase: Phase = { name: "greeting" };
  #waiting: WaitingPoll | undefined;
  /** What is to go with the next answer. */
  #pending: Packet[] = [];
  #pendingBytes = 0;
  /** The number of the last answer that brought something. */
  #number = 0;
  /** That answer, until the client is known to have it. */
  #kept: string | undefined;
  #keptBytes = 0;
  /** What comes is for an answer that is being made. */
  #isGathering = false;

  constructor({ node, request, exchange, intervalMs, lingers }: PollLinkParts) {
    this.name = intervalMs === undefined ? "long-poll" : "poll";
    this.remoteAddress = request.remoteAddress;
    if (intervalMs !== undefined) this.pollIntervalMs = intervalMs;
    this.#node = node;
    this.#lingers = lingers;
    this.#hold = new TokenHold(node, this);
    this.#waiting = { answer: new ExchangeAnswer(exchange, node), dueAt: Number.POSITIVE_INFINITY };
    exchange.listener = this;
  }

  get isOver(): boolean {
    return this.#phase.name === "over";
  }

  get bufferedBytes(): number {
    return this.#isGathering ? 0 : this.#pendingBytes + this.#keptBytes;
  }

  attach(connection: Connection): void {
    this.#connection = connection;
    this.#inbox.attach(connection);
  }

  send(packets: readonly Packet[]): void {
    if (this.#hasClosed) return;
    for (const packet of packets) {
      this.#pending.push(packet);
      this.#pendingBytes += packet.bytes;
    }
    this.#answerWaiting();
  }

  close(closeCode: number, reason: string): void {
    if (this.#hasClosed) return;
    if (this.bufferedBytes > CLOSING_BYTES_MAX) this.#drop();
    const forgottenAt = this.#node.services.environment.elapsed() + this.#node.services.bounds.silenceMsMax;
    this.#phase = { name: "closed", code: closeCode, reason, forgottenAt };
    this.#answerWaiting();
    this.#lingers(this);
  }

  terminate(): void {
    this.forget();
  }

  forget(): void {
    this.#drop();
    this.#hold.release();
    this.#phase = { name: "over" };
    this.#release()?.refuse(moved("the link is over"));
  }

  /** The opening request is over. Where it was not answered, nobody will ever know the link's token. */
  closed(): void {
    if (this.#phase.name !== "greeting") return;
    this.forget();
    this.#connection?.closed();
  }

  /** Of an answer nothing is told before it has left. */
  drained(): void {}

  receive(messages: UplinkMessages): void {
    if (this.#hasClosed) throw moved("the link is over");
    this.#inbox.take(messages);
  }

  poll({ after, waitMs }: Poll, answer: PollAnswer): void {
    this.#connection?.alive();
    if (this.#kept !== undefined && after === this.#number - 1) return answer.answer(this.#kept);
    if (!this.#isNext(after)) throw moved(`the last answer has number ${this.#number}`);
    this.#release()?.refuse(new TuttiError("SESSION_REPLACED", { message: "a later poll waits" }));
    this.#kept = undefined;
    this.#keptBytes = 0;
    this.#gather();
    if (this.#pending.length > 0 || waitMs === 0 || this.#hasClosed) return this.#answer(answer);
    // A sweep sooner: it is not to wait for longer than it asked to.
    this.#waiting = { answer, dueAt: this.#node.services.environment.elapsed() + waitMs - LINK_SWEEP_MS };
  }

  sweep(now: number): void {
    if (this.#phase.name === "closed" && this.#phase.forgottenAt <= now) return this.forget();
    if (this.#waiting === undefined || this.#waiting.dueAt > now) return;
    const answer = this.#release();
    if (answer !== undefined) this.#answer(answer);
  }

  get #hasClosed(): boolean {
    return this.#phase.name === "closed" || this.#phase.name === "over";
  }

  /** What was kept for who is told of the end may have been too much. */
  #isNext(after: number): boolean {
    return after === this.#number || (this.#phase.name === "closed" && after === this.#number - 1);
  }

  /** Who waits, who waits no longer. */
  #release(): PollAnswer | undefined {
    const answer = this.#waiting?.answer;
    this.#waiting = undefined;
    return answer;
  }

  /** Until it is admitted its client cannot be told anything but how it ended: it could not ask for more. */
  #answerWaiting(): void {
    if (this.#waiting === undefined) return;
    const opening = this.#phase.name === "greeting" ? this.#hold.open(this.#connection) : undefined;
    if (opening !== undefined) this.#phase = { name: "open" };
    if (this.#phase.name === "greeting") return;
    const answer = this.#release();
    if (answer !== undefined) this.#answer(answer, opening);
  }

  /** Takes all that the outbox has: what is written between two polls would take as many of them. */
  #gather(): void {
    this.#isGathering = true;
    this.#connection?.drained();
    this.#isGathering = false;
  }

  #answer(answer: PollAnswer, opening?: Opening): void {
    const messages = this.#take();
    const phase = this.#phase;
    const closed = phase.name === "closed" && this.#pending.length === 0 ? { code: phase.code, reason: phase.reason } : undefined;
    const isKept = messages.length > 0 || closed !== undefined;
    if (isKept) this.#number++;
    const body = bodyOf({ ...opening, number: this.#number, ...(this.#pending.length > 0 && { more: true }) }, messages, closed);
    if (isKept) {
      this.#kept = body;
      this.#keptBytes = Buffer.byteLength(body);
    }
    answer.answer(body);
  }

  /** As much of what is pending as goes into one answer. */
  #take(): readonly Packet[] {
    let count = 0;
    let bytes = 0;
    for (const packet of this.#pending) {
      if (count > 0 && bytes + packet.bytes > ANSWER_BYTES_MAX) break;
      bytes += packet.bytes;
      count++;
    }
    this.#pendingBytes -= bytes;
    return this.#pending.splice(0, count);
  }

  #drop(): void {
    this.#pending = [];
    this.#kept = undefined;
    this.#pendingBytes = this.#keptBytes = 0;
  }
}

/** The messages stand in it as they were encoded for all. */
function bodyOf(head: object, messages: readonly Packet[], closed: object | undefined): string {
  const texts = messages.map(({ data }) => String(data)).join(",");
  const end = closed === undefined ? "" : `,"closed":${JSON.stringify(closed)}`;
  return `${JSON.stringify(head).slice(0, -1)},"messages":[${texts}]${end}}`;
}

function moved(message: string): TuttiError {
  return new TuttiError("SESSION_MOVED", { message });
}
