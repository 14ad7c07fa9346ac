import { TuttiError, type AnySchema, type Cancel, type ChannelDefinition, type ServerFrameOf, type SubscriptionStart, type WireSignal } from "@tutti/protocol";
import { call, checked, type CallOptions } from "./calls.js";
import type { ChannelPresence, ChannelState, PendingPublish, SubscribeOptions } from "./channel-types.js";
import type { Rollback } from "./client-types.js";
import type { Core } from "./core.js";
import { attempt, handled } from "./deferred.js";
import { Emitter } from "./emitter.js";
import type { Envelope } from "./envelope.js";
import { OptimisticState } from "./optimistic-state.js";
import { measure, OutboundQueue, type Entry, type PublishResult, type Settled } from "./outbound-queue.js";
import type { PlacedEvent } from "./position-chain.js";
import { makeMembership, makePeople } from "./presence.js";
import type { OutgoingFrame } from "./requests.js";
import { ownCount } from "./session.js";
import { makeThrottle } from "./signals.js";
import { makeStore, type ReadonlyStore, type Store } from "./store.js";
import { Subscription, type Gap, type SubscriptionInfo } from "./subscription.js";
import { makeTyping, TYPING, type Typing } from "./typing.js";

/** What a channel asks of its client, besides what all parts share. */
export interface ChannelHost extends Core {
  /** The largest message that the server takes. */
  readonly messageBytesMax: number;
  /** @throws TuttiError `CLIENT_CLOSED` */
  assertOpen(): void;
  /** Counts what waits in all channels. @throws TuttiError `QUEUE_FULL` where the change has no room */
  weigh(count: number, bytes: number): void;
  /** What the channel has to send, or whether it is subscribed, changed. */
  changed(channel: ClientChannel): void;
  /** Starts the connection where nobody has done so. */
  wake(): void;
  rollback(rollback: Rollback): void;
  /** Sends what is not answered; nothing, where there is no connection. */
  send(frame: OutgoingFrame): void;
}

