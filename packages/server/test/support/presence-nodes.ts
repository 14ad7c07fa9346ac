import { memoryBroker, silentLog } from "@tutti/server";
import { Bus } from "../../src/bus/bus.js";
import { readTold, type BusMessage } from "../../src/bus/bus-messages.js";
import { Nodes } from "../../src/bus/nodes.js";
import { Turn } from "../../src/connections/turn.js";
import { defaultBounds, type Bounds } from "../../src/options.js";
import { PresenceExchange } from "../../src/presence/presence-exchange.js";
import { Presence } from "../../src/presence/presence.js";
import { ManualEnvironment } from "./manual-environment.js";
import { BrokerLink } from "./neighbours.js";

/** A message that left a node. */
export interface Left {
  readonly topic: string;
  readonly message: BusMessage;
  readonly length: number;
}

/** A node that has presence and nothing else: it can have a great many channels. */
export class PresenceNode {
  readonly link: BrokerLink;
  readonly bus: Bus;
  readonly #environment: ManualEnvironment;
  readonly #exchange: PresenceExchange;
  readonly #presences = new Map<string, Presence>();
  #toldBefore = 0;

  constructor(name: string, environment: ManualEnvironment, link: BrokerLink, bounds: Bounds) {
    const log = silentLog;
    this.link = link;
    this.#environment = environment;
    this.bus = new Bus({ node: name, environment, broker: link, log });
    const nodes = new Nodes({ bus: this.bus, environment, bounds, log, isShared: true });
    const turn = new Turn({ environment, log, bounds });
    this.#exchange = new PresenceExchange({ environment, bounds, bus: this.bus, nodes, turn, log });
    nodes.start();
  }

  /** Somebody here wants to know who is there. */
  look(channel: string): Presence {
    const known = this.#presences.get(channel);
    if (known !== undefined) return known;
    const presence = new Presence({ environment: this.#environment, channel, graceMs: 0, exchange: this.#exchange, onChange: () => {} });
    this.#presences.set(channel, presence);
    presence.look();
    return presence;
  }

  /** Nobody here does any more. */
  lookAway(channel: string): void {
    this.#presences.get(channel)?.close();
    this.#presences.delete(channel);
  }

  enter(channel: string, session: string, state = ""): void {
    this.look(channel).enter({ session, user: undefined, state, activity: "active" });
  }

  leave(channel: string, session: string): void {
    this.look(channel).leave(session);
  }

  /** Who is there, as this node has it. */
  seen(channel: string): string[] {
    return this.look(channel)
      .members()
      .map(({ session, state }) => `${session}${String(state)}`)
      .toSorted();
  }

  /** What left since the last call. */
  told(): readonly Left[] {
    const told = this.link.told.slice(this.#toldBefore);
    this.#toldBefore = this.link.told.length;
    return told.map(({ topic, message }) => ({ topic, message: readTold(message).message, length: message.length }));
  }
}

/** Several of them on one broker in memory, in one process and on one clock. */
export class PresenceNodes {
  readonly #environment = new ManualEnvironment();
  readonly #shared = memoryBroker({ environment: this.#environment });
  readonly #bounds: Bounds;

  constructor(bounds: Partial<Bounds> = {}) {
    this.#bounds = { ...defaultBounds, ...bounds };
  }

  /** The heartbeats of those that start earlier come earlier. */
  start(name: string): PresenceNode {
    return new PresenceNode(name, this.#environment, new BrokerLink(this.#shared), this.#bounds);
  }

  settle(): Promise<void> {
    return this.#environment.settle();
  }

  /** So many heartbeats of each, and all that they lead to. */
  beats(count: number): Promise<void> {
    return this.#environment.advance(count * this.#bounds.nodeHeartbeatMs);
  }
}
