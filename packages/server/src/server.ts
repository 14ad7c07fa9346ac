import type { Server as HttpServer } from "node:http";
import {
  channelName,
  jsonCodec,
  type Contract,
  type EventInput,
  type EventTypeOf,
  type Member,
  type ParamsOf,
  type PatternOf,
  type Position,
  type SignalInput,
  type SignalTypeOf,
  type StateOf,
  type UntypedContract,
} from "@tutti/protocol";
import { BrokerWatch } from "./broker/broker-watch.js";
import { memoryBroker } from "./broker/memory-broker.js";
import { Bus } from "./bus/bus.js";
import { Nodes, type NodeInfo } from "./bus/nodes.js";
import { ChannelHandle } from "./channels/channel-handle.js";
import { Lease } from "./commands/lease.js";
import type { ConnectionMetadata } from "./connections/connection.js";
import type { ConnectionEvents, HandshakeRequest, ServerTransport } from "./connections/transport.js";
import { Turn } from "./connections/turn.js";
import { consoleLog } from "./console-log.js";
import type { UntypedCall, UntypedHandlers, User } from "./handlers.js";
import type { HttpService } from "./http/exchange.js";
import { HealthService } from "./http/health.js";
import { httpService, type HttpServiceOptions } from "./http/service.js";
import { Tickets } from "./http/tickets.js";
import { Hub } from "./hub.js";
import type { DrainOptions } from "./lifecycle/drain.js";
import type { Health, Readiness } from "./lifecycle/readiness.js";
import { nodeEnvironment } from "./node-environment.js";
import { boundsOf, type ServerOptions } from "./options.js";
import { Authenticator } from "./policy/admission.js";
import { Policy } from "./policy/policy.js";
import { PresenceExchange } from "./presence/presence-exchange.js";
import type { Published } from "./publishing/publisher.js";
import type { Services } from "./services.js";
import { SessionTokens } from "./sessions/session-token.js";
import { SignalRelay } from "./signals/signal-relay.js";
import type { SignalTarget, Target } from "./target.js";
import { attachHttp } from "./transports/http.js";
import { attachWebSocket, type AttachOptions } from "./transports/websocket.js";

export interface PublishOptions {
  /** Makes a repeat harmless: the second publish with a key is answered with the first one's position. */
  readonly key?: string;
  /** Publishes only where this is the head of the channel, else `CONDITION_FAILED`. */
  readonly expected?: Position;
}

export interface SignalOptions {
  /** Whom alone it is for: a user on all their devices, a session, or a connection by the id of its metadata. Those who are not subscribed get nothing. */
  readonly to?: SignalTarget;
}

/**
 * What an application does with a channel from its own code, at whatever node.
 *
 * `kick`, `revoke`, `add`, `remove`, `close` and `reopen` are commands: each is logged by the broker, and taken by all nodes in one order, whatever the bus
 * loses. What ends something ends it on this node at once. The promise resolves when every node that is known to live has taken the command, and every other
 * that may deliver has, or delivers nothing any more until it has: nothing that is appended after that reaches whom the command ended, at any node. It
 * rejects with `UNAVAILABLE` where the log could not be written (it may have been), or where `commandTimeoutMs` are over: `data.nodes` names those that
 * have not answered, and that take it once they can read the log. Repeating a command is harmless. Wait for one before the next where their order
 * matters and they come from different nodes. Nobody has to wait: a rejection that nobody hears is logged.
 */
