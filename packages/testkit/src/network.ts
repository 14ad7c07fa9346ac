import type { Transport } from "@tutti/client";
import { jsonCodec, type Codec, type Encoded } from "@tutti/protocol";
import type { ConnectionEvents, HandshakeRequest, ServerTransport } from "@tutti/server";
import type { SimulatedClock } from "./clock.js";
import { SimulatedConnection, type ConnectionSetup, type MessageFate } from "./connection.js";
import { network, type LinkConditions } from "./lane.js";
import type { Participant } from "./participant.js";
import { RandomStream } from "./random.js";

/** What `server.accept` is. */
export type Accept = (transport: ServerTransport, request: HandshakeRequest) => ConnectionEvents;

/**
 * What becomes of an attempt to connect: the server takes it, somebody refuses it, or nobody ever answers.
 */
export type Reach = "accepted" | "refused" | "silent";

interface Listener {
  readonly server: Participant;
  readonly accept: Accept;
}

const CALM: LinkConditions = { delayMs: [1, 5], bytesPerMs: Infinity };

/** The network between clients and servers: delay and order as they are, and every fault on request. */
export class SimulatedNetwork {
  /** How new connections behave. */
  conditions: LinkConditions = CALM;
  /** Says which host takes an attempt to connect to `host`, as a load balancer does; by default that one itself. @param connection its name, which is its own */
  route: (host: string, connection: string) => string = (host) => host;
  /** Decides on each attempt to connect; by default all that listen are reached. */
  reach: (client: Participant, host: string) => Reach = () => "accepted";
  /** Decides on each message from a server, with the chances of its connection; by default all arrive that the connection carries. */
  fateOf: (message: Encoded, random: RandomStream) => MessageFate = () => "arrives";
  readonly #clock: SimulatedClock;
  readonly #seed: number;
  readonly #listeners = new Map<string, Listener>();
  readonly #connections = new Set<SimulatedConnection>();
  /** How many each client has opened, by its name. */
  readonly #counts = new Map<string, number>();

  constructor(clock: SimulatedClock, seed: number) {
    this.#clock = clock;
    this.#seed = seed;
  }

  /** Takes connections to `host` until the answer is called. */
  listen(host: string, server: Participant, accept: Accept): () => void {
    const listener: Listener = { server, accept };
    this.#listeners.set(host, listener);
    return () => {
      if (this.#listeners.get(host) === listener) this.#listeners.delete(host);
    };
  }

  /** A transport for this client; it finds its server by the host of the URL, and that speaks what the client was made with. */
  transport(client: Participant, codec: Codec = jsonCodec): Transport {
    return {
      name: "websocket",
      open: (url, _subprotocol, events) => {
        const { host } = new URL(url);
        const count = (this.#counts.get(client.name) ?? 0) + 1;
        this.#counts.set(client.name, count);
        const name = `${client.name}#${count}`;
        // One stream each: what befalls one connection changes nothing in what befalls the others.
        const random = new RandomStream(this.#seed, `connection ${name}`);
        const fateOf: ConnectionSetup["fateOf"] = (message, chances) => this.fateOf(message, chances);
        const setup: ConnectionSetup = { clock: this.#clock, random, conditions: this.conditions, client, codec, events, fateOf };
        const connection = new SimulatedConnection(name, setup);
        this.#connections.add(connection);
        const plan = { inMs: random.between(...this.conditions.delayMs), kind: "connect", owner: network, detail: name };
        this.#clock.plan(plan, () => this.#connect(connection, host, url));
        return connection.link;
      },
    };
  }

  /** The connections that at least one side believes in, the oldest first. */
  connections(): readonly SimulatedConnection[] {
    for (const connection of this.#connections) if (!connection.isOpen) this.#connections.delete(connection);
    return [...this.#connections];
  }

  /** Ends what is broken: stalled connections go on, half-open ones are found out, new ones are fast and reach their servers. */
  heal(): void {
    this.conditions = CALM;
    this.reach = () => "accepted";
    this.fateOf = () => "arrives";
    for (const connection of this.connections()) {
      connection.reshape(CALM);
      if (connection.isHalfOpen) connection.cut("healed");
      else connection.resume();
    }
  }

  #connect(connection: SimulatedConnection, asked: string, url: string): void {
    if (connection.isAbandoned) return;
    const host = this.route(asked, connection.name);
    const listener = this.#listeners.get(host);
    const reach = this.reach(connection.client, host);
    if (reach === "silent") return;
    if (listener === undefined || reach === "refused") {
      connection.refuse();
      return;
    }
    const { server, accept } = listener;
    this.#clock.plan({ inMs: 0, kind: "accept", owner: server, detail: connection.name }, () => {
      if (!connection.isAbandoned) connection.accept(server, (transport) => accept(transport, { url, headers: {} }));
    });
  }
}
