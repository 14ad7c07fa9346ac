import {
  isFinal,
  samePosition,
  subscribeResult,
  TuttiError,
  type Cancel,
  type Environment,
  type LastSeen,
  type Position,
  type ServerFrameOf,
  type SubscriptionStart,
} from "@tutti/protocol";
import { Backoff } from "./backoff.js";
import { Deferred } from "./deferred.js";
import type { Report } from "./emitter.js";
import type { Guards } from "./options.js";
import { follow, type PlacedEvent } from "./position-chain.js";
import type { Reply, Requests } from "./requests.js";
import { Store, type ReadonlyStore } from "./store.js";

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
  | { readonly kind: "unsubscribed" }
  /** Asked for when the connection is up, or the pause over. */
  | { readonly kind: "waiting" }
  | { readonly kind: "requested"; readonly correlationId: string }
  /** Live, and asking for what a hole has swallowed. */
  | { readonly kind: "repairing"; readonly correlationId: string }
  | { readonly kind: "live" }
  | { readonly kind: "refused" | "left"; readonly error: TuttiError };

/** What a channel does with what its subscription brings. */
export interface SubscriptionEvents {
  /** What stands in the subscribe frame besides channel and position. */
  wish(): { readonly presence?: boolean; readonly member?: unknown };
  /** The channel starts over at `start`, which tells of a gap where something is lost. */
  started(start: SubscriptionStart, gap: Gap | undefined): void;
  /** One event, in order, once. */
  event(placed: PlacedEvent): void;
  /** The events of one message are through. */
  settled(): void;
  live(): void;
  /** Nothing of the channel arrives until it is live again. `error`: it was ended. */
  ended(error: TuttiError | undefined): void;
}

export interface SubscriptionArguments {
  readonly channel: string;
  readonly environment: Environment;
  readonly requests: Requests;
  readonly guards: Guards;
  readonly report: Report;
}

/** One channel's subscription: asked for after every reconnect, from the last position, and without a silent hole. */
export class Subscription {
  readonly #with: SubscriptionArguments;
  readonly #events: SubscriptionEvents;
  readonly #info: Store<SubscriptionInfo>;
  readonly #backoff: Backoff;
  #phase: Phase = { kind: "unsubscribed" };
  #last: LastSeen | undefined;
  #repairs = 0;
  #wait: Deferred<void> | undefined;
  #pause: Cancel | undefined;

  constructor(given: SubscriptionArguments, events: SubscriptionEvents) {
    this.#with = given;
    this.#events = events;
    this.#backoff = new Backoff(given.environment);
    this.#info = new Store(() => infoOf(this.#phase), given.report);
  }

  get info(): ReadonlyStore<SubscriptionInfo> {
    return this.#info;
  }

  get isLive(): boolean {
    return this.#phase.kind === "live" || this.#phase.kind === "repairing";
  }

  /** Whether it is asked for again after a reconnect. */
  get isWanted(): boolean {
    return this.isLive || this.#phase.kind === "waiting" || this.#phase.kind === "requested";
  }

  /** The last position, from the first start until the subscription ends. */
  get position(): LastSeen | undefined {
    return this.#last;
  }