export interface ServerChannel<C extends Contract, P extends PatternOf<C>> {
  readonly name: string;
  /** Validates, appends and fans out. @throws TuttiError `TYPE_UNKNOWN`, `PAYLOAD_INVALID`, `CONDITION_FAILED`, `UNAVAILABLE` */
  publish<T extends EventTypeOf<C, P>>(type: T, payload: EventInput<C, P, T>, options?: PublishOptions): Promise<Published>;
  /**
   * Sends a signal to who is subscribed, at whatever node; with `to` to the subscriptions of that target alone. Volatile, as signals are: the latest of
   * this node, a type and a target wins within a turn, and a slow connection, or another node that does not hear it, goes without. Resolves when it is
   * on its way. @throws TuttiError `TYPE_UNKNOWN`, `PAYLOAD_INVALID`, `ROOM_NOT_FOUND`
   */
  signal<T extends SignalTypeOf<C, P>>(type: T, payload: SignalInput<C, P, T>, options?: SignalOptions): Promise<void>;
  /** Who is here, at all nodes, as far as this node knows: nobody where the channel is not open here, because no one at this node has to do with it. */
  members(): readonly Member[];
  /**
   * Who is here, at all nodes: opens the channel, and resolves when all nodes that live have told of their members, at the latest after
   * `presenceCompleteMs` (500). @throws TuttiError `ROOM_NOT_FOUND`, `UNAVAILABLE`
   */
  presence(): Promise<readonly Member[]>;
  /** The state and its position. */
  state(): Promise<{ readonly position: Position; readonly state: StateOf<C, P> }>;
  /** Ends subscriptions with `KICKED`; the clients do not come back by themselves. Whom {@link add} put in is taken out. */
  kick(target: Target, reason: string): Promise<void>;
  /**
   * Ends subscriptions with `SUBSCRIPTION_REVOKED`, those included that are on their way. Withdraw the permission that `authorize` looks at first: it is
   * asked at every subscribe, and nothing is remembered of a revoke that finds nobody.
   */
  revoke(target: Target, reason?: string): Promise<void>;
  /**
   * Puts a user, with all present and coming connections, or a session into the channel, at whatever node they are. Nobody is asked for permission. It
   * holds until {@link remove}, `kick`, `revoke` or {@link close}, for as long as the broker keeps its log: also where this node dies. Resolves when those
   * who are at this node are in, and every other node has begun to put its own in.
   *
   * Rejects with `ROOM_NOT_FOUND` where the channel is closed, `LIMIT_EXCEEDED` beyond `membershipsMax`.
   */
  add(target: Target): Promise<void>;
  /** Takes back {@link add}, with `KICKED`. */
  remove(target: Target, reason?: string): Promise<void>;
  /** Ends the channel: subscriptions end with `ROOM_NOT_FOUND`, and so do later requests, until {@link reopen}. Nobody is a member any more. */
  close(): Promise<void>;
  /** Takes back {@link close}; who was in is not put in again. */
  reopen(): Promise<void>;
}

export interface ServerStats {
  /** How many nodes are known to live, this one included. */
  readonly nodes: number;
  readonly connections: number;
  readonly sessions: number;
  readonly channels: number;
  readonly subscriptions: number;
  /** How many requests over HTTP wait for events, or stream them. */
  readonly httpReaders: number;
  /** What waits to be sent, to all connections together. */
  readonly outboxBytes: number;
  /** How many events the reducers threw at. */
  readonly reducerErrors: number;
  /** How many sessions publish, or did a moment ago, each channel counted by itself. */
  readonly publishers: number;
  /** How many publishes could not be appended, and are kept as their handlers left them for the repeat. */
  readonly prepared: number;
}

export interface Server<C extends Contract = Contract> {
  /**
   * Serves WebSockets at `path` of an HTTP server, channels over HTTP below `/v1`, and how this node is at `/healthz` and `/readyz`, beside what it serves
   * already: whoever listens to its requests should do so before. Works with whatever ends in `node:http`.
   */
  attach(http: HttpServer, options?: AttachOptions): void;
  /** Serves over HTTP what {@link attach} does, for a host that is not `node:http`, or a test: it hands over requests, and carries the answers. */
  http(options?: HttpServiceOptions): HttpService;
  /** Takes over a connection of any transport. @param request what opened it, over HTTP: for `authenticate` */
  accept(transport: ServerTransport, request?: HandshakeRequest): ConnectionEvents;
  /** The channel of a pattern. @throws TuttiError `CHANNEL_INVALID` */
  channel<P extends PatternOf<C>>(pattern: P, params: ParamsOf<P>): ServerChannel<C, P>;
  connections(): readonly ConnectionMetadata[];
  /** The nodes that are known to live and share the broker, this one first. One that died is there until it was silent for `nodeSilenceMsMax`. */
  nodes(): readonly NodeInfo[];
  /**
   * Ends the connections of a user or a session with `KICKED`, at all nodes; the clients do not come back by themselves. A command, as {@link ServerChannel}
   * describes them.
   */
  disconnect(target: Target, reason: string): Promise<void>;
  stats(): ServerStats;
  /** That it lives, with a few figures for operators. It answers for as long as the event loop turns. */
  health(): Health;
  /** Whether clients should be sent here, and if not, why. {@link Server.attach} serves both over HTTP. */
  readiness(): Readiness;
  /**
   * Takes leave, as before a deploy: readiness fails and newcomers are refused at once; after `noticeMs` clients are told to come back, to another
   * node, and are closed with `SERVER_DRAINING`, each answered first, spread over `withinMs`. Resolves when all are gone. Rejects with `CONTRACT_INVALID`
   * for a number that is none.
   */
  drain(options?: DrainOptions): Promise<void>;
  /** Drains at once, also what is left of a drain that is under way, then frees everything, the broker included. */
  close(): Promise<void>;
}

