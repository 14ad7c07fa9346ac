import { TuttiError, type Contract, type LastSeen, type Position, type Schemas, type Snapshot, type StateDefinition, type SubscriptionStart } from "@tutti/protocol";
import type { Core } from "./core.js";
import type { Entry, PublishResult } from "./outbound-queue.js";
import type { PlacedEvent } from "./position-chain.js";
import { eventIdOf } from "./session.js";
import type { StoredState } from "./storage.js";
import { makeStore, type Store } from "./store.js";

/** A publish that was acked, and whose event canonical state does not have yet. */
interface Landed {
  readonly entry: Entry;
  /** Where its ack says that its event is. */
  readonly ackedAt: Position;
}

/** The state of a channel: what the events make of it, and on top of that what this client has published and not seen yet. */
export interface OptimisticState {
  readonly store: Store<unknown>;
  canonical(): unknown;
  /** How many events `reduce` threw at. */
  skipped(): number;
  /**
   * The publish landed, and does not wait any longer; its event, as the server made it, is shown from here until canonical state, now at
   * `reached`, has it.
   */
  acked(entry: Entry, result: PublishResult, reached: Position | undefined): void;
  /** Reduces the next event; `store.changed` is for the caller, once for all events of a message. */
  event(placed: PlacedEvent): void;
  /** Takes the state from a snapshot; without one, the first start is from nothing. */
  startOver(start: SubscriptionStart, isFirst: boolean): void;
  /** Takes the state that an earlier page had. Throws where it cannot be read, and changes nothing. */
  resume(stored: StoredState): void;
  /** What a later page may resume from. */
  stored(position: LastSeen | undefined): StoredState | undefined;
  /** Forgets all, for another user. */
  clear(): void;
  /** Nothing of the channel arrives any longer: what was acked is not waited for. */
  ended(): void;
}

/**
 * @param waiting the publishes that are not settled; where they change, `store.changed` is for the caller
 * @param knows whether an event of this type is in the contract: others move their position and nothing else
 */
export function makeOptimisticState(
  channel: string,
  core: Core,
  { reduceEvent, readSnapshot }: Contract,
  definition: StateDefinition<unknown, Schemas>,
  waiting: () => readonly Entry[],
  knows: (type: string) => boolean,
): OptimisticState {
  const { session, report, error } = core;
  const { version, initial } = definition;
  let canonical: unknown = initial;
  /** What was acked and is not in canonical state yet. */
  let landed: readonly Landed[] = [];
  let skipped = 0;
  /** Not where it is of a version that cannot be read: it stands still until a snapshot fits. */
  let isUsable = true;

  const replay = (below: unknown, entry: Entry): unknown => {
    try {
      return knows(entry.type) ? reduceEvent(definition, below, { ...entry, eventId: eventIdOf(session, entry.n), user: session.user }) : below;
    } catch {
      return below;
    }
  };
  /** Those that the channel was in: a new one begins where a log lost something, so they are few. */
  const epochs = new Set<string>();
  // Acks may overtake one another; the events come in the order of their numbers.
  const shown = (): readonly Entry[] => [...landed.map(({ entry }) => entry), ...waiting()].toSorted((a, b) => a.n - b.n);
  const store = makeStore(report, () => shown().reduce(replay, canonical));
  /** Drops what canonical state has by now. Where a subscription starts in another epoch, an acked event is there already, or lost. */
  const reach = ({ epoch, seq }: Position, by: "event" | "start"): void => {
    landed = landed.filter(({ ackedAt }) => (ackedAt.epoch === epoch ? ackedAt.seq > seq : by === "event"));
    store.invalidate();
  };
  /** @throws TuttiError `VERSION_UNSUPPORTED` */
  const take = (snapshot: Snapshot): void => {
    canonical = readSnapshot(definition, snapshot);
    isUsable = true;
  };

  return {
    store,
    canonical: () => canonical,
    skipped: () => skipped,
    acked(entry, { position, payload = entry.payload }, reached) {
      landed = [...landed, { entry: { ...entry, payload }, ackedAt: position }];
      // An ack may come from an epoch that is not known yet, and whose start is to come; of one that was left, the start of the next had all.
      if (reached !== undefined && (reached.epoch === position.epoch || epochs.has(position.epoch))) reach(reached, "start");
    },
    event({ position, event }) {
      try {
        if (isUsable && knows(event.type)) canonical = reduceEvent(definition, canonical, event);
      } catch (cause) {
        skipped++;
        error(new TuttiError("INTERNAL", { cause }), channel);
      }
      reach(position, "event");
    },
    startOver({ position, snapshot }, isFirst) {
      try {
        if (snapshot !== undefined) take(snapshot);
        else if (isFirst) take({ version, state: initial });
      } catch (failure) {
        isUsable = false;
        error(failure as TuttiError, channel);
      }
      epochs.add(position.epoch);
      reach(position, "start");
      store.changed();
    },
    resume(stored) {
      take(stored);
      epochs.add(stored.position.epoch);
      // Another page may have seen what this one was told of by an ack alone.
      reach(stored.position, "start");
      store.changed();
    },
    stored: (position) => (position && isUsable ? { position, version, state: canonical } : undefined),
    clear() {
      canonical = initial;
      landed = [];
    },
    ended() {
      landed = [];
      store.changed();
    },
  };
}
