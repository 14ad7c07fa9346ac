import { TuttiError, type AnySchema, type Cancel, type ChannelDefinition, type ServerFrameOf, type SubscriptionStart, type WireSignal } from "@tutti/protocol";
import { call, type CallOptions } from "./calls.js";
import type { ChannelPresence, ChannelState, PendingPublish, SubscribeOptions } from "./channel-types.js";
import type { Rollback } from "./client-types.js";
import { checked, tellResult, type Core } from "./core.js";
import { attempt, handled } from "./deferred.js";
import { makeEmitter } from "./emitter.js";
import type { Envelope } from "./envelope.js";
import { makeOptimisticState } from "./optimistic-state.js";
import { makeOutboundQueue, measure, type Entry, type OutboundQueue, type PublishResult, type Settled } from "./outbound-queue.js";
import type { PlacedEvent } from "./position-chain.js";
import { makeMembership, makePeople } from "./presence.js";
import { ownCount } from "./session.js";
import { makeThrottle } from "./signals.js";
import { makeStore, type ReadonlyStore } from "./store.js";
import { makeSubscription, positionOf, type Gap, type StartFrom, type Subscription, type SubscriptionInfo } from "./subscription.js";
import { makeTyping, TYPING, type Typing } from "./typing.js";

/** What a channel asks of its client, besides what all parts share. */
export interface ChannelHost extends Core {
  /** @throws TuttiError `CLIENT_CLOSED` */
  readonly assertOpen: () => void;
  /** What the channel has to send, whether it is subscribed, or who listens, changed. */
  readonly changed: (channel: ClientChannel) => void;
  /** Starts the connection where nobody has done so. */
  readonly wake: () => void;
  readonly rollback: (rollback: Rollback) => void;
}

/** One channel of a client; `Channel` is its typed face. */
export interface ClientChannel {
  readonly name: string;
  readonly status: ReadonlyStore<SubscriptionInfo>;
  readonly state: ChannelState<unknown>;
  readonly pending: ReadonlyStore<readonly PendingPublish[]>;
  readonly presence: ChannelPresence<unknown, unknown>;
  readonly typing: Typing;
  on(type: string, listener: (value: never) => void): Cancel;
  subscribe(options?: SubscribeOptions): Promise<void>;
  unsubscribe(): Promise<void>;
  publish(type: string, payload: unknown): Promise<PublishResult>;
  signal(type: string, payload: unknown): void;
  call(type: string, input: unknown, options?: CallOptions): Promise<unknown>;

  /* For the client. */
  readonly queue: OutboundQueue;
  readonly subscription: Subscription;
  /** Whether the client has to keep it, whoever else does. */
  isBusy(): boolean;
  /** It is known which session this is, and the queue has what is stored of it. */
  restored(): void;
  frame(frame: ServerFrameOf<"events" | "signals" | "presence" | "gap" | "joined" | "left">): void;
  /** The promises that wait for the connection reject; what is wanted stays so. */
  abandon(error: TuttiError): void;
  /** The session has another public id, and so have the events that are pending; `isOther`: because the user is another. */
  renamed(isOther: boolean): void;
}

type Kind = "events" | "signals";

