import { TuttiError, validate, type AnySchema, type Calls, type Cancel, type ChannelDefinition, type ServerFrameOf, type SubscriptionStart, type WireSignal } from "@tutti/protocol";
import { call, resourceOf, type CallOptions } from "./calls.js";
import type { ChannelPresence, ChannelState, PendingPublish, SubscribeOptions } from "./channel-types.js";
import type { Core } from "./core.js";
import { attempt, handled } from "./deferred.js";
import { Emitter } from "./emitter.js";
import { OptimisticState } from "./optimistic-state.js";
import { measure, OutboundQueue, type Entry, type PendingTotals, type PublishResult, type Settled } from "./outbound-queue.js";
import type { PlacedEvent } from "./position-chain.js";
import { Membership, PresenceState } from "./presence.js";
import { SignalThrottle } from "./signals.js";
import { makeStore, type ReadonlyStore, type Store } from "./store.js";
import { Subscription, type Gap, type SubscriptionInfo } from "./subscription.js";
import { TYPING, TypingState, type Typing } from "./typing.js";

/** What a channel asks of its client, besides what all parts share. */
export interface ChannelHost extends Core {
  readonly totals: Store<PendingTotals>;
  readonly weigh: (count: number, bytes: number) => void;
  /** @throws TuttiError `CLIENT_CLOSED`, `QUEUE_FULL` */
  readonly assertRoom: (bytes: number) => void;
  /** @throws TuttiError `CLIENT_CLOSED` */
  readonly assertOpen: () => void;
  /** The largest message that the server takes. */
  readonly messageBytesMax: () => number;
  /** Whether the channel has to be kept may have changed. */
  readonly keep: (channel: ClientChannel) => void;
  /** Starts the connection where nobody has done so. */
  readonly wake: () => void;
  readonly rollback: (rollback: { readonly channel: string; readonly type: string; readonly payload: unknown; readonly error: TuttiError }) => void;
}

type Checked<T> = (output: unknown) => T | Promise<T>;

/** One channel of a client; `Channel` is its typed face. */
export class ClientChannel {
  readonly name: string;
  readonly status: ReadonlyStore<SubscriptionInfo>;
  readonly state: ChannelState<unknown>;
  readonly pending: Store<readonly PendingPublish[]>;
  readonly presence: ChannelPresence<unknown, unknown>;
  readonly typing: Typing;
  readonly queue: OutboundQueue;
  readonly subscription: Subscription;
  readonly #host: ChannelHost;
  /** `undefined` without a contract: everything is known, and nothing checked. */
  readonly #definition: ChannelDefinition | undefined;
  readonly #emitter: Emitter;
  readonly #optimistic: OptimisticState | undefined;
  readonly #people: PresenceState;
  readonly #membership: Membership;
  readonly #typing: TypingState;
  readonly #throttle: SignalThrottle;
  #isWatching = false;
  /** Publishes whose schema is at work: what is published meanwhile waits for its turn. */
  #publishing: Promise<unknown> | undefined;

