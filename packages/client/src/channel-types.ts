import type {
  CallInput,
  Calls,
  CallOutput,
  CallTypeOf,
  Cancel,
  Contract,
  EventInput,
  EventPayload,
  EventTypeOf,
  LastSeen,
  PatternOf,
  Position,
  PresenceInput,
  PresenceState,
  Rewind,
  Schemas,
  SignalInput,
  SignalPayload,
  SignalTypeOf,
  StateOf,
  AnySchema,
} from "@tutti/protocol";
import type { CallOptions } from "./calls.js";
import type { Entry, PublishResult } from "./outbound-queue.js";
import type { PresenceList, PresenceNotice } from "./presence.js";
import type { ReadonlyStore } from "./store.js";
import type { Gap, SubscriptionInfo } from "./subscription.js";
import type { Typing } from "./typing.js";

/** What a client without a contract takes for one: any channel, any type, any payload. */
export type UntypedContract = Contract<{
  readonly channels: Readonly<Record<string, { readonly events: Schemas; readonly signals: Schemas; readonly calls: Calls; readonly presence: AnySchema }>>;
  readonly calls: Calls;
}>;

/** An event of a channel: in order, once. */
export interface ReceivedEvent<Type extends string = string, Payload = unknown> {
  readonly type: Type;
  readonly payload: Payload;
  /** The server's clock, Unix ms. */
  readonly timestamp: number;
  readonly eventId: string;
  readonly channel: string;
  readonly position: Position;
  readonly user?: string;
  /** Whether this client published it. */
  readonly own: boolean;
}

export interface ReceivedSignal<Type extends string = string, Payload = unknown> {
  readonly type: Type;
  readonly payload: Payload;
  /** The public id of the sender's session. */
  readonly session: string;
  readonly user?: string;
}

export interface SubscribeOptions<State = unknown> {
  /** `true`: the members are watched. With a state: this client enters as well. */
  readonly presence?: boolean | { readonly state: State };
  /**
   * Starts after the last event that the application kept: its position and, to tell a log that lost its tail and went on, its id. What cannot be
   * had any more is a `gap`. Like `rewind` it is for channels without state, at most one of the two (`REWIND_UNSUPPORTED`), and for the first start:
   * from there on the client itself knows where it is.
   */
  readonly since?: LastSeen;
  /** Starts `count` events, or `ageMs` milliseconds, behind the head, or with the oldest event that there is. */
  readonly rewind?: Rewind;
}

export interface ChannelState<State> extends ReadonlyStore<State> {
  /** What the events alone make of it. `getSnapshot()` has what is pending on top. */
  readonly canonical: () => State;
  /** How far canonical state has come; `undefined` before the subscription is live. */
  readonly position: () => Position | undefined;
  /** How many events were skipped because `reduce` threw. */
  readonly skipped: () => number;
}

export interface ChannelPresence<Input, State> extends ReadonlyStore<PresenceList<State>> {
  /**
   * Enters with this state, now and after every reconnect. What the server refuses, or what cannot be sent, ends the entry, also the one before it.
   *
   * @throws (rejects) TuttiError `NOT_SUBSCRIBED`, `PAYLOAD_INVALID`, `MESSAGE_TOO_LARGE`, or as the server refuses
   */
  readonly enter: (state: Input) => Promise<void>;
  /** Replaces the state; of several in a row the newest is sent. */
  readonly update: (state: Input) => Promise<void>;
  readonly leave: () => Promise<void>;
}

/** A publish that is not settled, as an application may show it; told apart by `type`. */
export type PendingPublish<C extends Contract = UntypedContract, P extends PatternOf<C> = PatternOf<C>> = {
  readonly [T in EventTypeOf<C, P>]: Pick<Entry, "n" | "attempted"> & { readonly type: T; readonly payload: EventPayload<C, P, T> };
}[EventTypeOf<C, P>];

/** A named, ordered stream of events, with all that goes on around it. */
export interface Channel<C extends Contract = UntypedContract, P extends PatternOf<C> = PatternOf<C>> {
  readonly name: string;
  readonly status: ReadonlyStore<SubscriptionInfo>;
  /** Canonical state with this client's pending publishes on top; `undefined` where the channel has no state. */
  readonly state: ChannelState<StateOf<C, P>>;
  /** This client's publishes that are not settled, oldest first. */
  readonly pending: ReadonlyStore<readonly PendingPublish<C, P>[]>;
  readonly presence: ChannelPresence<PresenceInput<C, P>, PresenceState<C, P>>;
  readonly typing: Typing;
  /**
   * Subscribes, and stays subscribed over reconnects until `unsubscribe`. Connects the client if it was never told to. Resolves when live.
   *
   * @throws (rejects) TuttiError with the code of a refusal, `CLIENT_CLOSED`, or `NOT_SUBSCRIBED` when it was unsubscribed meanwhile
   */
  subscribe(options?: SubscribeOptions<PresenceInput<C, P>>): Promise<void>;
  /** Nothing of the channel arrives from now on; resolves when the server knows. Publishes that wait are still sent. */
  unsubscribe(): Promise<void>;
  /**
   * Publishes an event: in order, once, again after a reconnect until it is answered. Shown in `state` at once. With a storage it is stored before
   * it is sent, and outlives the page: then the promise is gone, and what becomes of it is told by `pending` and the client's `rollback`.
   *
   * @throws (rejects) TuttiError `PAYLOAD_INVALID`, `TYPE_UNKNOWN`, `MESSAGE_TOO_LARGE`, `QUEUE_FULL`, `QUEUE_EXPIRED`, `STORAGE_FAILED`, `USER_CHANGED` and
   * final refusals of the server: it did not land; `OUTCOME_UNKNOWN`, `CLIENT_CLOSED`: it may have landed
   */
  publish<T extends EventTypeOf<C, P>>(type: T, payload: EventInput<C, P, T>): Promise<PublishResult>;
  /** Sends a volatile message: at most 20 a second of a type, the newest always last; dropped while not live. Bad payloads surface as an error of the client. */
  signal<T extends SignalTypeOf<C, P>>(type: T, payload: SignalInput<C, P, T>): void;
  /** Asks, and gets one answer. @throws (rejects) TuttiError `NOT_CONNECTED`, `TIMEOUT`, `OUTCOME_UNKNOWN`, and those of the handler */
  call<T extends CallTypeOf<C, P>>(type: T, input: CallInput<C, P, T>, options?: CallOptions): Promise<CallOutput<C, P, T>>;
  /** Positions that cannot be had any more; the state is that of a snapshot behind them. */
  on(type: "gap", listener: (gap: Gap) => void): Cancel;
  on(type: "presence:join" | "presence:update" | "presence:leave", listener: (notice: PresenceNotice<PresenceState<C, P>>) => void): Cancel;
  /** Canonical events, in order, once. Returns its unsubscribe. */
  on<T extends EventTypeOf<C, P>>(type: T, listener: (event: ReceivedEvent<T, EventPayload<C, P, T>>) => void): Cancel;
  /** Signals of others. */
  on<T extends SignalTypeOf<C, P>>(type: T, listener: (signal: ReceivedSignal<T, SignalPayload<C, P, T>>) => void): Cancel;
}
