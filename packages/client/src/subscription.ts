import { samePosition, subscribeResult, type Cancel, type LastSeen, type Position, type ServerFrameOf, type SubscriptionStart, type TuttiError } from "@tutti/protocol";
import { backoffMs } from "./backoff.js";
import type { Core } from "./core.js";
import { Deferred } from "./deferred.js";
import { follow, type PlacedEvent } from "./position-chain.js";
import type { Answer } from "./requests.js";
import { makeStore, type ReadonlyStore, type Store } from "./store.js";

export interface SubscriptionInfo {
  /** `left`: the server ended it. After `refused` and `left` the client does not come back by itself. */
  readonly status: "unsubscribed" | "subscribing" | "live" | "refused" | "left";
  readonly error?: TuttiError | undefined;
}

/** Positions that cannot be had any more: after `from`, up to and including `to`. */
export interface Gap {
  readonly from: Position;
  readonly to: Position;
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
export class Subscription {
  readonly #channel: string;
  readonly #core: Core;
  readonly #events: SubscriptionEvents;
  readonly #store: Store<SubscriptionInfo>;
  #info: SubscriptionInfo = { status: "unsubscribed" };
  /** Runs while an answer, or the time to ask again, is awaited: also when it is live, for what a hole has swallowed. */
  #request: Cancel | undefined;
  /** Whoever waits for it to be live. */
  #wait: Deferred<void> | undefined;
  /** How many holes were found since an event came through. */
  #holes = 0;
  /** The last position, from the first start until the subscription ends. */
  position: LastSeen | undefined;

  constructor(channel: string, core: Core, events: SubscriptionEvents) {
    this.#channel = channel;
    this.#core = core;
    this.#events = events;
    this.#store = makeStore(core.report, () => this.#info);
  }

  get info(): ReadonlyStore<SubscriptionInfo> {
    return this.#store;
  }

  get isLive(): boolean {
    return this.#info.status === "live";
  }

  /** Whether it is asked for again after a reconnect. */
  get isWanted(): boolean {
    return this.isLive || this.#info.status === "subscribing";
  }

  /** Resolves when the subscription is live. @param again asks although it is live or under way, because the wish changed */
  start(again: boolean): Promise<void> {
    const { promise } = (this.#wait ??= new Deferred());
    if (again || !this.isWanted) this.#ask();
    else if (this.isLive && this.#request === undefined) this.abandon();
    return promise;
  }

  /** Ends it, unless it has ended. @returns whether it was wanted till now */
  end(status: "unsubscribed" | "refused" | "left", error: TuttiError): boolean {
    const { isWanted } = this;
    if (isWanted) this.#end({ status, error: status === "unsubscribed" ? undefined : error }, error);
    return isWanted;
  }

  /** Settles the promise that waits; the subscription goes on. */
  abandon(error?: unknown): void {
    const wait = this.#wait;
    this.#wait = undefined;
    if (error === undefined) wait?.resolve();
    else wait?.reject(error);
  }

  lineUp(): void {
    if (this.isWanted) this.#ask();
  }

  lineDown(): void {
    const { isLive, isWanted } = this;
    this.#stopAsking();
    if (isWanted) this.#enter("subscribing");
    if (isLive) this.#events.ended();
  }

  batch(frame: ServerFrameOf<"events">): void {
    // What arrives while an answer is awaited belongs to the subscription before it; the answer goes on from the last position.
    if (!this.isLive || this.#request !== undefined || this.position === undefined) return;
    const chain = follow(this.position, frame, this.#core.config.guards);
    if (chain.kind === "hole") return this.#mend();
    for (const placed of chain.events) {
      this.#holes = 0;
      const seen = (this.position = { ...placed.position, eventId: placed.event.eventId });
      this.#events.event(placed);
      // A listener may have ended the subscription, or begun another.
      if (this.position !== seen) break;
    }
    this.#events.passed();
  }

  gap({ start }: ServerFrameOf<"gap">): void {
    if (this.isLive && this.#request === undefined) this.#startOver(start, this.position);
  }

  /** The server put the session into the channel. */
  joined(start: SubscriptionStart): void {
    // Where the client was before, the server does not know: what lies in between is asked for.
    if (this.position !== undefined) this.#ask();
    else if (this.#request === undefined) this.#begin(start);
  }

  #ask(): void {
    const { requests, config } = this.#core;
    this.#stopAsking();
    if (!this.isLive) this.#enter("subscribing");
    if (!requests.isUp) return;
    const since = config.guards.recovery === false ? undefined : this.position;
    const request = () => ({ op: "subscribe", channel: this.#channel, since, ...this.#events.wish() }) as const;
    const cancel = requests.persist(request, (answer) => this.#answered(answer));
    // What cannot be sent is refused before it is sent.
    if (this.isWanted) this.#request = cancel;
  }

  /** One hole is mended at a time: the first at once; when mending brought nothing, the next after a pause. */
  #mend(): void {
    const { environment } = this.#core;
    if (this.#holes++ === 0) this.#ask();
    else this.#request = environment.after(backoffMs(environment, this.#holes), () => this.#ask());
  }

  #answered(answer: Answer): void {
    this.#request = undefined;
    if (answer.kind === "success") this.#begin(subscribeResult.read(answer.data, "data"));
    else if (answer.kind === "error") this.end("refused", answer.error);
  }

  /** The server's answer: from here on the subscription is live. */
  #begin(start: SubscriptionStart): void {
    const last = this.position;
    // A start elsewhere than asked for is a gap, also where the server does not call it one.
    const goesOn = last !== undefined && samePosition(last, start.position);
    if (!goesOn || start.gap !== undefined || start.snapshot !== undefined) this.#startOver(start, goesOn || this.#core.config.guards.recovery === false ? undefined : last);
    // A listener that heard of a gap may have ended it, or asked again.
    if (this.position === undefined || this.#request !== undefined) return;
    this.#enter("live");
    this.#events.live();
    this.abandon();
  }

  #startOver(start: SubscriptionStart, from: Position | undefined): void {
    const { position } = start;
    // What is known of the last event is kept where it is still the last.
    if (this.position === undefined || !samePosition(this.position, position)) this.position = position;
    this.#events.started(start, start.gap ?? (from && { from, to: position }));
  }

  #stopAsking(): void {
    this.#request?.();
    this.#request = undefined;
  }

  #end(info: SubscriptionInfo, error: TuttiError): void {
    this.#stopAsking();
    this.position = undefined;
    this.#info = info;
    this.#store.invalidate();
    this.abandon(error);
    this.#events.ended(error);
    // Last, since who hears it may subscribe again.
    this.#store.changed();
  }

  #enter(status: "subscribing" | "live"): void {
    if (this.#info.status === status) return;
    this.#info = { status };
    this.#store.changed();
  }
}
