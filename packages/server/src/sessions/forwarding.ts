import { TuttiError, count, optional, record, text, wireErrorOf, type Environment, type Shape, type ValueOf } from "@tutti/protocol";
import type { Sender } from "../bus/bus-messages.js";
import type { Bus } from "../bus/bus.js";
import type { Nodes } from "../bus/nodes.js";
import { tuttiError } from "../errors.js";
import type { Log } from "../log.js";
import type { Bounds } from "../options.js";
import type { SessionToken, SessionTokens } from "./session-token.js";

/** What a client sends to a connection that is not its own socket. */
export type UplinkMessage = string | Uint8Array;

/** Where a held connection takes what its client sends by other requests. */
export interface SessionUplink {
  /** Takes a message; resolves when the next one may come. @throws TuttiError which reaches who sent it */
  receive(message: UplinkMessage): Promise<void> | void;
}

/** Of how many nodes it is remembered what they forwarded last. */
const SENDERS_MAX = 1_024;

const uplinkMessage: Shape<UplinkMessage> = {
  kind: "message",
  read: (value, field) => {
    if (typeof value === "string" || value instanceof Uint8Array) return value;
    throw new TuttiError("FRAME_INVALID", { message: `${field} is neither text nor bytes`, field });
  },
};

/** What nodes tell each other to hand a message over. Each node numbers what it forwards, in its order. */
export const forwardShapes = {
  "session:forward": record({ number: count, session: text(64, 1), ordinal: count, message: uplinkMessage }),
  "session:forwarded": record({ number: count, error: optional(record({ code: text(64, 1), message: text(1_024) })) }),
};

type Forward = ValueOf<(typeof forwardShapes)["session:forward"]>;
type Forwarded = ValueOf<(typeof forwardShapes)["session:forwarded"]>;
type Place = Pick<SessionToken, "session" | "ordinal">;

/** Somebody who waits for the answer of another node. */
interface Waiting {
  readonly node: string;
  readonly settle: (error?: TuttiError) => void;
}

interface ForwarderParts {
  readonly environment: Environment;
  readonly bounds: Pick<Bounds, "forwardTimeoutMs" | "forwardsMax" | "messageBytesMax">;
  readonly bus: Bus;
  readonly log: Log;
  readonly nodes: Pick<Nodes, "hear" | "has">;
  readonly tokens: Pick<SessionTokens, "verify" | "isShared">;
}

/**
 * Brings what a client sends by a request of its own to the connection that holds its session, at whichever node that is: so no transport needs
 * its requests to arrive at one node.
 */