  constructor(name: string, definition: ChannelDefinition | undefined, host: ChannelHost) {
    this.name = name;
    this.#host = host;
    this.#definition = definition;
    this.#emitter = new Emitter(host.report);
    this.#people = new PresenceState(host, (notice) => this.#tell(notice.type, notice, notice));
    this.#membership = new Membership(name, host);
    this.#throttle = new SignalThrottle(host, (type, payload) => this.#sendSignal(type, payload));
    this.#typing = new TypingState(host, (isTyping) => this.#pushSignal(TYPING, isTyping));
    this.#optimistic = definition?.state && new OptimisticState(name, host, definition.state, (type) => this.#knows("events", type));
    this.queue = new OutboundQueue(name, host, { weigh: host.weigh, settled: (entry, settled) => this.#settled(entry, settled) });
    this.subscription = new Subscription(name, host, {
      wish: () => ({ presence: this.#isWatching || undefined, ...this.#membership.tell() }),
      started: (start, gap) => this.#started(start, gap),
      event: (placed) => this.#event(placed),
      passed: () => this.#optimistic?.store.changed(),
      live: () => this.#membership.entered(),
      ended: (error) => this.#ended(error),
    });
    this.status = this.subscription.info;
    this.pending = makeStore(host.report, () => this.queue.entries.map(({ n, type, payload, attempted }) => ({ n, type, payload, attempted })));
    this.typing = this.#typing.face;
    this.state = this.#stateFace();
    this.presence = this.#presenceFace();
  }

  /** Whether the client has to keep it, whoever else does. */
  get isBusy(): boolean {
    return this.subscription.isWanted || this.queue.entries.length > 0;
  }

  on(type: string, listener: (value: never) => void): Cancel {
    return this.#emitter.on(type, listener);
  }

  subscribe({ presence = this.#isWatching, signal }: SubscribeOptions = {}): Promise<void> {
    return attempt(() => {
      if (typeof presence !== "object") return this.#subscribe(presence, false, signal);
      return this.#checked(this.#definition?.presence, presence.state, (state) => {
        this.#membership.wish(state);
        return this.#subscribe(true, true, signal);
      });
    });
  }

  unsubscribe(): Promise<void> {
    const { requests } = this.#host;
    if (!this.subscription.stop(new TuttiError("NOT_SUBSCRIBED")) || !requests.isUp) return Promise.resolve();
    return new Promise((resolve) => {
      requests.ask({ op: "unsubscribe", channel: this.name }, () => resolve());
    });
  }

  publish(type: string, payload: unknown): Promise<PublishResult> {
    return attempt(() => {
      this.#host.assertRoom(0);
      const schema = this.#schema("events", type);
      const output: unknown = schema === undefined ? payload : validate(schema, payload);
      return output instanceof Promise || this.#publishing !== undefined ? this.#publishInTurn(type, output) : this.#publish(type, output);
    });
  }

  signal(type: string, payload: unknown): void {
    attempt(() => this.#checked(this.#schema("signals", type), payload, (output) => this.#pushSignal(type, output))).catch((cause: unknown) => this.#surface(cause));
  }

  call(type: string, input: unknown, options?: CallOptions): Promise<unknown> {
    return attempt(() => call(this.#host, this.name, type, input, checksOf(this.#definition, type), options));
  }

  /** Takes up what an earlier page left. */
  restore(publish: Omit<Entry, "bytes">): void {
    const { bytes } = measure(this.name, publish, Number.POSITIVE_INFINITY);
    this.#optimistic?.published(this.queue.add({ ...publish, bytes }));
    this.#changed();
  }

  frame(frame: ServerFrameOf<"events" | "gap" | "signals" | "presence">): void {
    switch (frame.op) {
      case "events":
        return this.subscription.batch(frame);
      case "gap":
        return this.subscription.gap(frame);
      case "signals":
        return frame.signals.forEach((signal) => this.#signalled(signal));
      case "presence":
        return this.subscription.isWanted ? this.#people.take(frame) : undefined;
      default:
        return frame satisfies never;
    }
  }

  /** The promises that wait for the connection reject; what is wanted stays so. */
  abandon(error: TuttiError): void {
    this.subscription.abandon(error);
    this.#membership.settle(error);
  }

  /** The session has another public id: what is pending has other event ids. */
  renamed(): void {
    this.queue.renew();
    this.#optimistic?.store.changed();
  }

  #subscribe(isWatching: boolean, again: boolean, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    this.#host.assertOpen();
    const isOtherWish = again || isWatching !== this.#isWatching;
    this.#isWatching = isWatching;
    const live = this.subscription.start(isOtherWish);
    this.#host.keep(this);
    this.#host.wake();
    const abort = (): void => {
      this.subscription.abandon(signal?.reason);
      void this.unsubscribe();
    };
    signal?.addEventListener("abort", abort);
    void handled(live.finally(() => signal?.removeEventListener("abort", abort)));
    return live;
  }

  #started(start: SubscriptionStart, gap: Gap | undefined): void {
    this.#optimistic?.startOver(start, gap === undefined);
    if (gap !== undefined) this.#emitter.emit("gap", gap);
  }

  #ended(error: TuttiError | undefined): void {
    this.#throttle.clear();
    this.#typing.clear();
    if (error === undefined) {
      this.#membership.lineDown();
      return this.#people.stale();
    }
    this.#isWatching = false;
    this.#membership.ended(error);
    this.#people.clear();
    this.#optimistic?.ended();
    this.#host.keep(this);
    if (this.status.getSnapshot().status !== "unsubscribed") this.#surface(error);
  }

  #event(placed: PlacedEvent): void {
    const { position, event } = placed;
    const { eventId, type, payload, timestamp } = event;
    const n = this.#host.session.ownCount(eventId);
    this.#optimistic?.event(placed);
    if (n !== undefined) this.queue.arrived(n, { position, eventId });
    if (!this.#isValid("events", type, payload)) return;
    const { seq: _seq, ...rest } = event;
    this.#tell(type, { payload, ...rest, channel: this.name, position, own: n !== undefined }, payload, { timestamp, eventId, position });
  }

  #signalled(signal: WireSignal): void {
    const { type, payload, session } = signal;
    if (!this.subscription.isLive || session === this.#host.session.publicId) return;
    if (type === TYPING) this.#typing.heard(signal);
    else if (this.#isValid("signals", type, payload)) this.#tell(type, { payload, ...signal }, payload);
  }

  #tell(type: string, value: unknown, payload: unknown, about: object = {}): void {
    this.#emitter.emit(type, value);
    this.#host.tell(type, payload, { channel: this.name, ...about });
  }

  #publish(type: string, output: unknown): Promise<PublishResult> {
    const { environment, messageBytesMax, assertRoom } = this.#host;
    const timestamp = environment.now();
    const { payload, bytes } = measure(this.name, { type, payload: output, timestamp }, messageBytesMax());
    assertRoom(bytes);
    const entry = this.queue.add({ type, payload, timestamp, bytes });
    this.#optimistic?.published(entry);
    this.#changed();
    this.queue.pump();
    return entry.outcome.promise;
  }

  /** Waits for what was published before, so that schemas that take their time keep the order. */
  #publishInTurn(type: string, output: unknown): Promise<PublishResult> {
    const { weigh } = this.#host;
    weigh(1, 0);
    const turn = handled(
      Promise.allSettled([output, this.#publishing]).then(([checked]) => {
        weigh(-1, 0);
        if (this.#publishing === turn) this.#publishing = undefined;
        if (checked.status === "rejected") throw checked.reason;
        // Wrapped: the next one waits for this one's place in the queue, and not for its ack.
        return { outcome: this.#publish(type, checked.value) };
      }),
    );
    this.#publishing = turn;
    return turn.then(({ outcome }) => outcome);
  }

  #settled(entry: Entry, settled: Settled): void {
    const { tell, rollback } = this.#host;
    const { type, payload } = entry;
    const channel = this.name;
    if (settled.kind === "acked" && this.subscription.isWanted) this.#optimistic?.acked(entry, settled.result.position, this.subscription.position);
    else this.#optimistic?.withdraw(entry);
    if ("result" in settled) tell(`${type}:result`, settled.result, { channel, ...settled.result });
    else if (settled.kind === "refused") {
      rollback({ channel, type, payload, error: settled.error });
      tell(`error:${resourceOf(type)}`, payload, { channel, error: settled.error });
    }
    this.#changed();
  }

  #changed(): void {
    this.#host.keep(this);
    this.#host.totals.changed();
    this.pending.changed();
  }

  #pushSignal(type: string, payload: unknown): void {
    if (this.subscription.isLive) this.#throttle.push(type, payload);
  }

  #sendSignal(type: string, payload: unknown): void {
    try {
      this.#host.requests.send({ op: "signal", channel: this.name, type, payload });
    } catch (cause) {
      this.#surface(cause);
    }
  }

