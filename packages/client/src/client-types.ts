import type {
  Cancel,
  Contract,
  GlobalCallInput,
  GlobalCallOutput,
  GlobalCallTypeOf,
  ParamsOf,
  PatternOf,
  TuttiError,
} from "@tutti/protocol";
import type { CallOptions } from "./calls.js";
import type { Channel, UntypedContract } from "./channel-types.js";
import type { Activity, ConnectionInfo } from "./connection.js";
import type { Envelope } from "./envelope.js";
import type { PendingTotals } from "./outbound-queue.js";
import type { ReadonlyStore } from "./store.js";
import type { TransportInfo } from "./transport.js";

/** A publish that was shown and is taken back: it was refused for good, or nobody knows. */
export interface Rollback {
  readonly channel: string;
  readonly type: string;
  readonly payload: unknown;
  readonly error: TuttiError;
}

/** What `client.on` tells of. */
export interface ClientEvents {
  /** The status changed. */
  readonly status: ConnectionInfo;
  /** What no promise tells: an error of the server, a payload that breaks the contract, a listener that threw. */
  readonly error: TuttiError;
  /** The server put this session into a channel. */
  readonly joined: string;
  readonly rollback: Rollback;
}

type ParamsArgument<Pattern extends string> = keyof ParamsOf<Pattern> extends never ? [params?: ParamsOf<Pattern>] : [params: ParamsOf<Pattern>];

/** A session with a server, over as many connections as it takes. */
export interface Client<C extends Contract = UntypedContract> {
  /** The state of the connection, for people. */
  readonly connection: ReadonlyStore<ConnectionInfo>;
  /** What waits to be acknowledged in all channels, what an earlier page left included. */
  readonly pending: ReadonlyStore<PendingTotals>;
  /** Which transport is in use, and why. What it says changes with each connection. */
  readonly transport: TransportInfo;
  /** Starts, or, while it waits or has failed, tries now. While connected it changes nothing. */
  connect(): void;
  /**
   * Says goodbye and ends. What waited rejects with `CLIENT_CLOSED`, and is not kept for another page either; subscriptions come back if `connect`
   * is called again. A page that goes away does not have to call it: what waits is then sent by the next one. Resolves when another client may
   * have the storage.
   */
  close(): Promise<void>;
  /** Tells others whether the person is at it. In a page the client finds out by itself. */
  setActivity(activity: Activity): void;
  on<Name extends keyof ClientEvents>(name: Name, listener: (value: ClientEvents[Name]) => void): Cancel;
  /** Hears everything: events, signals, presence, results and errors. */
  onAny(listener: (envelope: Envelope) => void): Cancel;
  /** Asks, and gets one answer. @throws (rejects) TuttiError `NOT_CONNECTED`, `TIMEOUT`, `OUTCOME_UNKNOWN`, and those of the handler */
  call<T extends GlobalCallTypeOf<C>>(type: T, input: GlobalCallInput<C, T>, options?: CallOptions): Promise<GlobalCallOutput<C, T>>;
  /** The channel of this name: the same object every time. @throws TuttiError `CHANNEL_INVALID` */
  channel<P extends PatternOf<C>>(pattern: P, ...params: ParamsArgument<P>): Channel<C, P>;
}
