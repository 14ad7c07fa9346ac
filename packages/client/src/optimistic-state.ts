import { TuttiError, type LastSeen, type Position, type SubscriptionStart, type WireEvent } from "@tutti/protocol";
import type { PlacedEvent } from "./position-chain.js";
import type { Report } from "./emitter.js";
import { Store } from "./store.js";

/** The part of a contract's state that the client needs. */
export interface Reducer {
  readonly version: number;
  readonly initial: unknown;
  readonly reduce: (state: unknown, event: ReducedEvent) => unknown;
  readonly migrate?: ((state: unknown, version: number) => unknown) | undefined;
}

/** What a reducer sees of an event. */
export interface ReducedEvent {
  readonly type: string;
  readonly payload: unknown;
  readonly eventId: string;
  readonly timestamp: number;
  readonly user?: string;
}

/** A publish that the canonical state does not have yet. */
export interface PendingEvent {
  readonly n: number;
  readonly type: string;
  readonly payload: unknown;
  readonly timestamp: number;
}

interface Overlaid {
  readonly pending: PendingEvent;
  /** Where its ack says that its event is; until canonical state has come that far, the event is still shown from here. */
  ackedAt: Position | undefined;
}

export interface StateArguments {
  readonly reducer: Reducer;
  /** Whether an event of this type is in the contract: others move their position and nothing else. */
  readonly knows: (type: string) => boolean;
  /** Who a pending event is from. */
  readonly author: (n: number) => Pick<ReducedEvent, "eventId" | "user">;
  readonly report: Report;
  readonly error: (error: TuttiError) => void;
}

/** The state of a channel: what the events make of it, and on top of that what this client has published and not seen yet. */
export class OptimisticState {
  readonly #with: StateArguments;
  readonly store: Store<unknown>;
  #canonical: unknown;
  #overlay: Overlaid[] = [];
  /** `unusable`: of a version that this contract cannot read; it stands still until a snapshot fits. */
  #condition: "usable" | "unusable" = "usable";
  #skipped = 0;

  constructor(given: StateArguments) {
    this.#with = given;
    this.#canonical = given.reducer.initial;
    this.store = new Store(() => this.#overlay.reduce((state, { pending }) => this.#replay(state, pending), this.#canonical), given.report);
  }

  get canonical(): unknown {
    return this.#canonical;
  }

  /** How many events `reduce` threw at. */
  get skipped(): number {
    return this.#skipped;
  }

  /** A publish of this client: shown from now on. */
  published(pending: PendingEvent): void {
    if (!this.#with.knows(pending.type)) return;
    this.#overlay.push({ pending, ackedAt: undefined });
    this.store.changed();
  }

  /**
   * The publish landed; its event is shown from here until canonical state has it.
   *
   * @param reached where canonical state is, if anywhere yet
   */
  acked(pending: PendingEvent, position: Position, reached: Position | undefined): void {
    const overlaid = this.#overlay.find((other) => other.pending === pending);
    if (overlaid === undefined) return;
    overlaid.ackedAt = position;
    if (reached !== undefined && reached.epoch === position.epoch && reached.seq >= position.seq) this.withdraw(pending);
  }

  /** The publish was refused, or its event takes its place. */
  withdraw(pending: PendingEvent): void {
    const rest = this.#overlay.filter((other) => other.pending !== pending);
    if (rest.length === this.#overlay.length) return;
    this.#overlay = rest;
    this.store.changed();
  }

  /** Who publishes changed: pending events have other ids. */
  renamed(): void {
    if (this.#overlay.length > 0) this.store.changed();
  }

  /** Reduces the next event; `changed` of the store is for the caller, once for all events of a message. */
  event({ position, event }: PlacedEvent): void {
    if (this.#condition === "usable" && this.#with.knows(event.type)) this.#advance(event);
    this.#reach(position, "event");
    this.store.invalidate();
  }

  startOver({ position, snapshot }: SubscriptionStart, isFirst: boolean): void {
    const state = snapshot === undefined ? undefined : this.#read(snapshot);
    if (state !== undefined) this.#become(state.value);
    else if (snapshot === undefined && isFirst) this.#become(this.#with.reducer.initial);
    this.#reach(position, "start");
    this.store.changed();
  }

  /** Nothing of the channel arrives any longer: what was acked stays no longer than its event would have. */
  ended(): void {
    this.#overlay = this.#overlay.filter(({ ackedAt }) => ackedAt === undefined);
    this.store.changed();
  }

  #become(state: unknown): void {
    this.#canonical = state;
    this.#condition = "usable";
  }

  #advance(event: WireEvent): void {
    try {
      this.#canonical = this.#with.reducer.reduce(this.#canonical, eventOf(event));
    } catch (cause) {
      this.#skipped += 1;
      this.#with.error(new TuttiError("INTERNAL", { message: `reduce threw at ${event.type}`, cause }));
    }
  }

  #replay(state: unknown, { n, type, payload, timestamp }: PendingEvent): unknown {
    try {
      return this.#with.reducer.reduce(state, { type, payload, timestamp, ...this.#with.author(n) });
    } catch {
      return state;
    }
  }

  /** Drops what canonical state has by now. In another epoch an acked event is there already, or lost. */
  #reach(position: LastSeen, by: "event" | "start"): void {
    if (this.#overlay.length === 0) return;
    this.#overlay = this.#overlay.filter(({ ackedAt }) => {
      if (ackedAt === undefined) return true;
      return ackedAt.epoch === position.epoch ? ackedAt.seq > position.seq : by === "event";
    });
  }

  #read({ version, state }: { readonly version: number; readonly state?: unknown }): { readonly value: unknown } | undefined {
    const { reducer } = this.#with;
    if (version === reducer.version) return { value: state };
    try {
      if (reducer.migrate !== undefined && version < reducer.version) return { value: reducer.migrate(state, version) };
      this.#unreadable(version, undefined);
    } catch (cause) {
      this.#unreadable(version, cause);
    }
    return undefined;
  }

  #unreadable(version: number, cause: unknown): void {
    this.#condition = "unusable";
    this.#with.error(new TuttiError("VERSION_UNSUPPORTED", { message: `the state is of version ${version}`, cause }));
  }
}

function eventOf({ type, payload, eventId, timestamp, user }: WireEvent): ReducedEvent {
  return { type, payload, eventId, timestamp, ...(user !== undefined && { user }) };
}