type Kind = "events" | "signals";

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
  readonly #people: ReturnType<typeof makePeople>;
  readonly #membership: ReturnType<typeof makeMembership>;
  readonly #typing: ReturnType<typeof makeTyping>;
  readonly #throttle: ReturnType<typeof makeThrottle>;
  #isWatching = false;
  /** Publishes whose schema is at work: what is published meanwhile waits for its turn. */
  #publishing: Promise<unknown> | undefined;

  constructor(name: string, definition: ChannelDefinition | undefined, host: ChannelHost) {
    this.name = name;
    this.#host = host;
    this.#definition = definition;
    this.#emitter = new Emitter(host.report);
    this.#people = makePeople(host, (notice) => this.#tell(notice.type, notice, { payload: notice }));
    this.#membership = makeMembership(name, host);
    this.#throttle = makeThrottle(host, (type, payload) => this.#sendSignal(type, payload));
    this.#typing = makeTyping(host, (isTyping) => this.#pushSignal(TYPING, isTyping));
    this.#optimistic = definition?.state && new OptimisticState(name, host, definition.state, (type) => this.#knows("events", type));
    this.queue = new OutboundQueue(name, host, { weigh: (count, bytes) => host.weigh(count, bytes), settled: (entry, settled) => this.#settled(entry, settled) });
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
      signal?.throwIfAborted();
      this.#host.assertOpen();
      if (typeof presence !== "object") return this.#subscribe(presence, presence !== this.#isWatching, signal);
      return checked(this.#definition?.presence, presence.state, (state) => {
        void this.#membership.set({ state }, false);
        return this.#subscribe(true, true, signal);
      });
    });
  }

  unsubscribe(): Promise<void> {
    const { requests } = this.#host;
    if (!this.subscription.end("unsubscribed", new TuttiError("NOT_SUBSCRIBED")) || !requests.isUp) return Promise.resolve();
    return new Promise((resolve) => {
      requests.ask({ op: "unsubscribe", channel: this.name }, () => resolve());
    });
  }

  publish(type: string, payload: unknown): Promise<PublishResult> {
    return attempt(() => {
      this.#host.assertOpen();
      const output = checked(this.#schema("events", type), payload, (value) => ({ value }));
      if (!(output instanceof Promise) && this.#publishing === undefined) return this.#publish(type, output.value);
      return this.#publishInTurn(type, output);
    });
  }

  signal(type: string, payload: unknown): void {
    this.#guarded(() => checked(this.#schema("signals", type), payload, (output) => this.#pushSignal(type, output)));
  }

  call(type: string, input: unknown, options?: CallOptions): Promise<unknown> {
    return attempt(() => call(this.#host, { channel: this.name, type, input, schemas: schemaOf(this.#definition && (this.#definition.calls ?? {}), type) }, options));
  }

  /** Takes up what an earlier page left. */
  restore(publish: Omit<Entry, "bytes">): void {
    void this.#add({ ...publish, bytes: measure(this.name, publish, Number.POSITIVE_INFINITY).bytes });
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
    this.#isWatching = isWatching;
    const live = this.subscription.start(again);
    this.#host.changed(this);
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
    this.#membership.lineDown();
    if (error === undefined) return this.#people.stale();
    this.#isWatching = false;
    this.#membership.ended(error);
    this.#people.clear();
    this.#optimistic?.ended();
    this.#host.changed(this);
    if (this.status.getSnapshot().error !== undefined) this.#host.error(error, this.name);
  }

  #event(placed: PlacedEvent): void {
    const { position, event } = placed;
    const { eventId, type, payload, timestamp, user } = event;
    const n = ownCount(this.#host.session, eventId);
    this.#optimistic?.event(placed);
    if (n !== undefined) this.queue.arrived(n, { position, eventId });
    const about = { payload, timestamp, eventId, position, channel: this.name };
    if (this.#isValid("events", type, payload)) this.#tell(type, { ...about, type, user, own: n !== undefined }, about);
  }

  #signalled(signal: WireSignal): void {
    const { type, payload, session, user } = signal;
    if (!this.subscription.isLive || session === this.#host.session.publicId) return;
    if (type === TYPING) this.#typing.heard(signal);
    else if (this.#isValid("signals", type, payload)) this.#tell(type, { type, payload, session, user }, { payload });
  }

  #tell(type: string, value: unknown, about: Partial<Envelope>): void {
    this.#emitter.emit(type, value);
    this.#host.tell(type, { channel: this.name, ...about });
  }

  #publish(type: string, output: unknown): Promise<PublishResult> {
    const timestamp = this.#host.environment.now();
    const measured = measure(this.name, { type, payload: output, timestamp }, this.#host.messageBytesMax);
    return this.#add({ type, timestamp, ...measured });
  }

  #add(publish: Parameters<OutboundQueue["add"]>[0]): Promise<PublishResult> {
    const entry = this.queue.add(publish);
    this.#optimistic?.published(entry);
    this.#changed();
    this.queue.pump();
    return entry.outcome.promise;
  }

  /** Waits for what was published before, so that schemas that take their time keep the order. */
  #publishInTurn(type: string, output: unknown): Promise<PublishResult> {
    this.#host.weigh(1, 0);
    const turn = handled(
      Promise.allSettled([output, this.#publishing]).then(([result]) => {
        this.#host.weigh(-1, 0);
        if (this.#publishing === turn) this.#publishing = undefined;
        this.#host.assertOpen();
        if (result.status === "rejected") throw result.reason;
        // Wrapped: the next one waits for this one's place in the queue, and not for its ack.
        return { outcome: this.#publish(type, (result.value as { readonly value: unknown }).value) };
      }),
    );
    this.#publishing = turn;
    return turn.then(({ outcome }) => outcome);
  }

  #settled(entry: Entry, settled: Settled): void {
    const { type, payload } = entry;
    const channel = this.name;
    if (settled.kind === "acked" && this.subscription.isWanted) this.#optimistic?.acked(entry, settled.result.position, this.subscription.position);
    else this.#optimistic?.withdraw(entry);
    if ("result" in settled) this.#host.result(type, { payload: settled.result, channel, ...settled.result });
    else if (settled.kind === "refused") {
      const { error } = settled;
      this.#host.rollback({ channel, type, payload, error });
      this.#host.result(type, { payload, channel, error });
    }
    this.#changed();
  }

  #changed(): void {
    this.#host.changed(this);
    this.pending.changed();
  }

  #pushSignal(type: string, payload: unknown): void {
    if (this.subscription.isLive) this.#throttle.push(type, payload);
  }

  #sendSignal(type: string, payload: unknown): void {
    this.#guarded(() => this.#host.send({ op: "signal", channel: this.name, type, payload }));
  }

  #knows(kind: Kind, type: string): boolean {
    return this.#definition === undefined || Object.hasOwn(this.#definition[kind] ?? {}, type);
  }

  /** @throws TuttiError `TYPE_UNKNOWN` */
  #schema(kind: Kind, type: string): AnySchema | undefined {
    return schemaOf(this.#definition && (this.#definition[kind] ?? {}), type);
  }

  /** Whether what arrived is in the contract, and as it says; else it surfaces. An asynchronous schema is not waited for: order matters more. */
  #isValid(kind: Kind, type: string, payload: unknown): boolean {
    let isValid = this.#knows(kind, type);
    if (isValid && this.#definition !== undefined) {
      this.#guarded(() => {
        isValid = false;
        const checking = checked(this.#schema(kind, type), payload, () => {});
        isValid = true;
        return checking;
      });
    }
    return isValid;
  }

  /** What `task` throws, now or later, surfaces. */
  #guarded(task: () => unknown): void {
    attempt(task).catch((error: unknown) => this.#host.error(error as TuttiError, this.name));
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
        return checked(this.#definition?.presence, state, (output) => this.#membership.set({ state: output }, this.subscription.isLive));
      });
    return { ...this.#people.store, enter, update: enter, leave: () => this.#membership.set(undefined, this.subscription.isLive) };
  }
}

/** The schema of a type; nothing where there is no contract. @throws TuttiError `TYPE_UNKNOWN` */
export function schemaOf<S>(schemas: Readonly<Record<string, S>> | undefined, type: string): S | undefined {
  if (schemas === undefined || Object.hasOwn(schemas, type)) return schemas?.[type];
  throw new TuttiError("TYPE_UNKNOWN", { message: `the contract has no "${type}"`, field: "type" });
}