/** @param definition `undefined` without a contract: everything is known, and nothing checked */
export function makeChannel(name: string, definition: ChannelDefinition | undefined, host: ChannelHost): ClientChannel {
  const { environment, session, report, error: surface } = host;
  const emitter = makeEmitter(report);
  /** Who listens: the server may put the session into a channel that the application does not hold. */
  const listening = new Set<Cancel>();
  let isWatching = false;
  /** Publishes whose schema is at work: what is published meanwhile waits for its turn. */
  let publishing: Promise<unknown> | undefined;

  const tell = (type: string, value: unknown, about: Partial<Envelope>): void => {
    emitter.emit(type, value);
    host.tell(type, { channel: name, ...about });
  };
  /** What `task` throws, now or later, surfaces. */
  const guarded = (task: () => unknown): void => {
    attempt(task).catch((error: unknown) => surface(error as TuttiError, name));
  };
  const knows = (kind: Kind, type: string): boolean => definition === undefined || Object.hasOwn(definition[kind] ?? {}, type);
  /** @throws TuttiError `TYPE_UNKNOWN` */
  const schema = (kind: Kind, type: string): AnySchema | undefined => host.contract?.schemaOf(definition?.[kind], type);
  /** Whether what arrived is in the contract, and as it says; else it surfaces. An asynchronous schema is not waited for: order matters more. */
  const isValid = (kind: Kind, type: string, payload: unknown): boolean => {
    let valid = false;
    if (knows(kind, type)) {
      guarded(() => {
        const checking = checked(host, schema(kind, type), payload, () => {});
        valid = true;
        return checking;
      });
    }
    return valid;
  };

  const people = makePeople(host, (notice) => tell(notice.type, notice, { payload: notice }));
  const membership = makeMembership(name, host);
  const throttle = makeThrottle(host, (type, payload) => guarded(() => host.send({ op: "signal", channel: name, type, payload })));
  const pushSignal = (type: string, payload: unknown): void => {
    if (subscription.isListening()) throttle.push(type, payload);
  };
  const typing = makeTyping(host, (isTyping) => pushSignal(TYPING, isTyping));
  const optimistic =
    host.contract &&
    definition?.state &&
    makeOptimisticState(name, host, host.contract, definition.state, () => queue.entries(), (type) => knows("events", type));

  const settled = (entry: Entry, outcome: Settled): void => {
    const { type, payload } = entry;
    if (outcome.kind === "acked" && subscription.isWanted()) optimistic?.acked(entry, outcome.result, subscription.position());
    optimistic?.store.changed();
    if ("result" in outcome) tellResult(host, type, { ...outcome.result, payload: outcome.result, channel: name });
    else if (outcome.kind === "refused") {
      const refused = { channel: name, payload, error: outcome.error };
      host.rollback({ type, ...refused });
      tellResult(host, type, refused);
    }
    changed();
  };
  const queue = makeOutboundQueue(name, host, definition?.state, settled, () => pending.changed());
  const pending = makeStore(report, () => queue.entries().map(({ n, type, payload, attempted }) => ({ n, type, payload, attempted })));
  const changed = (): void => {
    host.changed(channel);
    pending.changed();
  };
  const publish = (type: string, payload: unknown): Promise<PublishResult> => {
    const timestamp = environment.now();
    const measured = measure(host, name, { type, payload, timestamp });
    queue.makeRoom(measured.bytes);
    const entry = queue.add({ type, timestamp, ...measured });
    optimistic?.store.changed();
    changed();
    queue.pump();
    return entry.outcome.promise;
  };
  /** Waits for what was published before, so that schemas that take their time keep the order. */
  const publishInTurn = (type: string, output: Promise<{ readonly value: unknown }>): Promise<PublishResult> => {
    queue.makeRoom(0);
    host.weigh(1, 0);
    const turn = handled(
      Promise.allSettled([output, publishing]).then(([result]) => {
        host.weigh(-1, 0);
        host.changed(channel);
        if (publishing === turn) publishing = undefined;
        host.assertOpen();
        if (result.status === "rejected") throw result.reason;
        // Wrapped: the next one waits for this one's place in the queue, and not for its ack.
        return { outcome: publish(type, result.value.value) };
      }),
    );
    publishing = turn;
    return turn.then(({ outcome }) => outcome);
  };

  /** Shows what an earlier page saw last, and goes on from there. */
  const resume = (): StartFrom | undefined => session.home?.resume(name, subscription.position() ? undefined : optimistic);
  /** What canonical state is now is shown, and kept for the next page. */
  const reached = (): void => {
    const state = optimistic?.stored(subscription.position());
    optimistic?.store.changed();
    if (state !== undefined) session.home?.keep({ kind: "state", channel: name, state });
  };
  const started = (start: SubscriptionStart, gap: Gap | undefined): void => {
    optimistic?.startOver(start, gap === undefined);
    reached();
    if (gap !== undefined) emitter.emit("gap", gap);
  };
  const ended = (error: TuttiError | undefined): void => {
    throttle.clear();
    typing.clear();
    membership.ended(error);
    people.stale(error !== undefined);
    if (error === undefined) return;
    isWatching = false;
    optimistic?.ended();
    host.changed(channel);
    if (subscription.info.getSnapshot().error !== undefined) surface(error, name);
  };
  const arrived = (placed: PlacedEvent): void => {
    const { position, event } = placed;
    const { eventId, type, payload, timestamp, user } = event;
    const n = ownCount(session, eventId);
    const about = { payload, timestamp, eventId, position, channel: name };
    optimistic?.event(placed);
    if (n !== undefined) queue.arrived(n, { position, eventId, payload });
    if (isValid("events", type, payload)) tell(type, { ...about, type, user, own: n !== undefined }, about);
  };
  const signalled = (signal: WireSignal): void => {
    const { type, payload, session: sender, user } = signal;
    if (!subscription.isListening() || sender === session.publicId) return;
    if (type === TYPING) typing.heard(signal);
    else if (isValid("signals", type, payload)) tell(type, { type, payload, session: sender, user }, { payload });
  };
  const subscription = makeSubscription(name, host, {
    wish: () => ({ presence: isWatching || undefined, ...membership.tell() }),
    started,
    event: arrived,
    passed: reached,
    live: () => membership.entered(),
    ended,
  });
  const tellLeft = (): Promise<void> =>
    new Promise((resolve) => {
      if (host.isUp()) host.requests.ask({ op: "unsubscribe", channel: name }, () => resolve());
      else resolve();
    });
  const unsubscribe = async (): Promise<void> => {
    if (subscription.end({ status: "unsubscribed" }, new TuttiError("NOT_SUBSCRIBED"))) await tellLeft();
  };
  const subscribe = (watching: boolean, again: boolean, from: StartFrom): Promise<void> => {
    isWatching = watching;
    const live = subscription.start(again, from);
    host.changed(channel);
    host.wake();
    return live;
  };
  const enter = (state: unknown): Promise<void> =>
    attempt(() => {
      if (!subscription.isWanted()) throw new TuttiError("NOT_SUBSCRIBED");
      return checked(host, definition?.presence, state, (output) => membership.set({ state: output }, subscription.isListening()));
    });

  const channel: ClientChannel = {
    name,
    queue,
    subscription,
    pending,
    status: subscription.info,
    typing: typing.face,
    state: {
      ...(optimistic?.store ?? makeStore(report, () => undefined)),
      canonical: () => optimistic?.canonical(),
      skipped: () => optimistic?.skipped() ?? 0,
      position: () => positionOf(subscription.position()),
    },
    presence: { ...people.store, enter, update: enter, leave: () => membership.set(undefined, subscription.isListening()) },
    on(type, listener) {
      const off = emitter.on(type, listener);
      listening.add(off);
      host.changed(channel);
      return () => {
        off();
        listening.delete(off);
        host.changed(channel);
      };
    },
    unsubscribe,
    subscribe: ({ presence = isWatching, since, rewind } = {}) =>
      attempt(() => {
        host.assertOpen();
        // A state has one start, and so has everything else.
        if ([optimistic, since, rewind].filter(Boolean).length > 1) throw new TuttiError("REWIND_UNSUPPORTED");
        const from = { since, rewind, ...resume() };
        if (typeof presence !== "object") return subscribe(presence, presence !== isWatching, from);
        return checked(host, definition?.presence, presence.state, (state) => {
          void membership.set({ state }, false);
          return subscribe(true, true, from);
        });
      }),
    publish: (type, payload) =>
      attempt(() => {
        host.assertOpen();
        const output = checked(host, schema("events", type), payload, (value) => ({ value }));
        if (!(output instanceof Promise) && publishing === undefined) return publish(type, output.value);
        return publishInTurn(type, Promise.resolve(output));
      }),
    signal: (type, payload) => guarded(() => checked(host, schema("signals", type), payload, (output) => pushSignal(type, output))),
    call: (type, input, options) => call(host, { channel: name, type, input, calls: definition?.calls }, options),
    isBusy: () => subscription.isWanted() || queue.entries().length + listening.size > 0,
    restored() {
      optimistic?.store.changed();
      changed();
      if (subscription.isWanted()) void subscription.start(true, resume());
    },
    frame(frame) {
      if (frame.op === "events") subscription.batch(frame);
      else if (frame.op === "signals") frame.signals.forEach(signalled);
      else if (frame.op === "gap") subscription.gap(frame.start);
      else if (frame.op === "joined") {
        subscription.joined(frame.start);
        host.changed(channel);
      } else if (frame.op === "left") {
        const error = TuttiError.fromWire(frame.error);
        const isAsking = !subscription.isListening();
        // What it asked for meanwhile may be granted: nobody comes back by accident.
        if (subscription.end({ status: "left", error }, error) && isAsking && !subscription.isWanted()) void tellLeft();
      } else if (frame.op === "presence" && subscription.isWanted()) people.take(frame);
    },
    abandon(error) {
      subscription.abandon(error);
      membership.abandon(error);
    },
    renamed(isOther) {
      if (isOther) {
        queue.replace([], "USER_CHANGED");
        subscription.forget();
        optimistic?.clear();
      }
      optimistic?.store.changed();
    },
  };
  return channel;
}
