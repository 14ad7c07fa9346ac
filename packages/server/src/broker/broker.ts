import type { LastSeen, Position, Rewind, WireError } from "@tutti/protocol";

/** An event as the log keeps it. */
export interface LoggedEvent {
  readonly seq: number;
  /** The `seq` of the event before it; `0` for the first. Read from the log, never assumed: a broker may count in jumps. */
  readonly prev: number;
  readonly eventId: string;
  readonly type: string;
  readonly payload: unknown;
  /** The node's clock when it was appended, Unix ms. */
  readonly timestamp: number;
  readonly user?: string;
}

/** What is to be logged; the broker assigns the position. */
export type NewEvent = Omit<LoggedEvent, "seq" | "prev">;

/** Events of one channel that follow each other in the log. */
export interface EventRun {
  readonly epoch: string;
  readonly events: readonly LoggedEvent[];
  /** The id of the event before the first, where the broker names it: by that a log shows that lost its tail and went on. */
  readonly before?: string;
}

/** A client's count of its publishes to a channel. */
export interface PublisherCount {
  /** The public id of the session. */
  readonly session: string;
  readonly n: number;
  /** Everything up to here is settled at the client, so it is not waited for. */
  readonly settled: number;
}

/** An idempotency key, within the channel and the principal that used it. */
export interface IdempotencyKey {
  readonly principal: string;
  readonly key: string;
}

export interface AppendRequest {
  readonly event: NewEvent;
  /** Counts the publish: at most one of `publisher` and `key`. */
  readonly publisher?: PublisherCount;
  readonly key?: IdempotencyKey;
  /** Appends only where this is the head. */
  readonly expected?: Position;
  /** What else of the channel may go now. Without it the broker forgets nothing: the channel has state, and the nodes trim it. */
  readonly retention?: Retention;
}

/** Events are kept while `countMin` or `ageMsMin` wants them kept, up to `countMax` of them and `bytesMax` of what they take encoded. */
export interface Retention {
  readonly countMin: number;
  readonly ageMsMin: number;
  readonly countMax: number;
  readonly bytesMax: number;
}

/** What a `trim` leaves. */
export interface Keep extends Retention {
  /** Also what is not in the snapshot that is kept when it is trimmed: the one that was saved may have been lost since, with the tail of the log. */
  readonly unsaved?: boolean;
}

/** What became of a publish. */
export type Outcome =
  | { readonly outcome: "appended"; readonly position: Position }
  /** It is in the log already, at this position. */
  | { readonly outcome: "repeat"; readonly position: Position }
  /** It was refused earlier, for good. */
  | { readonly outcome: "refused"; readonly error: WireError }
  /** It is settled, and the log no longer knows how. */
  | { readonly outcome: "unknown" }
  /** Something before it is neither landed nor settled. */
  | { readonly outcome: "out-of-order"; readonly highest: number }
  /** The head is not the expected one. */
  | { readonly outcome: "conflict"; readonly head: Position };

export type Page =
  | { readonly outcome: "page"; readonly run: EventRun; readonly head: Position }
  /** The position is below the floor, of another epoch, from the future, or another event stands there. */
  | { readonly outcome: "gap"; readonly floor: LastSeen; readonly head: LastSeen };

export interface Head {
  readonly position: Position;
  /** The event there, where the log knows it. */
  readonly eventId?: string;
  /** Everything after this `seq` can be read. */
  readonly floor: number;
  /** The event at the floor, the last one that was forgotten, where the log knows it. */
  readonly floorEventId?: string;
}

/** The position of a head or a snapshot, with what was seen there. */
export function lastSeen({ position: { epoch, seq }, eventId }: Pick<Head, "position" | "eventId">): LastSeen {
  return { epoch, seq, ...(eventId !== undefined && { eventId }) };
}

/** Where a log begins that has this head. */
export function floorOf({ position: { epoch }, floor, floorEventId }: Head): LastSeen {
  return { epoch, seq: floor, ...(floorEventId !== undefined && { eventId: floorEventId }) };
}

/** Whether two events of one place are known to be different ones. */
export function isOther(one: Pick<LastSeen, "eventId">, two: Pick<LastSeen, "eventId">): boolean {
  return one.eventId !== undefined && two.eventId !== undefined && one.eventId !== two.eventId;
}

export interface ReadOptions {
  readonly countMax: number;
}