/**
 * A node of Tutti.
 *
 * @throws TuttiError `CONTRACT_INVALID` for options that contradict the contract, or a number that is none
 * @example
 * const server = createServer({ contract });
 * server.attach(http.listen(8080));
 */
export function createServer<const C extends Contract = UntypedContract, U extends User = User>(options: ServerOptions<C, U> = {}): Server<C> {
  const environment = options.environment ?? nodeEnvironment();
  const log = options.log ?? consoleLog();
  // The contract's types end here: inside, handlers are looked up by name and get what the schemas made.
  const handlers = (options.channels ?? {}) as Readonly<Record<string, UntypedHandlers | undefined>>;
  const calls = (options.calls ?? {}) as Readonly<Record<string, UntypedCall | undefined>>;
  const bounds = boundsOf(options);
  const guards = options.guards ?? {};
  const node = environment.id();
  const broker = options.broker ?? memoryBroker({ environment });
  const bus = new Bus({ node, environment, broker, log });
  const nodes = new Nodes({ bus, environment, bounds, log, isShared: options.broker !== undefined, guards });
  const lease = new Lease({ environment, bounds, isShared: broker.isShared === true, guards });
  const turn = new Turn({ environment, log, bounds, lease });
  const services: Services = {
    node,
    environment,
    bounds,
    codecs: options.codecs ?? [jsonCodec],
    broker,
    brokerWatch: new BrokerWatch({ environment, broker, bounds }),
    bus,
    nodes,
    lease,
    signalRelay: new SignalRelay({ environment, bus, nodes, turn, log }),
    presence: new PresenceExchange({ environment, bounds, bus, nodes, turn, log, guards }),
    tokens: new SessionTokens({ node, environment, keys: options.sessionKeys }),
    policy: new Policy(options.contract, handlers, calls, options.namespaces ?? {}),
    turn,
    log,
    guards,
  };
  const hub = new Hub(services, new Authenticator(options.authenticate, environment, log));
  const tickets = new Tickets({ environment, keys: options.sessionKeys, ageMsMax: bounds.ticketMs });
  const detach: (() => void)[] = [];

  return {
    attach(http, attachOptions = {}) {
      const { health = {}, http: resource = {}, origins } = attachOptions;
      detach.push(attachWebSocket(http, hub, attachOptions));
      const served: HttpService[] = [];
      if (health !== false) served.push(new HealthService(hub, health));
      if (resource !== false) served.push(httpService({ hub, tickets }, { ...resource, origins }));
      if (served.length > 0) detach.push(attachHttp(http, served, bounds));
    },
    http: (httpOptions = {}) => httpService({ hub, tickets }, httpOptions),
    accept: (transport, request) => hub.accept(transport, request),
    channel(pattern, params) {
      // The handle checks types by the contract at run time; here they are checked at compile time.
      return new ChannelHandle(hub.node, channelName(pattern, params)) as unknown as ServerChannel<C, typeof pattern>;
    },
    connections: () => hub.connections(),
    nodes: () => nodes.all(),
    disconnect: (target, reason) => hub.disconnect(target, reason),
    stats: () => statsOf(hub),
    health: () => hub.health,
    readiness: () => hub.node.readiness.now(),
    drain: (drainOptions = {}) => hub.drain(drainOptions),
    async close() {
      for (const each of detach) each();
      await hub.close();
      await services.broker.close();
    },
  };
}

function statsOf(hub: Hub): ServerStats {
  let subscriptions = 0;
  let reducerErrors = 0;
  for (const channel of hub.node.channels) {
    subscriptions += channel.subscriptionCount;
    reducerErrors += channel.reducerErrors;
  }
  return {
    nodes: hub.node.services.nodes.size,
    connections: hub.connectionCount,
    sessions: hub.node.sessions.size,
    channels: hub.node.channels.size,
    subscriptions,
    httpReaders: hub.node.readers.size,
    outboxBytes: hub.outboxBytes,
    reducerErrors,
    publishers: hub.node.publishers.size,
    prepared: hub.node.publishers.preparedCount,
  };
}