export class Forwarder {
  readonly #parts: ForwarderParts;
  /** The connections of this node that are held, by ordinal. */
  readonly #held = new Map<number, { readonly session: string; readonly uplink: SessionUplink }>();
  readonly #waiting = new Map<number, Waiting>();
  /** The last number that each node forwarded here, those heard last at the end. */
  readonly #lastNumbers = new Map<string, number>();
  #number = 0;
  #takingCount = 0;
  #hasWarned = false;

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
    parts.nodes.hear((message, sender) => {
      if (message.kind === "session:forward") this.#take(message, sender);
      else if (message.kind === "session:forwarded") this.#answered(message, sender);
    });
  }

  /** How many messages wait for the answer of another node. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** A connection of this node takes what comes with its token, until what is returned is called. */
  hold({ session, ordinal }: Place, uplink: SessionUplink): () => void {
    this.#warnOfKeys();
    const held = { session, uplink };
    this.#held.set(ordinal, held);
    return () => {
      if (this.#held.get(ordinal) === held) this.#held.delete(ordinal);
    };
  }

  /**
   * Hands a message to the connection that the token names, and resolves when that has taken it. Messages for one connection are handed over in
   * the order of the calls, each once or not at all.
   *
   * @throws (rejects) TuttiError `SESSION_MOVED`: the token is none, the connection is gone, or its node did not answer within `forwardTimeoutMs`,
   * and then the message may have been taken. `MESSAGE_TOO_LARGE`; `UNAVAILABLE` where `forwardsMax` wait already; as the connection refuses.
   */
  async forward(token: string, message: UplinkMessage): Promise<void> {
    const { tokens, bus, nodes, bounds } = this.#parts;
    const place = tokens.verify(token);
    if (Buffer.byteLength(message) > bounds.messageBytesMax) throw new TuttiError("MESSAGE_TOO_LARGE", { message: `messageBytesMax is ${bounds.messageBytesMax}` });
    if (place.node === bus.node) return this.#handOver(place, message);
    if (!nodes.has(place.node)) throw moved("the node of the session is not there any more");
    if (this.#waiting.size >= bounds.forwardsMax) throw new TuttiError("UNAVAILABLE", { message: `forwardsMax is ${bounds.forwardsMax}` });
    return this.#ask(place, message);
  }

  /** Tells those who wait that nobody will answer. */
  close(): void {
    for (const { settle } of this.#waiting.values()) settle(moved("the node stops"));
  }

  #ask({ node, session, ordinal }: SessionToken, message: UplinkMessage): Promise<void> {
    const { bus, environment, bounds } = this.#parts;
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const settle = (error?: TuttiError): void => {
        if (!this.#waiting.delete(number)) return;
        cancelTimeout();
        if (error === undefined) resolve();
        else reject(error);
      };
      const cancelTimeout = environment.after(bounds.forwardTimeoutMs, () => settle(moved(`the node of the session did not answer within ${bounds.forwardTimeoutMs} ms`)));
      this.#waiting.set(number, { node, settle });
      bus.tell(`node:${node}`, { kind: "session:forward", number, session, ordinal, message });
    });
  }

  #answered({ number, error }: Forwarded, sender: Sender): void {
    const waiting = this.#waiting.get(number);
    if (waiting?.node !== sender.node) return;
    waiting.settle(error === undefined ? undefined : new TuttiError(error.code, { message: error.message }));
  }

  /** What another node forwards, unless it came before: a repeat, or one that was overtaken, would be handed over out of its order. */
  #take(forward: Forward, { node }: Sender): void {
    if (forward.number <= (this.#lastNumbers.get(node) ?? 0)) return;
    this.#note(node, forward.number);
    this.#receive(forward).then(
      () => this.#answer(node, { number: forward.number }),
      (cause: unknown) => {
        const { code, message } = wireErrorOf(tuttiError(cause, this.#parts.log, { session: forward.session }));
        this.#answer(node, { number: forward.number, error: { code, message } });
      },
    );
  }

  /** What is held here can be reached through other nodes only where they can tell its token. */
  #warnOfKeys(): void {
    const { bus, log, tokens } = this.#parts;
    if (tokens.isShared || bus.isAlone || this.#hasWarned) return;
    this.#hasWarned = true;
    log.warn("session tokens are good at this node alone: give all nodes the same sessionKeys");
  }

  /** What waits here is bounded for all nodes together: each bounds what it forwards, and there may be many. */
  async #receive({ session, ordinal, message }: Forward): Promise<void> {
    const { bounds } = this.#parts;
    if (Buffer.byteLength(message) > bounds.messageBytesMax) throw new TuttiError("MESSAGE_TOO_LARGE", { message: `messageBytesMax is ${bounds.messageBytesMax}` });
    if (this.#takingCount >= bounds.forwardsMax) throw new TuttiError("UNAVAILABLE", { message: `forwardsMax is ${bounds.forwardsMax}` });
    this.#takingCount++;
    try {
      await this.#handOver({ session, ordinal }, message);
    } finally {
      this.#takingCount--;
    }
  }

  async #handOver({ session, ordinal }: Place, message: UplinkMessage): Promise<void> {
    const held = this.#held.get(ordinal);
    if (held?.session !== session) throw moved("the connection of the session is not there any more");
    await held.uplink.receive(message);
  }

  #answer(node: string, forwarded: Forwarded): void {
    this.#parts.bus.tell(`node:${node}`, { kind: "session:forwarded", ...forwarded });
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

function moved(message: string): TuttiError {
  return new TuttiError("SESSION_MOVED", { message });
}
