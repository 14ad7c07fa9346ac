import type { Fetch, FetchInit, Transport } from "@tutti/client";
import { jsonCodec, type Codec, type Encoded } from "@tutti/protocol";
import type { ConnectionEvents, HandshakeRequest, HttpService, ServerTransport } from "@tutti/server";
import type { SimulatedClock } from "./clock.js";
import { SimulatedConnection, type ConnectionSetup, type MessageFate } from "./connection.js";
import { requestOf } from "./fetched-request.js";
import { network, type LinkConditions } from "./lane.js";
import type { Participant } from "./participant.js";
import { RandomStream } from "./random.js";
import { SimulatedExchange } from "./simulated-exchange.js";
import type { SimulatedWay } from "./simulated-way.js";

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

interface HttpListener {
  readonly server: Participant;
  readonly service: HttpService;
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
  readonly #httpListeners = new Map<string, HttpListener>();
  readonly #connections = new Set<SimulatedWay>();
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

  /** Takes requests over HTTP to `host` until the answer is called. */
  listenHttp(host: string, server: Participant, service: HttpService): () => void {
    const listener: HttpListener = { server, service };
    this.#httpListeners.set(host, listener);
    return () => {
      if (this.#httpListeners.get(host) === listener) this.#httpListeners.delete(host);
    };
  }

  /** What `fetch` is to this client, for its transports over HTTP. Each request finds its own way, and what befalls it. */
  fetch(client: Participant): Fetch {
    return (url, init) => {
      const { name, random } = this.#begin(client);
      const exchange = new SimulatedExchange(name, { clock: this.#clock, random, conditions: this.conditions, client });
      const aborted = (): void => exchange.abort();
      init.signal?.addEventListener("abort", aborted);
      exchange.response.whenOver(() => init.signal?.removeEventListener("abort", aborted));
      this.#connections.add(exchange);
      const plan = { inMs: random.between(...this.conditions.delayMs), kind: "request", owner: network, detail: name };
      this.#clock.plan(plan, () => this.#request(exchange, url, init));
      return exchange.response.head;
    };
  }

  /** A transport for this client; it finds its server by the host of the URL, and that speaks what the client was made with. */
  transport(client: Participant, codec: Codec = jsonCodec): Transport {
    return {
      name: "websocket",
      open: (url, _subprotocol, events) => {
        const { host } = new URL(url);
        const { name, random } = this.#begin(client);
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

  /** The connections, and the requests over HTTP, that at least one side believes in, the oldest first. */
  connections(): readonly SimulatedWay[] {
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

  /** One stream of chances each: what befalls one connection changes nothing in what befalls the others. */
  #begin(client: Participant): { readonly name: string; readonly random: RandomStream } {
    const count = (this.#counts.get(client.name) ?? 0) + 1;
    this.#counts.set(client.name, count);
    const name = `${client.name}#${count}`;
    return { name, random: new RandomStream(this.#seed, `connection ${name}`) };
  }

  #request(exchange: SimulatedExchange, url: string, init: FetchInit): void {
    if (exchange.isAbandoned) return;
    const host = this.route(new URL(url).host, exchange.name);
    const listener = this.#httpListeners.get(host);
    const reach = this.reach(exchange.client, host);
    if (reach === "silent") return;
    if (listener === undefined || reach === "refused") return exchange.refuse();
    const { server, service } = listener;
    this.#clock.plan({ inMs: 0, kind: "accept", owner: server, detail: exchange.name }, () => {
      if (!exchange.isAbandoned) exchange.serve(server, service, requestOf(url, init, exchange.client.name));
    });
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
