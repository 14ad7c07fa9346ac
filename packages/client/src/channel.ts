import {
  TuttiError,
  validate,
  type AnySchema,
  type Calls as CallSchemaMap,
  type Cancel,
  type ChannelDefinition,
  type Environment,
  type ServerFrameOf,
  type SubscriptionStart,
  type WireSignal,
} from "@tutti/protocol";
import type { CallOptions, Calls } from "./calls.js";
import type { ChannelPresence, ChannelState, PendingPublish, ReceivedEvent, SubscribeOptions } from "./channel-types.js";
import { rejected } from "./deferred.js";
import { Emitter, type Report } from "./emitter.js";
import type { Envelope } from "./envelope.js";
import { OptimisticState } from "./optimistic-state.js";
import type { ClientConfig } from "./options.js";
import { measure, type Entry, type PublishResult, type Settled } from "./outbound-queue.js";
import type { OutboundQueues } from "./outbound-queues.js";
import type { PlacedEvent } from "./position-chain.js";
import { Membership, PresenceState } from "./presence.js";
import type { Request, Requests } from "./requests.js";
import type { Session } from "./session.js";
import { SignalThrottle } from "./signals.js";
import { Store, type ReadonlyStore } from "./store.js";
import { Subscription, type Gap, type SubscriptionInfo } from "./subscription.js";
import { TYPING, TypingState, type Typing } from "./typing.js";

/** What a channel has of its client. */
export interface ChannelHost {
  readonly environment: Environment;
  readonly config: ClientConfig;
  readonly requests: Requests;
  readonly session: Session;
  readonly queues: OutboundQueues;
  readonly calls: Calls;
  readonly report: Report;
  readonly error: (error: TuttiError, channel: string) => void;
  readonly heard: (envelope: Envelope) => void;
  readonly messageBytesMax: () => number;
  /** Why the client takes nothing any more, if so. */
  readonly closed: () => TuttiError | undefined;
  /** The channel has to be kept, and the client connected. */
  readonly hold: (channel: ClientChannel) => void;
  readonly release: (channel: ClientChannel) => void;
  /** What has to be over before the first publish may be counted. */
  readonly ready: () => Promise<unknown> | undefined;
}

type SchemaMap = Readonly<Record<string, AnySchema>>;
const ignore = (): void => {};

/** One channel of a client; `Channel` is its typed face. */
export class ClientChannel {
  readonly name: string;
  readonly status: ReadonlyStore<SubscriptionInfo>;
  readonly state: ChannelState<unknown>;
  readonly pending: Store<readonly PendingPublish[]>;
  readonly presence: ChannelPresence<unknown, unknown>;
  readonly typing: Typing;
  readonly #host: ChannelHost;
  /** `undefined` without a contract: everything is known, and nothing checked. */
  readonly #definition: ChannelDefinition | undefined;
  readonly #emitter: Emitter;
  readonly #subscription: Subscription;
  readonly #optimistic: OptimisticState | undefined;
  readonly #people: PresenceState;
  readonly #membership: Membership;
  readonly #typing: TypingState;
  readonly #throttle: SignalThrottle;
  #isWatching = false;
  /** Publishes whose schema is at work; what is published meanwhile waits for its turn. */
  #publishing: Promise<unknown> | undefined;

