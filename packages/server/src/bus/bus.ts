import type { Environment } from "@tutti/protocol";
import type { Broker } from "../broker/broker.js";
import type { Log } from "../log.js";
import { beginningOf, encodeTold, readTold, type BusMessage, type Sender, type Told } from "./bus-messages.js";

/** All nodes, one of them, or those that have a channel open. */
export type Topic = "nodes" | `node:${string}` | `channel:${string}`;

export type BusListener = (message: BusMessage, sender: Sender) => void;

/** How often at most a failure is logged; while the broker is away each message is one. */
const COMPLAINT_MS = 10_000;

interface BusParts {
  readonly node: string;
  readonly environment: Environment;
  readonly broker: Broker;
  readonly log: Log;
}

interface HeardTopic {
  readonly listeners: Set<BusListener>;
  /** Settles when the broker listens; resolves to what ends that. */
  readonly end: Promise<() => Promise<void>>;
}

/**
 * What nodes tell each other. Messages may be lost, come twice, and those of different topics in another order than they were told in: whoever
 * needs more numbers them. What is not a message of a node is logged and dropped.
 */
export class Bus {
  readonly node: string;
  /** Which life of this node it is. Kept by `Nodes`. */
  incarnation = 1;
  /** No other node is known to live: nobody would hear a signal or a change of presence. Kept by `Nodes`. */
  isAlone = true;
  readonly #environment: Environment;
  readonly #broker: Broker;
  readonly #log: Log;
  readonly #ownBeginning: string;
  readonly #topics = new Map<Topic, HeardTopic>();
  #complainedAt = Number.NEGATIVE_INFINITY;

  constructor({ node, environment, broker, log }: BusParts) {
    this.node = node;
    this.#environment = environment;
    this.#broker = broker;
    this.#log = log;
    this.#ownBeginning = beginningOf(node);
  }

  /** Tells whoever hears the topic, this node left out. Nobody waits for it; a failure is logged, once in a while. */
  tell(topic: Topic, message: BusMessage): void {
    void this.told(topic, message);
  }

  /** Tells it, and resolves to whether the broker took it. Never rejects. */
  async told(topic: Topic, message: BusMessage): Promise<boolean> {
    const { node, incarnation } = this;
    try {
      await this.#broker.broadcast(topic, encodeTold({ sender: { node, incarnation }, message }));
      return true;
    } catch (error) {
      this.#complain("telling other nodes failed", { topic, kind: message.kind, error });
      return false;
    }
  }

  /**
   * Hears what other nodes tell from the moment on at which it resolves; what is returned ends it. Several may hear one topic, which the broker
   * listens to once. Rejects as the broker does.
   */
  async hear(topic: Topic, listener: BusListener): Promise<() => Promise<void>> {
    const heard = this.#topics.get(topic) ?? this.#listen(topic);
    heard.listeners.add(listener);
    try {
      await heard.end;
    } catch (error) {
      if (this.#topics.get(topic) === heard) this.#topics.delete(topic);
      throw error;
    }
    return () => this.#unhear(topic, heard, listener);
  }

  #listen(topic: Topic): HeardTopic {
    const listeners = new Set<BusListener>();
    const heard: HeardTopic = { listeners, end: this.#broker.listen(topic, (received) => this.#receive(topic, listeners, received)) };
    this.#topics.set(topic, heard);
    return heard;
  }

  async #unhear(topic: Topic, heard: HeardTopic, listener: BusListener): Promise<void> {
    heard.listeners.delete(listener);
    if (heard.listeners.size > 0 || this.#topics.get(topic) !== heard) return;
    this.#topics.delete(topic);
    await (await heard.end)();
  }

  #receive(topic: Topic, listeners: ReadonlySet<BusListener>, received: string): void {
    if (received.startsWith(this.#ownBeginning)) return;
    let told: Told;
    try {
      told = readTold(received);
    } catch (error) {
      return this.#complain("what came from another node cannot be read", { topic, error });
    }
    if (told.sender.node === this.node) return;
    this.hand(listeners, told);
  }

  /** Hands a message to all of them: what fails in one is no reason to leave out the others, nor the broker's affair. */
  hand(listeners: Iterable<BusListener>, { message, sender }: Told): void {
    for (const listener of listeners) {
      try {
        listener(message, sender);
      } catch (error) {
        this.#log.error("a message of another node could not be handled", { kind: message.kind, node: sender.node, error });
      }
    }
  }

  #complain(complaint: string, fields: Readonly<Record<string, unknown>>): void {
    const now = this.#environment.elapsed();
    if (now - this.#complainedAt < COMPLAINT_MS) return;
    this.#complainedAt = now;
    this.#log.warn(complaint, fields);
  }
}
