import { TuttiError, limits, type Codec, type Contract, type Environment } from "@tutti/protocol";
import type { Broker, Retention } from "./broker/broker.js";
import type { Authenticate, GlobalCallHandlers, Handlers, User } from "./handlers.js";
import type { Log } from "./log.js";

export const DEFAULT_RETENTION: Retention = { countMin: 100, ageMsMin: 60_000, countMax: 100_000, bytesMax: 64 * 1024 * 1024 };

/** Policy of the channels whose names begin alike: `canvas` for `canvas:42`. */
export interface NamespacePolicy {
  /**
   * What is kept of a channel's events: those that are younger than `ageMsMin` milliseconds (60,000) or among the last `countMin` (100), but never
   * more than `countMax` (100,000) of them, nor more than take `bytesMax` bytes (64 MiB) together, as the broker weighs them. Of a channel with state
   * nothing goes before a snapshot is saved behind it, every `snapshotEvery` events.
   */
  readonly history?: Partial<Retention>;
  /** Whether clients may subscribe by themselves; the server may always put them in. */
  readonly clientSubscribe?: boolean;
  /** Whether clients may publish events and signals; the server always may. */
  readonly clientPublish?: boolean;
  /** How many channels of this namespace one connection may hold. */
  readonly subscriptionsMax?: number;
  /**
   * How long a channel's signals are held, from the first of them, in milliseconds; 0, the default, sends them with the end of each turn. For rooms
   * that are all cursors: 5 to 20 make far fewer and larger writes, which is what a busy room's CPU goes into, and each signal comes that much
   * later. Events, presence and answers are not held.
   */
  readonly signalFlushMs?: number;
}

