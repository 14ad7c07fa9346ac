import { samePosition, type Cancel, type LastSeen, type Position, type Rewind, type ServerFrameOf, type SubscriptionStart, type TuttiError } from "@tutti/protocol";
import { backoffMs } from "./backoff.js";
import type { Core } from "./core.js";
import { deferred, settle, type Deferred } from "./deferred.js";
import { follow, type PlacedEvent } from "./position-chain.js";
import type { Answer } from "./requests.js";
import { assertCounts } from "./server-frame.js";
import { makeStore, type ReadonlyStore } from "./store.js";

export interface SubscriptionInfo {
  /** `left`: the server ended it. After `refused` and `left` the client does not come back by itself. */
  readonly status: "unsubscribed" | "subscribing" | "live" | "refused" | "left";
  readonly error?: TuttiError;
}

/** Positions that cannot be had any more: after `from`, up to and including `to`. */
export interface Gap {
  readonly from: Position;
  readonly to: Position;
}

/** Where a subscription starts that has no position yet: after the last event that somebody kept, or so far behind the head. */
export interface StartFrom {
  readonly since?: LastSeen | undefined;
  readonly rewind?: Rewind | undefined;
}

/** What a channel does with what its subscription brings. */
export interface SubscriptionEvents {
  /** What stands in the subscribe frame besides channel and position. */
  wish(): { readonly presence?: boolean | undefined; readonly member?: unknown };
  /** The channel starts over at `start`; where something is lost, with a gap. */
  started(start: SubscriptionStart, gap: Gap | undefined): void;
  /** One event, in order, once. */
  event(placed: PlacedEvent): void;
  /** The events of one message are through. */
  passed(): void;
  live(): void;
  /** Nothing of the channel arrives until it is live again. `error`: it was ended. */
  ended(error?: TuttiError): void;
}

/** One channel's subscription: asked for after every reconnect, from the last position, and without a silent hole. */
export interface Subscription {
  readonly info: ReadonlyStore<SubscriptionInfo>;
  /** Whether what the channel brings is taken in: it is live, and no hole is being mended. */
  isListening(): boolean;
  /** Whether it is asked for again after a reconnect. */
  isWanted(): boolean;
  /** The last position, from the first start, or from the `since` that it was given, until the subscription ends. */
  position(): LastSeen | undefined;
  /**
   * Resolves when the subscription is live.
   *
   * @param again asks although it is live or under way, because the wish changed
   * @param from where to start, unless there is a position already
   */
  start(again: boolean, from?: StartFrom): Promise<void>;
  /** The next start is as the first one; what the application does not see by it is a gap. */
  forget(): void;
  /** Ends it, unless it has ended. @returns whether it was wanted till now */
  end(info: SubscriptionInfo, error: TuttiError): boolean;
  /** Settles the promise that waits; the subscription goes on. */
  abandon(error?: unknown): void;
  lineUp(): void;
  lineDown(): void;
  batch(frame: ServerFrameOf<"events">): void;
  /** The subscription starts over: what it missed is gone. */
  gap(start: SubscriptionStart): void;
  /** The server put the session into the channel. */
  joined(start: SubscriptionStart): void;
}

/** What a subscription needs of its client. */
export interface SubscriptionCore extends Pick<Core, "environment" | "requests" | "isUp" | "report"> {
  readonly config: Pick<Core["config"], "guards">;
}

/** The position alone, without what was seen there. */
export function positionOf<P extends Position | undefined>(seen: P): P | Position {
  return seen && { epoch: seen.epoch, seq: seen.seq };
}

