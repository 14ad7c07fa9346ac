import { TuttiError, count, oneField, optional, record, text, wireErrorOf, type Cancel, type Environment, type ValueOf } from "@tutti/protocol";
import type { Sender } from "../bus/bus-messages.js";
import type { Bus } from "../bus/bus.js";
import type { Nodes } from "../bus/nodes.js";
import { tuttiError } from "../errors.js";
import type { Log } from "../log.js";
import type { Bounds } from "../options.js";
import type { SessionToken, SessionTokens } from "./session-token.js";

/** Of how many nodes it is remembered what they forwarded last. */
const SENDERS_MAX = 1_024;
/** Texts between nodes are bounded in bytes, where they are taken. */
const CHARACTERS_MAX = Number.MAX_SAFE_INTEGER;

/** `number`: the client counts 1, 2, 3 … `text`: one message a line. */
const uplink = record({ number: count, text: text(CHARACTERS_MAX) });
/** `after`: the number of the last answer that the client has. */
const poll = record({ after: count, waitMs: count });

/** What a client sends to a connection that is not its own socket. */
export type UplinkMessages = ValueOf<typeof uplink>;
/** A client asks what there is for it. */
export type Poll = ValueOf<typeof poll>;

/** Who waits for what a poll brings. One of both is called, once. */
export interface PollAnswer {
  answer(body: string): void;
  refuse(error: TuttiError): void;
}

/** Where a held connection takes what its client asks by other requests. */
export interface SessionUplink {
  /** Takes messages; resolves when the next ones may come. @throws TuttiError which reaches who sent them */
  receive(messages: UplinkMessages): Promise<void> | void;
  /** Answers when there is something, or at its time. @throws TuttiError which reaches who asked */
  poll(poll: Poll, answer: PollAnswer): void;
}

/** What nodes tell each other to hand a request over. Each node numbers what it forwards, in its order. */
export const forwardShapes = {
  "session:forward": record({ number: count, session: text(64, 1), ordinal: count, request: oneField({ uplink, poll }) }),
  "session:forwarded": record({
    number: count,
    /** What a poll brought. */
    body: optional(text(CHARACTERS_MAX)),
    error: optional(record({ code: text(64, 1), message: text(1_024) })),
  }),
};

type Forward = ValueOf<(typeof forwardShapes)["session:forward"]>;
type Forwarded = ValueOf<(typeof forwardShapes)["session:forwarded"]>;
type Request = Forward["request"];
type Kind = "uplink" | "poll";
type Place = Pick<SessionToken, "session" | "ordinal">;

/** A connection of this node that is reached by its token. */
interface Held {
  readonly session: string;
  readonly uplink: SessionUplink;
  /** When its token was issued, on the monotonic clock. */
  readonly heldAt: number;
}

/** Somebody who waits for the answer of another node. */
interface Waiting {
  readonly node: string;
  readonly kind: Kind;
  readonly answer: PollAnswer;
  readonly cancelTimeout: Cancel;
}

interface ForwarderParts {
  readonly environment: Environment;
  readonly bounds: Pick<Bounds, "forwardTimeoutMs" | "forwardsMax" | "pollsForwardedMax" | "messageBytesMax" | "sessionTokenMs">;
  readonly bus: Bus;
  readonly log: Log;
  readonly nodes: Pick<Nodes, "hear" | "has" | "watch">;
  readonly tokens: Pick<SessionTokens, "verify" | "isShared">;
}

/**
 * Brings what a client asks by a request of its own to the connection that holds its session, at whichever node that is: so no transport needs
 * its requests to arrive at one node.
 */