  /** Resolves when the subscription is live; asks again when `again` is set, for example because the wish changed. */
  start(again: boolean): Promise<void> {
    if (this.#phase.kind === "live" && !again) return Promise.resolve();
    const wait = (this.#wait ??= new Deferred<void>());
    const isUnderWay = this.#phase.kind === "requested" || this.#phase.kind === "waiting";
    if (again || !isUnderWay) this.#ask();
    return wait.promise;
  }

  /** Ends it here. @returns whether the server has to be told */
  stop(error: TuttiError): boolean {
    const known = this.isLive || this.#phase.kind === "requested";
    this.#end({ kind: "unsubscribed" }, error);
    return known && this.#with.requests.isUp;
  }

  /** The promise that waits is not kept any longer; the subscription itself goes on. */
  abandon(error: TuttiError): void {
    this.#wait?.reject(error);
    this.#wait = undefined;
  }

  lineUp(): void {
    if (this.isWanted) this.#ask();
  }

  lineDown(): void {
    if (!this.isWanted) return;
    const wasLive = this.isLive;
    this.#stopPause();
    this.#enter({ kind: "waiting" });
    if (wasLive) this.#events.ended(undefined);
  }

  batch(frame: ServerFrameOf<"events">): void {
    const phase = this.#phase;
    // What arrives while an answer is awaited belongs to the subscription before it; the answer goes on from the last position.
    if (phase.kind !== "live" || this.#last === undefined) return;
    const chain = follow(this.#last, frame, this.#with.guards);
    if (chain.kind === "hole") return this.#repair();
    if (chain.events.length > 0) this.#repairs = 0;
    for (const placed of chain.events) {
      this.#last = { ...placed.position, eventId: placed.event.eventId };
      this.#events.event(placed);
      // A listener may have ended the subscription, or begun another.
      if (this.#phase !== phase) break;
    }
    if (chain.events.length > 0) this.#events.settled();
  }

  gap({ start }: ServerFrameOf<"gap">): void {
    if (this.#phase.kind === "live") this.#startOver(start, "gap");
  }

  /** The server put the session into the channel. */
  joined(start: SubscriptionStart): void {
    if (this.#phase.kind === "requested" || this.#phase.kind === "repairing") return;
    // Where the client was before, the server does not know: what lies in between is asked for.
    if (this.#last === undefined) this.#begin(start);
    else this.#ask();
  }

  /** The server ended it. */
  left(error: TuttiError): void {
    if (this.isWanted) this.#end({ kind: "left", error }, error);
  }

  #ask(): void {
    const { requests, channel, guards } = this.#with;
    this.#stopPause();
    if (!requests.isUp) return this.#enter({ kind: "waiting" });
    const since = guards.recovery === false ? undefined : this.#last;
    const kind = this.isLive ? "repairing" : "requested";
    try {
      const correlationId = requests.ask({ op: "subscribe", channel, ...(since && { since }), ...this.#events.wish() }, (reply) => this.#answered(reply));
      this.#enter({ kind, correlationId });
    } catch (cause) {
      const error = cause instanceof TuttiError ? cause : new TuttiError("INTERNAL", { cause });
      this.#end({ kind: "refused", error }, error);
    }
  }

  /** One hole is mended at a time. The first at once; when mending brings no event, the next after a pause. */
  #repair(): void {
    if (this.#repairs++ === 0) return this.#ask();
    this.#enter({ kind: "waiting" });
    this.#events.ended(undefined);
    this.#pauseFor(undefined);
  }

  #answered(reply: Reply): void {
    const phase = this.#phase;
    const isAwaited = phase.kind === "requested" || phase.kind === "repairing";
    // The answer to an older request: its subscription was replaced by the one that is awaited.
    if (reply.kind === "lost" || !isAwaited || reply.correlationId !== phase.correlationId) return;
    if (reply.kind === "success") {
      return this.#begin(subscribeResult.read(reply.data, "data"));
    }
    if (isFinal(reply.error.code)) return this.#end({ kind: "refused", error: reply.error }, reply.error);
    if (this.isLive) this.#events.ended(undefined);
    this.#enter({ kind: "waiting" });
    this.#pauseFor(reply.error.retryAfterMs);
  }

  /** The server's answer: from here on the subscription is live. */
  #begin(start: SubscriptionStart): void {
    const phase = this.#phase;
    this.#startOver(start, "answer");
    // A listener that heard of a gap may have ended it.
    if (this.#phase !== phase) return;
    this.#stopPause();
    this.#backoff.reset();
    this.#enter({ kind: "live" });
    const wait = this.#wait;
    this.#wait = undefined;
    this.#events.live();
    wait?.resolve();
  }

  #startOver(start: SubscriptionStart, from: "answer" | "gap"): void {
    const last = this.#last;
    const { position, snapshot } = start;
    const goesOn = from === "answer" && last !== undefined && samePosition(last, position) && start.gap === undefined;
    if (goesOn && snapshot === undefined) return;
    if (!goesOn) this.#last = position;
    // A start elsewhere than asked for is a gap, also where the server does not call it one.
    const unnamed = last === undefined || goesOn || this.#with.guards.recovery === false ? undefined : { from: positionOf(last), to: position };
    this.#events.started(start, start.gap ?? unnamed);
  }

  #end(phase: Phase, error: TuttiError): void {
    this.#stopPause();
    this.#last = undefined;
    this.#enter(phase);
    this.abandon(error);
    this.#events.ended(error);
  }

  #pauseFor(retryAfterMs: number | undefined): void {
    this.#pause = this.#with.environment.after(this.#backoff.nextMs(retryAfterMs), () => this.#ask());
  }

  #stopPause(): void {
    this.#pause?.();
    this.#pause = undefined;
  }

  #enter(phase: Phase): void {
    const before = infoOf(this.#phase);
    this.#phase = phase;
    if (infoOf(phase).status !== before.status) this.#info.changed();
  }
}

const positionOf = ({ epoch, seq }: LastSeen): Position => ({ epoch, seq });

function infoOf(phase: Phase): SubscriptionInfo {
  switch (phase.kind) {
    case "waiting":
    case "requested":
      return { status: "subscribing" };
    case "repairing":
      return { status: "live" };
    case "unsubscribed":
    case "live":
      return { status: phase.kind };
    case "refused":
    case "left":
      return { status: phase.kind, error: phase.error };
    default:
      return phase satisfies never;
  }
}