/** The state of a channel at a position, as the application's reducer of that version made it. */
export interface StoredSnapshot {
  readonly position: Position;
  /** The event there, where it is known. */
  readonly eventId?: string;
  readonly version: number;
  readonly state: unknown;
}

/** Whether a node can work with its broker at the moment; `reason` is for operators. */
export type BrokerHealth = { readonly status: "ready" } | { readonly status: "unavailable"; readonly reason: string };

/**
 * The log, the bus and the shelf for snapshots behind the nodes.
 *
 * Promises of every broker, tested by one contract suite: `append` assigns rising positions, counts publishers and delivers to subscribers
 * at once; a promise that it resolved is kept as long as the broker promises to keep anything. A promise that rejects leaves the outcome
 * open: the event may have landed, and asking again with the same count or key tells. All rejections are `TuttiError`s, `UNAVAILABLE` where
 * asking again later makes sense.
 *
 * Positions are told with the event there, that at the floor too, which was forgotten: a log that loses its tail and goes on in the same epoch is known
 * by nothing else.
 */
export interface Broker {
  /** Appends one event. Events of one channel are appended in the order in which `append` was called. */
  append(channel: string, request: AppendRequest): Promise<Outcome>;
  /** Takes the publisher's count without an event: the publish was refused for good, and cannot land later. */
  refuse(channel: string, publisher: PublisherCount, error: WireError): Promise<Outcome>;
  /**
   * What became of an earlier publish, or `undefined` where it did not land. `unknown` also where its publisher is not known, and the log had to
   * forget one before its time.
   */
  lookup(channel: string, id: PublisherCount | IdempotencyKey): Promise<Outcome | undefined>;
  /**
   * The events after a position, oldest first; at most `countMax`. An empty page means that `after` is the head. `after` may be a place between two
   * events, where the broker counts in jumps.
   */
  read(channel: string, after: LastSeen, options: ReadOptions): Promise<Page>;
  /** The head of a channel; a channel that nobody wrote to has one at `seq` 0. */
  head(channel: string): Promise<Head>;
  /**
   * The heads of several channels, in their order, in one request; it rejects as a whole. A node asks so after its quiet channels, a few hundred at
   * a time: it is no use of them that would keep one in memory.
   */
  heads(channels: readonly string[]): Promise<readonly Head[]>;
  /** The position after which the events that `back` names come, with the event there; the floor where it reaches below. */
  locate(channel: string, back: Rewind): Promise<LastSeen>;
  /**
   * Forgets the events up to and including `upTo`, those that `keep` wants kept left out. Nothing where `upTo` is of another epoch: a node may
   * not have heard yet that it is over.
   */
  trim(channel: string, upTo: Position, keep?: Keep): Promise<void>;
  /**
   * Hears what is appended from now on, in order, runs possibly joined. Deliveries may be lost where the broker's bus loses them: a
   * subscriber checks that each run follows the last, and the head of a quiet channel.
   */
  subscribe(channel: string, listener: (run: EventRun) => void): Promise<() => Promise<void>>;
  /** Sends a volatile message to the listeners of a topic on all nodes, this one included. */
  broadcast(topic: string, message: string): Promise<void>;
  /** Hears the broadcasts of a topic. */
  listen(topic: string, listener: (message: string) => void): Promise<() => Promise<void>>;
  /**
   * Keeps a snapshot, unless a newer one of the same epoch is kept already, or it is above the head: that is of a log that was rolled back,
   * and no event would lead on from there. A broker may refuse one, too, that names another event than stands there.
   *
   * Resolves to whether a snapshot of this position or of a later one, of the present epoch, is kept now: only then may the events up to here go.
   */
  saveSnapshot(channel: string, snapshot: StoredSnapshot): Promise<boolean>;
  /** The newest snapshot of the channel's present epoch. */
  loadSnapshot(channel: string): Promise<StoredSnapshot | undefined>;
  /**
   * Whether nodes of several processes may be at the log. Then each of them delivers under a lease, for which it asks for the head of the log of commands with
   * each heartbeat. A broker that does not say so is one node's own.
   */
  readonly isShared?: boolean;
  /** What it knows of itself, without asking anybody: a node is ready no longer than its broker is. A broker without it is always ready. */
  readonly health?: () => BrokerHealth;
  close(): Promise<void>;
}