export class Forwarder {
  readonly #parts: ForwarderParts;
  /** The connections of this node that are held, by ordinal. */
  readonly #held = new Map<number, Held>();
  readonly #waiting = new Map<number, Waiting>();
  /** How many of those that wait are of a kind. */
  readonly #waitingOf: Record<Kind, number> = { uplink: 0, poll: 0 };
  /** How many requests of other nodes wait here. */
  readonly #takingOf: Record<Kind, number> = { uplink: 0, poll: 0 };
  /** The last number that each node forwarded here, those heard last at the end. */
  readonly #lastNumbers = new Map<string, number>();
  #number = 0;
  #hasWarned = false;

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
    parts.nodes.hear((message, sender) => {
      if (message.kind === "session:forward") this.#take(message, sender);
      else if (message.kind === "session:forwarded") this.#answered(message, sender);
    });
    parts.nodes.watch(({ type, node }) => type === "gone" && this.#giveUp(({ node: asked }) => asked === node.id, "the node of the session is gone"));
  }

  /** How many requests wait for the answer of another node. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** A connection of this node takes what comes with its token, which is issued now, until what is returned is called. */
  hold({ session, ordinal }: Place, taker: SessionUplink): () => void {
    this.#warnOfKeys();
    const held: Held = { session, uplink: taker, heldAt: this.#parts.environment.elapsed() };
    this.#held.set(ordinal, held);
    return () => {
      if (this.#held.get(ordinal) === held) this.#held.delete(ordinal);
    };
  }

  /**
   * Hands messages to the connection that the token names, and resolves when that has taken them. Those for one connection are handed over in
   * the order of the calls, each once or not at all.
   *
   * @throws (rejects) TuttiError `SESSION_MOVED`: the token is none or too old, the connection is gone, or its node did not answer within `forwardTimeoutMs`,
   * and then the messages may have been taken. `MESSAGE_TOO_LARGE`; `UNAVAILABLE` where `forwardsMax` wait already; as the connection refuses.
   */
  async forward(token: string, messages: UplinkMessages): Promise<void> {
    const { tokens, bus } = this.#parts;
    const place = tokens.verify(token);
    this.#assertSize(messages);
    if (place.node === bus.node) return this.#find(place).receive(messages);
    const { forwardTimeoutMs } = this.#parts.bounds;
    return new Promise((resolve, reject) => this.#ask(place, { uplink: messages }, forwardTimeoutMs, { answer: () => resolve(), refuse: reject }));
  }

  /**
   * Asks the connection that the token names what there is for its client, which is answered then. A node that does not answer within `forwardTimeoutMs`
   * more than the poll waits is not there any more.
   *
   * @throws TuttiError, here or by `refuse`: `SESSION_MOVED` as in {@link forward}; `UNAVAILABLE` where `pollsForwardedMax` wait already; as the connection refuses
   */
  poll(token: string, asked: Poll, answer: PollAnswer): void {
    const { tokens, bus, bounds } = this.#parts;
    const place = tokens.verify(token);
    if (place.node === bus.node) this.#find(place).poll(asked, answer);
    else this.#ask(place, { poll: asked }, asked.waitMs + bounds.forwardTimeoutMs, answer);
  }

  /** Tells those who wait that nobody will answer. */
  close(): void {
    this.#giveUp(() => true, "the node stops");
  }

  /** @throws TuttiError `SESSION_MOVED`, `UNAVAILABLE` */
  #ask({ node, session, ordinal }: SessionToken, request: Request, timeoutMs: number, answer: PollAnswer): void {
    const { bus, nodes, environment } = this.#parts;
    const kind = kindOf(request);
    if (!nodes.has(node)) throw moved("the node of the session is not there any more");
    this.#assertRoom(kind, this.#waitingOf[kind]);
    const number = ++this.#number;
    const cancelTimeout = environment.after(timeoutMs, () => this.#settle(number)?.refuse(moved(`the node of the session did not answer within ${timeoutMs} ms`)));
    this.#waiting.set(number, { node, kind, answer, cancelTimeout });
    this.#waitingOf[kind]++;
    bus.tell(`node:${node}`, { kind: "session:forward", number, session, ordinal, request });
  }

  /** Who waited for this answer, if somebody still did. */
  #settle(number: number): PollAnswer | undefined {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(number);
    this.#waitingOf[waiting.kind]--;
    waiting.cancelTimeout();
    return waiting.answer;
  }

  #giveUp(concerns: (waiting: Waiting) => boolean, why: string): void {
    for (const [number, waiting] of this.#waiting) if (concerns(waiting)) this.#settle(number)?.refuse(moved(why));
  }

  #answered({ number, body = "", error }: Forwarded, sender: Sender): void {
    if (this.#waiting.get(number)?.node !== sender.node) return;
    const waiting = this.#settle(number);
    if (error === undefined) waiting?.answer(body);
    else waiting?.refuse(new TuttiError(error.code, { message: error.message }));
  }

  /** What another node forwards, unless it came before: a repeat, or one that was overtaken, would be handed over out of its order. */
  #take(forward: Forward, { node }: Sender): void {
    const { number, session, ordinal, request } = forward;
    if (number <= (this.#lastNumbers.get(node) ?? 0)) return;
    this.#note(node, number);
    const kind = kindOf(request);
    const answer = (forwarded: Omit<Forwarded, "number">): void => {
      this.#takingOf[kind]--;
      this.#parts.bus.tell(`node:${node}`, { kind: "session:forwarded", number, ...forwarded });
    };
    const refuse = (cause: unknown): void => {
      const { code, message } = wireErrorOf(tuttiError(cause, this.#parts.log, { session }));
      answer({ error: { code, message } });
    };
    this.#takingOf[kind]++;
    try {
      // What waits here is bounded for all nodes together: each bounds what it forwards, and there may be many.
      this.#assertRoom(kind, this.#takingOf[kind] - 1);
      if ("poll" in request) return this.#find({ session, ordinal }).poll(request.poll, { answer: (body) => answer({ body }), refuse });
      this.#assertSize(request.uplink);
      Promise.resolve(this.#find({ session, ordinal }).receive(request.uplink)).then(() => answer({}), refuse);
    } catch (cause) {
      refuse(cause);
    }
  }

  /** What is held here can be reached through other nodes only where they can tell its token. */
  #warnOfKeys(): void {
    const { bus, log, tokens } = this.#parts;
    if (tokens.isShared || bus.isAlone || this.#hasWarned) return;
    this.#hasWarned = true;
    log.warn("session tokens are good at this node alone: give all nodes the same sessionKeys");
  }

  /** @throws TuttiError `MESSAGE_TOO_LARGE` */
  #assertSize({ text: messages }: UplinkMessages): void {
    const { messageBytesMax } = this.#parts.bounds;
    if (Buffer.byteLength(messages) > messageBytesMax) throw new TuttiError("MESSAGE_TOO_LARGE", { message: `messageBytesMax is ${messageBytesMax}` });
  }

  /** @throws TuttiError `UNAVAILABLE` */
  #assertRoom(kind: Kind, waitingCount: number): void {
    const bound = kind === "poll" ? "pollsForwardedMax" : "forwardsMax";
    const countMax = this.#parts.bounds[bound];
    if (waitingCount >= countMax) throw new TuttiError("UNAVAILABLE", { message: `${bound} is ${countMax}` });
  }

  /** @throws TuttiError `SESSION_MOVED` */
  #find({ session, ordinal }: Place): SessionUplink {
    const held = this.#held.get(ordinal);
    if (held?.session !== session) throw moved("the connection of the session is not there any more");
    const { environment, bounds } = this.#parts;
    if (environment.elapsed() - held.heldAt > bounds.sessionTokenMs) throw moved("the session token is too old");
    return held.uplink;
  }

  #note(node: string, number: number): void {
    this.#lastNumbers.delete(node);
    this.#lastNumbers.set(node, number);
    if (this.#lastNumbers.size <= SENDERS_MAX) return;
    for (const oldest of this.#lastNumbers.keys()) {
      this.#lastNumbers.delete(oldest);
      return;
    }
  }
}

function kindOf(request: Request): Kind {
  return "poll" in request ? "poll" : "uplink";
}

function moved(message: string): TuttiError {
  return new TuttiError("SESSION_MOVED", { message });
}