  #knows(kind: "events" | "signals", type: string): boolean {
    return this.#definition === undefined || Object.hasOwn(this.#definition[kind] ?? {}, type);
  }

  /** @throws TuttiError `TYPE_UNKNOWN` */
  #schema(kind: "events" | "signals", type: string): AnySchema | undefined {
    if (!this.#knows(kind, type)) throw unknownType(type);
    return this.#definition?.[kind]?.[type];
  }

  /** Whether what arrived is in the contract, and as it says; what is not as it says surfaces. An asynchronous schema is not waited for: order matters more. */
  #isValid(kind: "events" | "signals", type: string, payload: unknown): boolean {
    if (!this.#knows(kind, type)) return false;
    try {
      const output = this.#checked(this.#schema(kind, type), payload, () => true);
      if (output instanceof Promise) output.catch((cause: unknown) => this.#surface(cause));
      return true;
    } catch (cause) {
      this.#surface(cause);
      return false;
    }
  }

  /** Goes on with the schema's output, in this turn where it can be. @throws TuttiError `PAYLOAD_INVALID` */
  #checked<T>(schema: AnySchema | undefined, value: unknown, next: Checked<T>): T | Promise<T> {
    const output: unknown = schema === undefined ? value : validate(schema, value);
    return output instanceof Promise ? output.then(next) : next(output);
  }

  #surface(cause: unknown): void {
    this.#host.error(cause as TuttiError, this.name);
  }

  #stateFace(): ChannelState<unknown> {
    const optimistic = this.#optimistic;
    return {
      ...(optimistic?.store ?? makeStore(this.#host.report, () => undefined)),
      canonical: () => optimistic?.canonical,
      position: () => this.subscription.position,
      skipped: () => optimistic?.skipped ?? 0,
    };
  }

  #presenceFace(): ChannelPresence<unknown, unknown> {
    const enter = (state: unknown): Promise<void> =>
      attempt(() => {
        if (!this.subscription.isWanted) throw new TuttiError("NOT_SUBSCRIBED");
        return this.#checked(this.#definition?.presence, state, (output) => this.#membership.set({ state: output }, this.subscription.isSettled));
      });
    return { ...this.#people.store, enter, update: enter, leave: () => this.#membership.set(undefined, this.subscription.isSettled) };
  }
}

function unknownType(type: string): TuttiError {
  return new TuttiError("TYPE_UNKNOWN", { message: `the contract has no "${type}"`, field: "type" });
}

/** The schemas of a call; nothing where there is no contract. @throws TuttiError `TYPE_UNKNOWN` */
export function checksOf(definition: { readonly calls?: Calls } | undefined, type: string) {
  if (definition === undefined) return undefined;
  if (!Object.hasOwn(definition.calls ?? {}, type)) throw unknownType(type);
  return definition.calls?.[type];
}