/** Numbers with their defaults. */
export const defaultBounds = {
  /** How long a new connection may take to say hello. */
  helloTimeoutMs: 10_000,
  /** How often a client is asked to ping, and how long it should wait for the answer. */
  heartbeatIntervalMs: limits.heartbeatIntervalMs as number,
  heartbeatTimeoutMs: limits.heartbeatTimeoutMs as number,
  /** After how much silence a connection is taken for dead. */
  silenceMsMax: limits.silenceMsMax as number,
  /** The largest message that a client may send. */
  messageBytesMax: limits.messageBytesMax,
  /** What may wait to be sent to one connection; over it the connection ends with `SLOW_CONSUMER`. */
  outboxBytesMax: 1024 * 1024,
  /**
   * For how long connections are written to before what has arrived is read: an answer waits about so long for deliveries to others. Shorter slices
   * cost throughput.
   */
  deliverySliceMs: 2,
  /** How many connections are written to in one slice at most, however fast that goes. */
  deliverySliceWritesMax: 4_096,
  /** How many fan-outs of a channel may be under way, not yet written to all whom they are for. What comes beyond is held, and leaves together. */
  fanOutsMax: 4,
  /** How many channels one connection may hold. */
  subscriptionsMax: 256,
  /** How many requests of one connection may wait for their answer. */
  requestsMax: 1024,
  /** How many connections the server takes. */
  connectionsMax: 100_000,
  /** How many hellos are authenticated at a time; the others wait for their turn. */
  hellosAtOnceMax: 256,
  /** How many hellos may wait; `UNAVAILABLE` beyond, and newcomers are refused at the handshake. */
  hellosWaitingMax: 10_000,
  /** How late the event loop may be, look after look, before newcomers are refused and the server is not ready. */
  loopLagMsMax: 1_000,
  /** For how long the broker may fail, with nothing between that worked, before the server is not ready. */
  brokerFailingMsMax: 5_000,
  /** How long a member whose connection broke is shown as away before it leaves. */
  presenceGraceMs: 10_000,
  /** How long the list of a channel's members may be incomplete because other nodes have not answered yet. */
  presenceCompleteMs: 500,
  /** How many members of one channel are taken from one other node; those beyond are not seen here. */
  presenceMembersMax: 10_000,
  /** How many members nodes tell each other in one message. */
  presencePartMax: 500,
  /** How many channels whose members changed one message names; where more did between two heartbeats, more messages follow. */
  presenceDigestMax: 128,
  /** How often a node tells the others that it lives. */
  nodeHeartbeatMs: 1_000,
  /** After how much silence another node is taken for dead; at least two heartbeats. */
  nodeSilenceMsMax: 5_000,
  /** How many other nodes are known; one beyond is not heard. */
  nodesMax: 256,
  /** How often the head of a quiet channel is compared with the broker's. */
  headCheckMs: 10_000,
  /** How long a channel without subscribers is kept in memory. */
  channelIdleMs: 30_000,
  /** How many publishes of a session to a channel may wait for the log as their handler left them; `RATE_LIMITED` beyond. */
  preparedMax: 256,
  /** How many bytes what the handlers left of such publishes may take, by all sessions together; `RATE_LIMITED` beyond, until some are settled. */
  preparedBytesMax: 16 * 1024 * 1024,
  /** How long what a handler made of a publish that could not be appended is kept for the repeat. */
  preparedMs: 60_000,
  /** How long a command (`kick`, `add`, …) waits for the other nodes to have taken it; `UNAVAILABLE` after it. */
  commandTimeoutMs: 10_000,
  /** How many commands may wait for other nodes at once; `LIMIT_EXCEEDED` beyond. */
  commandsMax: 1_024,
  /** How many entries of users and sessions into channels by `add` there may be, on all nodes together; `LIMIT_EXCEEDED` beyond. */
  membershipsMax: 100_000,
  /** For how long a session token is good. */
  sessionTokenMs: 24 * 3_600_000,
  /** How long what came for a connection at another node waits for that node's answer; `SESSION_MOVED` after it. */
  forwardTimeoutMs: 2_000,
  /** How many such messages may wait at once; `UNAVAILABLE` beyond. */
  forwardsMax: 1_024,
  /** How many polls for connections at other nodes, and of other nodes here, may wait at once; `UNAVAILABLE` beyond. */
  pollsForwardedMax: 10_000,
  /** How many events apart the snapshots of a channel with state are. */
  snapshotEvery: 500,
  /** How many requests over HTTP may be under way at once, those included that wait or stream; `UNAVAILABLE` beyond. */
  httpRequestsMax: 20_000,
  /** How many of them may wait for events or stream them; `UNAVAILABLE` beyond. */
  httpReadersMax: 10_000,
  /** How many connections may be links over HTTP; `UNAVAILABLE` beyond. Fewer than `httpRequestsMax`: each holds a request, and sends others. */
  httpLinksMax: 8_000,
  /** How many bytes of bodies that come and of answers that leave all requests together may hold, streams left out; `UNAVAILABLE` beyond. */
  httpBytesMax: 64 * 1024 * 1024,
  /** How long the body of a request may take to come, and how long its client may take nothing of the answer. */
  httpTimeoutMs: 10_000,
  /** How long a request may wait for events at most. */
  httpWaitMsMax: 60_000,
  /** After how much silence a stream over HTTP says that it is there: less than proxies cut. */
  httpHeartbeatMs: 15_000,
  /** How long a ticket, the cookie by which a page's own `EventSource` is authenticated, is good. */
  ticketMs: 3_600_000,
};

export type Bounds = typeof defaultBounds;

/** For the testkit alone: switches a guard off, to see that the simulation sees it. */
export interface ServerGuards {
  /** Runs of the broker are taken as they come, whether they follow or not. */
  readonly chain?: false;
  /** The head of a quiet channel is not checked. */
  readonly headCheck?: false;
  /** A recovering subscription goes live after its first page. */
  readonly join?: false;
  /** A channel that waits for its earlier fan-outs is not ended again by itself. */
  readonly release?: false;
  /** What answers a connection overtakes what waits for it. */
  readonly sequence?: false;
  /** A session's connections at other nodes are not ended. */
  readonly fence?: false;
  /** A node that fell silent is not taken for dead. */
  readonly nodeDeath?: false;
  /** A node that was taken for dead goes on in its old life. */
  readonly incarnation?: false;
  /** A node delivers also where it has not read the log of commands for long. */
  readonly lease?: false;
  /** What a heartbeat says of a node's members is not compared with what is known of them. */
  readonly presenceDigest?: false;
  /** What is missing between what heartbeats say of a node's members is not asked for. */
  readonly presenceGap?: false;
}