export function makeSubscription(channel: string, core: SubscriptionCore, events: SubscriptionEvents): Subscription {
  const { environment, config, report } = core;
  const { guards } = config;
  let info: SubscriptionInfo = { status: "unsubscribed" };
  const store = makeStore(report, () => info);
  let position: LastSeen | undefined;
  /** Where it was when that was forgotten: the application has seen so much. */
  let forgotten: LastSeen | undefined;
  /** Asked for until there is a position. */
  let rewind: Rewind | undefined;
  /** Runs while an answer, or the time to ask again, is awaited: also when it is live, for what a hole has swallowed. */
  let request: Cancel | undefined;
  /** Whoever waits for it to be live. */
  let wait: Deferred<void> | undefined;
  /** How many holes were found since an event came through. */
  let holes = 0;

  const isLive = (): boolean => info.status === "live";
  const isWanted = (): boolean => isLive() || info.status === "subscribing";
  const stopAsking = (): void => {
    request?.();
    request = undefined;
  };
  const enter = (status: "subscribing" | "live"): void => {
    if (info.status === status) return;
    info = { status };
    store.changed();
  };
  const abandon = (error?: unknown): void => {
    const waiting = wait;
    wait = undefined;
    if (waiting !== undefined) settle(waiting, error);
  };
  const end = (next: SubscriptionInfo, error: TuttiError): boolean => {
    if (!isWanted()) return false;
    stopAsking();
    position = forgotten = rewind = undefined;
    info = next;
    store.invalidate();
    abandon(error);
    events.ended(error);
    // Last, since who hears it may subscribe again.
    store.changed();
    return true;
  };
  const startOver = (start: SubscriptionStart, from?: Position): void => {
    assertCounts(start.position.seq);
    // What is known of the last event is kept where it is still the last.
    if (start.position.eventId !== undefined || !samePosition(start.position, position)) position = start.position;
    // The gap begins where this client is: the server knows only where it was itself.
    events.started(start, from === undefined ? start.gap : { from: positionOf(from), to: positionOf(start.position) });
  };
  /** The server's answer: from here on the subscription is live. */
  const begin = (start: SubscriptionStart): void => {
    const goesOn = samePosition(start.position, position);
    // A start elsewhere than asked for is a gap, also where the server does not call it one.
    if (!goesOn || start.gap !== undefined || start.snapshot !== undefined) startOver(start, goesOn ? undefined : (position ?? forgotten));
    forgotten = undefined;
    // A listener that heard of a gap may have ended it, or asked again.
    if (position === undefined || request !== undefined) return;
    enter("live");
    events.live();
    abandon();
  };
  const answered = (answer: Answer): void => {
    request = undefined;
    if (answer.kind === "success") begin(answer.data as SubscriptionStart);
    else if (answer.kind === "error") end({ status: "refused", error: answer.error }, answer.error);
  };
  const ask = (): void => {
    stopAsking();
    if (!isLive()) enter("subscribing");
    if (!core.isUp()) return;
    const back = position === undefined ? rewind : undefined;
    const cancel = core.requests.persist(() => ({ op: "subscribe", channel, since: position, rewind: back, ...events.wish() }), answered);
    // What cannot be sent is refused before it is sent.
    if (isWanted()) request = cancel;
  };
  const isListening = (): boolean => isLive() && request === undefined;

  return {
    info: store,
    isListening,
    isWanted,
    position: () => position,
    abandon,
    end,
    forget() {
      forgotten ??= position;
      position = undefined;
    },
    start(again, from = {}) {
      const { promise } = (wait ??= deferred());
      const isFrom = position === undefined && (from.since ?? from.rewind) !== undefined;
      if (isFrom) ({ since: position, rewind } = from);
      if (again || isFrom || !isWanted()) ask();
      else if (isListening()) abandon();
      return promise;
    },
    lineUp() {
      if (isWanted()) ask();
    },
    lineDown() {
      const wasLive = isLive();
      stopAsking();
      if (isWanted()) enter("subscribing");
      if (guards.recovery === false) position = undefined;
      if (wasLive) events.ended();
    },
    batch(frame) {
      // What arrives while an answer is awaited belongs to the subscription before it; the answer goes on from the last position.
      if (!isListening() || position === undefined) return;
      const chain = follow(position, frame, guards);
      if (chain.kind === "hole") {
        // One hole is mended at a time: the first at once; when mending brought nothing, the next after a pause.
        if (holes++ === 0) ask();
        else request = environment.after(backoffMs(environment, holes - 2), ask);
        return;
      }
      for (const placed of chain.events) {
        holes = 0;
        position = { ...placed.position, eventId: placed.event.eventId };
        events.event(placed);
        // A listener may have closed the client, ended the subscription, or asked again: the answer brings what follows here.
        if (!isListening()) break;
      }
      events.passed();
    },
    gap(start) {
      if (!isListening() || position === undefined) return;
      // The server tells where it believes this client to be. Where that is not so, only asking from where it is brings all that follows.
      if (samePosition(position, start.gap?.from)) startOver(start);
      else ask();
    },
    joined(start) {
      // Where the client was before, the server does not know: what lies in between is asked for.
      if (position !== undefined) ask();
      else if (request === undefined) begin(start);
    },
  };
}
