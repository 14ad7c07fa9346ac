import { TuttiError, type Position, type StateDefinition, type Schemas, type SubscriptionStart, type WireEvent } from "@tutti/protocol";
import type { Core } from "./core.js";
import type { Entry } from "./outbound-queue.js";
import type { PlacedEvent } from "./position-chain.js";
import { eventIdOf } from "./session.js";
import { makeStore, type Store } from "./store.js";

interface Overlaid {
  readonly entry: Entry;
  /** Where its ack says that its event is; until canonical state has come that far, the event is still shown from here. */
  ackedAt: Position | undefined;
}

/** Counts in a state that cannot be read: it stands still until a snapshot fits. */
type Condition = "usable" | "unusable";

/** The state of a channel: what the events make of it, and on top of that what this client has published and not seen yet. */
export class OptimisticState {
  readonly store: Store<unknown>;
  readonly #channel: string;
  readonly #core: Core;
  readonly #state: StateDefinition<unknown, Schemas>;
  readonly #knows: (type: string) => boolean;
  #overlay: Overlaid[] = [];
  #condition: Condition = "usable";
  canonical: unknown;
  /** How many events `reduce` threw at. */
  skipped = 0;

  /** @param knows whether an event of this type is in the contract: others move their position and nothing else */
  constructor(channel: string, core: Core, state: StateDefinition<unknown, Schemas>, knows: (type: string) => boolean) {
    this.#channel = channel;
    this.#core = core;
    this.#state = state;
    this.#knows = knows;
    this.canonical = state.initial;
    this.store = makeStore(core.report, () => this.#overlay.reduce((below, { entry }) => this.#replay(below, entry), this.canonical));
  }

  /** A publish of this client: shown from now on. */
  published(entry: Entry): void {
    if (this.#knows(entry.type)) this.#overlay.push({ entry, ackedAt: undefined });
    this.store.changed();
  }

  /** The publish landed; its event is shown from here until canonical state, now at `reached`, has it. */
  acked(entry: Entry, position: Position, reached: Position | undefined): void {
    const overlaid = this.#overlay.find((other) => other.entry === entry);
    if (overlaid !== undefined) overlaid.ackedAt = position;
    if (reached?.epoch === position.epoch) this.#reach(reached, "event");
    this.store.changed();
  }

  /** The publish was refused, or its event takes its place. */
  withdraw(entry: Entry): void {
    this.#overlay = this.#overlay.filter((other) => other.entry !== entry);
    this.store.changed();
  }

  /** Reduces the next event; `store.changed` is for the caller, once for all events of a message. */
  event({ position, event }: PlacedEvent): void {
    if (this.#condition === "usable" && this.#knows(event.type)) this.#advance(event);
    this.#reach(position, "event");
    this.store.invalidate();
  }

  /** Takes the state from a snapshot; without one, the first start is from nothing. */
  startOver({ position, snapshot }: SubscriptionStart, isFirst: boolean): void {
    if (snapshot !== undefined) this.#take(snapshot);
    else if (isFirst) this.#become(this.#state.initial);
    this.#reach(position, "start");
    this.store.changed();
  }

  /** Nothing of the channel arrives any longer: what was acked is not waited for. */
  ended(): void {
    this.#overlay = this.#overlay.filter(({ ackedAt }) => ackedAt === undefined);
    this.store.changed();
  }

  #become(state: unknown): void {
    this.canonical = state;
    this.#condition = "usable";
  }

  #advance(event: WireEvent): void {
    try {
      this.canonical = this.#reduce(this.canonical, event);
    } catch (cause) {
      this.skipped++;
      this.#core.error(new TuttiError("INTERNAL", { message: "reduce threw", cause }), this.#channel);
    }
  }

  #replay(below: unknown, { n, type, payload, timestamp }: Entry): unknown {
    const { session } = this.#core;
    try {
      return this.#reduce(below, { eventId: eventIdOf(session, n), type, payload, timestamp, ...(session.user !== undefined && { user: session.user }) });
    } catch {
      return below;
    }
  }

  #reduce(state: unknown, { type, payload, eventId, timestamp, user }: WireEvent): unknown {
    return this.#state.reduce(state, { type, payload, eventId, timestamp, ...(user !== undefined && { user }) });
  }

  /** Drops what canonical state has by now. Where a subscription starts in another epoch, an acked event is there already, or lost. */
  #reach({ epoch, seq }: Position, by: "event" | "start"): void {
    this.#overlay = this.#overlay.filter(({ ackedAt }) => ackedAt === undefined || (ackedAt.epoch === epoch ? ackedAt.seq > seq : by === "event"));
  }

  #take({ version, state }: { readonly version: number; readonly state?: unknown }): void {
    const { migrate, version: own } = this.#state;
    try {
      if (version !== own && (migrate === undefined || version > own)) throw new TuttiError("VERSION_UNSUPPORTED");
      this.#become(version === own ? state : migrate?.(state, version));
    } catch (cause) {
      this.#condition = "unusable";
      this.#core.error(new TuttiError("VERSION_UNSUPPORTED", { message: `a state of version ${version}`, cause }), this.#channel);
    }
  }
}
