import { isFinal, samePosition, subscribeResult, type TuttiError, type Cancel, type LastSeen, type Position, type ServerFrameOf, type SubscriptionStart } from "@tutti/protocol";
import { backoffMs } from "./backoff.js";
import type { Core } from "./core.js";
import { Deferred } from "./deferred.js";
import { follow, type PlacedEvent } from "./position-chain.js";
import type { Answer } from "./requests.js";
import { makeStore, type ReadonlyStore, type Store } from "./store.js";

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

type Phase =
  /** `subscribing`: asked for when the connection is up, or the pause over. */
  | { readonly status: "unsubscribed" | "subscribing" | "live" }
  /** Its answer is awaited. A live one may ask as well, for what a hole has swallowed. */
  | { readonly status: "subscribing" | "live"; readonly request: string }
  | { readonly status: "refused" | "left"; readonly error: TuttiError };

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
export class Subscription {
  readonly #channel: string;
  readonly #core: Core;
  readonly #events: SubscriptionEvents;
  readonly #info: Store<SubscriptionInfo>;
  #phase: Phase = { status: "unsubscribed" };
  #wait: Deferred<void> | undefined;
  #pause: Cancel | undefined;
  /** How often it had to ask again since it brought something. */
  #setbacks = 0;
  /** The last position, from the first start until the subscription ends. */
  position: LastSeen | undefined;

  constructor(channel: string, core: Core, events: SubscriptionEvents) {
    this.#channel = channel;
    this.#core = core;
    this.#events = events;
    this.#info = makeStore(core.report, () => ({ status: this.#phase.status, ...("error" in this.#phase && { error: this.#phase.error }) }));
  }

  get info(): ReadonlyStore<SubscriptionInfo> {
    return this.#info;
  }

  get isLive(): boolean {
    return this.#phase.status === "live";
  }

  /** Whether the server has said yes and is asked nothing else: what depends on that may be sent. */
  get isSettled(): boolean {
    return this.isLive && !("request" in this.#phase);
  }

  /** Whether it is asked for again after a reconnect. */
  get isWanted(): boolean {
    return this.isLive || this.#phase.status === "subscribing";
  }

  /** Resolves when the subscription is live. @param again asks although it is live or under way, because the wish changed */
  start(again: boolean): Promise<void> {
    const wait = (this.#wait ??= new Deferred());
    if (again || !this.isWanted) this.#ask();
    else if (this.isLive && !("request" in this.#phase)) this.#resolve();
    return wait.promise;
  }

  /** Ends it here. @returns whether the server has to be told */
  stop(error: TuttiError): boolean {
    const { isWanted } = this;
    if (isWanted) this.#end({ status: "unsubscribed" }, error);
    return isWanted;
  }

  /** The promise that waits is not kept; the subscription goes on. */
  abandon(error: unknown): void {
    this.#wait?.reject(error);
    this.#wait = undefined;
  }

  lineUp(): void {
    if (this.isWanted) this.#ask();
  }

  lineDown(): void {
    this.#pause?.();
    if (this.isWanted) this.#interrupt();
  }

  batch(frame: ServerFrameOf<"events">): void {
    const phase = this.#phase;
    // What arrives while an answer is awaited belongs to the subscription before it; the answer goes on from the last position.
    if (!this.isLive || "request" in phase || this.position === undefined) return;
    const chain = follow(this.position, frame, this.#core.config.guards);
    if (chain.kind === "hole") return this.#repair();
    for (const placed of chain.events) {
      this.#setbacks = 0;
      this.position = { ...placed.position, eventId: placed.event.eventId };
      this.#events.event(placed);
      // A listener may have ended the subscription, or begun another.
      if (this.#phase !== phase) break;
    }
    this.#events.passed();
  }

  gap({ start }: ServerFrameOf<"gap">): void {
    if (this.isLive && !("request" in this.#phase)) this.#startOver(start, { from: this.position ?? start.position, to: start.position });
  }

  /** The server put the session into the channel. */
  joined(start: SubscriptionStart): void {
    if ("request" in this.#phase) return;
    // Where the client was before, the server does not know: what lies in between is asked for.
    if (this.position === undefined) this.#begin(start);
    else this.#ask();
  }

  /** The server ended it. */
  left(error: TuttiError): void {
    if (this.isWanted) this.#end({ status: "left", error }, error);
  }

  #ask(): void {
    const { requests, config } = this.#core;
    this.#pause?.();
    if (!requests.isUp) return this.#enter({ status: "subscribing" });
    const since = config.guards.recovery === false ? undefined : this.position;
    try {
      const frame = { op: "subscribe", channel: this.#channel, since, ...this.#events.wish() } as const;
      this.#enter({ status: this.isLive ? "live" : "subscribing", request: requests.ask(frame, (answer, request) => this.#answered(answer, request)) });
    } catch (error) {
      this.#refuse(error as TuttiError);
    }
  }

  /** One hole is mended at a time: the first at once; when mending brings nothing, the next after a pause. */
  #repair(): void {
    if (this.#setbacks++ === 0) this.#ask();
    else this.#askLater();
  }

  #askLater(retryAfterMs?: number): void {
    const { environment } = this.#core;
    this.#interrupt();
    this.#pause = environment.after(backoffMs(environment, this.#setbacks++, retryAfterMs), () => this.#ask());
  }

  #answered(answer: Answer, request: string): void {
    // The answer to an older request: its subscription was replaced by the one that is awaited.
    if (answer.kind === "lost" || !("request" in this.#phase) || this.#phase.request !== request) return;
    if (answer.kind === "success") this.#begin(subscribeResult.read(answer.data, "data"));
    else if (isFinal(answer.error.code)) this.#refuse(answer.error);
    else this.#askLater(answer.error.retryAfterMs);
  }

  /** The server's answer: from here on the subscription is live. */
  #begin(start: SubscriptionStart): void {
    const phase = this.#phase;
    const last = this.position;
    const goesOn = last !== undefined && samePosition(last, start.position);
    // A start elsewhere than asked for is a gap, also where the server does not call it one.
    const gap = last === undefined || goesOn || this.#core.config.guards.recovery === false ? undefined : { from: last, to: start.position };
    if (!goesOn || start.gap !== undefined || start.snapshot !== undefined) this.#startOver(start, gap);
    // A listener that heard of a gap may have ended it.
    if (this.#phase !== phase) return;
    this.#pause?.();
    this.#enter({ status: "live" });
    this.#events.live();
    this.#resolve();
  }

  #startOver(start: SubscriptionStart, gap: Gap | undefined): void {
    if (this.position === undefined || !samePosition(this.position, start.position)) this.position = start.position;
    // The gap starts where this client is: the server tells where it was itself.
    this.#events.started(start, gap ?? start.gap);
  }

  #resolve(): void {
    this.#wait?.resolve();
    this.#wait = undefined;
  }

  #refuse(error: TuttiError): void {
    this.#end({ status: "refused", error }, error);
  }

  #interrupt(): void {
    const wasLive = this.isLive;
    this.#enter({ status: "subscribing" });
    if (wasLive) this.#events.ended();
  }

  #end(phase: Phase, error: TuttiError): void {
    this.#pause?.();
    this.position = undefined;
    this.#phase = phase;
    this.#info.invalidate();
    this.abandon(error);
    this.#events.ended(error);
    // Last, since who hears it may subscribe again.
    this.#info.changed();
  }

  #enter(phase: Phase): void {
    const { status } = this.#phase;
    this.#phase = phase;
    if (phase.status !== status) this.#info.changed();
  }
}