  constructor(name: string, definition: ChannelDefinition | undefined, host: ChannelHost) {
    const { environment, requests, config, report, queues, session } = host;
    this.name = name;
    this.#host = host;
    this.#definition = definition;
    this.#publishing = host.ready();
    this.#emitter = new Emitter(report);
    this.#subscription = new Subscription({ channel: name, environment, requests, guards: config.guards, report }, this.#subscriptionEvents());
    this.#optimistic = this.#makeState();
    this.#people = new PresenceState(
      () => session.publicId,
      (notice) => this.#tell(notice.type, notice, { payload: notice, timestamp: environment.now() }),
      report,
    );
    this.#membership = new Membership(name, requests, environment);
    this.#throttle = new SignalThrottle(environment, config.signalIntervalMs, (type, payload) => this.#sendSignal(type, payload));
    this.#typing = new TypingState(environment, (isTyping) => this.#pushSignal(TYPING, isTyping), report);
    this.status = this.#subscription.info;
    this.pending = new Store(() => queues.entries(name).map(({ n, type, payload, attempted }) => ({ n, type, payload, attempted })), report);
    this.typing = this.#typing;
    this.state = this.#stateStore();
    this.presence = this.#presenceStore();
  }

  on(type: string, listener: (value: never) => void): Cancel {
    return this.#emitter.on(type, listener);
  }

  subscribe(options: SubscribeOptions = {}): Promise<void> {
    const { presence, signal } = options;
    if (signal?.aborted === true) return rejected(signal.reason);
    if (typeof presence !== "object") return this.#subscribe(presence ?? this.#isWatching, signal);
    return this.#checked(this.#definition?.presence, presence.state, (state) => {
      this.#membership.wish(state);
      return this.#subscribe(true, signal, true);
    });
  }

  unsubscribe(): Promise<void> {
    const isKnown = this.#subscription.stop(new TuttiError("NOT_SUBSCRIBED", { message: "unsubscribed" }));
    return isKnown ? this.#askAndForget({ op: "unsubscribe", channel: this.name }) : Promise.resolve();
  }

  publish(type: string, payload: unknown): Promise<PublishResult> {
    const { schema, error } = this.#schemaOf(this.#definition?.events, type);
    if (error !== undefined) return rejected(error);
    try {
      const closed = this.#host.closed();
      if (closed !== undefined) throw closed;
      const output: unknown = schema === undefined ? payload : validate(schema, payload);
      if (!(output instanceof Promise) && this.#publishing === undefined) return this.#publish(type, output);
      return this.#publishLater(type, Promise.resolve(output));
    } catch (cause) {
      return rejected(cause);
    }
  }

  signal(type: string, payload: unknown): void {
    const { schema, error } = this.#schemaOf(this.#definition?.signals, type);
    if (error !== undefined) return this.#host.error(error, this.name);
    this.#checked(schema, payload, (output) => this.#pushSignal(type, output)).catch((cause: unknown) => this.#surface(cause));
  }

  call(type: string, input: unknown, options?: CallOptions): Promise<unknown> {
    return this.#host.calls.call({ channel: this.name, type, input, schemas: callSchemas(this.#definition && (this.#definition.calls ?? {}), type) }, options);
  }

  /* What the client tells its channels. */

  get isWanted(): boolean {
    return this.#subscription.isWanted;
  }

  lineUp(): void {
    this.#subscription.lineUp();
  }

  lineDown(): void {
    this.#subscription.lineDown();
  }

  /** The promises that wait reject; what is wanted stays so. */
  abandon(error: TuttiError): void {
    this.#subscription.abandon(error);
    this.#membership.settle(error);
  }

  joined(start: SubscriptionStart): void {
    this.#subscription.joined(start);
  }

  left(error: TuttiError): void {
    this.#subscription.left(error);
  }

  /** The session has another public id. */
  renamed(): void {
    this.#optimistic?.renamed();
  }

  frame(frame: ServerFrameOf<"events" | "gap" | "signals" | "presence">): void {
    switch (frame.op) {
      case "events":
        return this.#subscription.batch(frame);
      case "gap":
        return this.#subscription.gap(frame);
      case "signals":
        return frame.signals.forEach((signal) => this.#signalled(signal));
      case "presence":
        if (this.isWanted) this.#people.take(frame);
        return;
      default:
        return frame satisfies never;
    }
  }

  /** A publish of the outbound queue was settled. */
  settled(entry: Entry, settled: Settled): void {
    if (settled.kind === "acked" && this.isWanted) this.#optimistic?.acked(entry, settled.result.position, this.#subscription.position);
    else this.#optimistic?.withdraw(entry);
  }

  #subscribe(isWatching: boolean, signal: AbortSignal | undefined, again = false): Promise<void> {
    const closed = this.#host.closed();
    if (closed !== undefined) return rejected(closed);
    const isNew = isWatching !== this.#isWatching;
    this.#isWatching = isWatching;
    this.#host.hold(this);
    const live = this.#subscription.start(again || isNew);
    if (signal === undefined) return live;
    const abort = (): void => {
      this.#subscription.abandon(signal.reason);
      void this.unsubscribe();
    };
    const settle = (): void => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort);
    live.then(settle, settle);
    return live;
  }

  #subscriptionEvents() {
    return {
      wish: () => ({ ...(this.#isWatching && { presence: true }), ...this.#membership.tell() }),
      started: (start: SubscriptionStart, gap: Gap | undefined) => {
        this.#optimistic?.startOver(start, gap === undefined);
        if (gap !== undefined) this.#emitter.emit("gap", gap);
      },
      event: (placed: PlacedEvent) => this.#event(placed),
      settled: () => this.#optimistic?.store.changed(),
      live: () => this.#membership.entered(),
      ended: (error: TuttiError | undefined) => this.#ended(error),
    };
  }

  #ended(error: TuttiError | undefined): void {
    this.#throttle.clear();
    this.#typing.clear();
    if (error === undefined) {
      this.#people.stale();
      return this.#membership.lineDown();
    }
    this.#host.release(this);
    this.#isWatching = false;
    this.#people.clear();
    this.#membership.ended(error);
    this.#optimistic?.ended();
    if (this.status.getSnapshot().status !== "unsubscribed") this.#host.error(error, this.name);
  }

  #event(placed: PlacedEvent): void {
    const { position, event } = placed;
    const { eventId, type, payload, timestamp, user } = event;
    const n = this.#host.session.ownCount(eventId);
    this.#optimistic?.event(placed);
    if (n !== undefined) this.#host.queues.find(this.name)?.arrived(n, { position, eventId });
    const { schema, error } = this.#schemaOf(this.#definition?.events, type);
    if (error !== undefined || !this.#isValid(schema, payload)) return;
    const received: ReceivedEvent = { type, payload, timestamp, eventId, channel: this.name, position, ...(user !== undefined && { user }), own: n !== undefined };
    this.#tell(type, received, { payload, timestamp, eventId, position });
  }

  #signalled(signal: WireSignal): void {
    const { type, payload, session } = signal;
    if (!this.#subscription.isLive || session === this.#host.session.publicId) return;
    if (type === TYPING) return this.#typing.heard(signal);
    const { schema, error } = this.#schemaOf(this.#definition?.signals, type);
    if (error === undefined && this.#isValid(schema, payload)) this.#tell(type, { ...signal, payload }, { payload, timestamp: this.#host.environment.now() });
  }

  #tell(type: string, value: unknown, envelope: Omit<Envelope, "type" | "channel">): void {
    this.#emitter.emit(type, value);
    this.#host.heard({ type, channel: this.name, ...envelope });
  }

  #publish(type: string, output: unknown): Promise<PublishResult> {
    const { queues, environment, messageBytesMax } = this.#host;
    const timestamp = environment.now();
    const { payload, bytes } = measure(this.name, { type, payload: output, timestamp }, messageBytesMax());
    const { entry, outcome } = queues.add(this.name, { type, payload, timestamp, bytes });
    this.#optimistic?.published(entry);
    queues.pump(this.name);
    return outcome;
  }

  /** Waits for what was published before, so that schemas that take their time keep the order. */
  #publishLater(type: string, output: Promise<unknown>): Promise<PublishResult> {
    const before = this.#publishing;
    const mine = this.#host.queues.validating(Promise.allSettled([output, before]));
    const turn = mine.then(([checked]) => {
      const closed = this.#host.closed();
      if (closed !== undefined) throw closed;
      if (checked.status === "rejected") throw checked.reason;
      return { outcome: this.#publish(type, checked.value) };
    });
    const done = turn.then(ignore, ignore).then(() => {
      if (this.#publishing === done) this.#publishing = undefined;
    });
    this.#publishing = done;
    const published = turn.then(({ outcome }) => outcome);
    published.catch(ignore);
    return published;
  }

  #pushSignal(type: string, payload: unknown): void {
    if (this.#subscription.isLive) this.#throttle.push(type, payload);
  }

  #sendSignal(type: string, payload: unknown): void {
    try {
      this.#host.requests.send({ op: "signal", channel: this.name, type, ...(payload !== undefined && { payload }) });
    } catch (cause) {
      this.#surface(cause);
    }
  }

  /** The schema of a type, or why there is none. */
  #schemaOf(schemas: SchemaMap | undefined, type: string): { readonly schema?: AnySchema | undefined; readonly error?: TuttiError } {
    if (this.#definition === undefined) return {};
    return schemas !== undefined && Object.hasOwn(schemas, type)
      ? { schema: schemas[type] }
      : { error: new TuttiError("TYPE_UNKNOWN", { message: `the contract has no "${type}"`, field: "type" }) };
  }

  /** Whether what arrived is what the contract says; if not, the error surfaces. An asynchronous schema is not waited for: order matters more. */
  #isValid(schema: AnySchema | undefined, payload: unknown): boolean {
    if (schema === undefined) return true;
    try {
      const output: unknown = validate(schema, payload);
      if (output instanceof Promise) output.catch((cause: unknown) => this.#surface(cause));
      return true;
    } catch (cause) {
      this.#surface(cause);
      return false;
    }
  }

  /** Goes on with the schema's output, in this turn where it can be. */
  #checked<T>(schema: AnySchema | undefined, value: unknown, then: (output: unknown) => T | Promise<T>): Promise<T> {
    try {
      const output: unknown = schema === undefined ? value : validate(schema, value);
      if (!(output instanceof Promise)) {
        const result = then(output);
        return result instanceof Promise ? result : Promise.resolve(result);
      }
      const later = output.then(then);
      later.catch(ignore);
      return later;
    } catch (cause) {
      return rejected(cause);
    }
  }

  #surface(cause: unknown): void {
    this.#host.error(cause instanceof TuttiError ? cause : new TuttiError("INTERNAL", { cause }), this.name);
  }

  #askAndForget(request: Request): Promise<void> {
    return new Promise((resolve) => {
      try {
        this.#host.requests.ask(request, () => resolve());
      } catch {
        resolve();
      }
    });
  }

  #makeState(): OptimisticState | undefined {
    const reducer = this.#definition?.state;
    if (reducer === undefined) return undefined;
    const { session, report, error, queues } = this.#host;
    const events = this.#definition?.events ?? {};
    const state = new OptimisticState({
      reducer,
      knows: (type) => Object.hasOwn(events, type),
      author: (n) => ({ eventId: session.eventId(n), ...(session.user !== undefined && { user: session.user }) }),
      report,
      error: (failure) => error(failure, this.name),
    });
    for (const entry of queues.entries(this.name)) state.published(entry);
    return state;
  }

  #stateStore(): ChannelState<unknown> {
    const optimistic = this.#optimistic;
    const { getSnapshot, subscribe } = optimistic?.store ?? new Store(ignore, this.#host.report);
    return {
      getSnapshot,
      subscribe,
      canonical: () => optimistic?.canonical,
      position: () => this.#subscription.position && { epoch: this.#subscription.position.epoch, seq: this.#subscription.position.seq },
      skipped: () => optimistic?.skipped ?? 0,
    };
  }

  #presenceStore(): ChannelPresence<unknown, unknown> {
    const { getSnapshot, subscribe } = this.#people.store;
    const enter = (state: unknown): Promise<void> =>
      this.isWanted
        ? this.#checked(this.#definition?.presence, state, (output) => this.#membership.set({ state: output }, this.#subscription.isLive))
        : rejected(new TuttiError("NOT_SUBSCRIBED"));
    return { getSnapshot, subscribe, enter, update: enter, leave: () => this.#membership.set(undefined, this.#subscription.isLive) };
  }
}

/** The schemas of a call, where there is a contract. */
export function callSchemas(calls: CallSchemaMap | undefined, type: string) {
  if (calls === undefined) return "untyped";
  return Object.hasOwn(calls, type) ? calls[type] : undefined;
}