export interface ServerOptions<C extends Contract = Contract, U extends User = User> extends Partial<Bounds> {
  /** The application's channels. Without one, every well-named channel exists and takes events of any type. */
  readonly contract?: C;
  /** Says who a client is; throws a `TuttiError` of `AUTHENTICATION_REQUIRED`, `TOKEN_INVALID` or `TOKEN_EXPIRED` to refuse. Without it everybody is anonymous. */
  readonly authenticate?: Authenticate<U>;
  readonly channels?: Handlers<C, U>;
  readonly calls?: GlobalCallHandlers<C, U>;
  readonly namespaces?: Readonly<Record<string, NamespacePolicy>>;
  /**
   * What session tokens are signed with: the first signs, all verify, so that keys can be changed one node after the other. Each of at least 32 bytes,
   * and the same at all nodes. Without them each process draws its own, which is enough for one.
   */
  readonly sessionKeys?: readonly (string | Uint8Array)[];
  /** The log and bus; `memoryBroker()` unless given. */
  readonly broker?: Broker;
  /**
   * What clients may speak: `[jsonCodec]` unless given. With `[jsonCodec, msgpackCodec]` each client speaks what it was made with; one whose codec
   * is not here ends with `VERSION_UNSUPPORTED`.
   */
  readonly codecs?: readonly Codec[];
  readonly environment?: Environment;
  /** `consoleLog()` unless given. */
  readonly log?: Log;
  readonly guards?: ServerGuards;
}

/** Bounds that are timers, or that the client is told: neither knows an endless one. */
const FINITE = ["presenceGraceMs", "presenceCompleteMs", "nodeHeartbeatMs", "nodeSilenceMsMax", "heartbeatIntervalMs", "heartbeatTimeoutMs", "messageBytesMax", "httpTimeoutMs", "ticketMs"] as const;
/** What a timer can wait for at most. Node takes anything longer for a millisecond. */
const DELAY_MS_MAX = 2_147_483_647;

/** @throws TuttiError `CONTRACT_INVALID` for a number that is none, or that nothing could go on with */
export function boundsOf(options: Partial<Bounds>): Bounds {
  const bounds = { ...defaultBounds };
  for (const name of Object.keys(bounds) as (keyof Bounds)[]) bounds[name] = options[name] ?? bounds[name];
  assertCounts(bounds);
  for (const name of FINITE) assertDelay(bounds[name], name);
  for (const name of ["nodeHeartbeatMs", "presencePartMax", "presenceDigestMax"] as const) {
    if (bounds[name] < 1) throw invalid(name, "is less than 1", bounds[name]);
  }
  if (bounds.nodeSilenceMsMax < 2 * bounds.nodeHeartbeatMs) throw invalid("nodeSilenceMsMax", "is less than two heartbeats", bounds.nodeSilenceMsMax);
  if (bounds.hellosAtOnceMax < 1) throw invalid("hellosAtOnceMax", "lets nobody in", bounds.hellosAtOnceMax);
  return bounds;
}

/** Bounds that do not bound would not be noticed: everything compares as false with `NaN`. @throws TuttiError `CONTRACT_INVALID` */
export function assertCounts(numbers: object, path?: string): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (value === undefined || (typeof value === "number" && value >= 0)) continue;
    throw invalid(path === undefined ? name : `${path}.${name}`, "is not a number from 0 on", value);
  }
}

/** A number that something waits for: it has an end. @throws TuttiError `CONTRACT_INVALID` */
export function assertDelay(value: number | undefined, field: string): void {
  if (value === undefined || (typeof value === "number" && value >= 0 && value <= DELAY_MS_MAX)) return;
  throw invalid(field, `is not a number from 0 to ${DELAY_MS_MAX}`, value);
}

function invalid(field: string, what: string, value: unknown): TuttiError {
  return new TuttiError("CONTRACT_INVALID", { message: `${field} ${what}: ${String(value)}`, field });
}
