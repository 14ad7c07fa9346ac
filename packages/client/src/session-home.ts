import type { ChannelHost } from "./channel.js";
import type { Channels } from "./channels.js";
import type { OptimisticState } from "./optimistic-state.js";
import type { ClientOptions } from "./options.js";
import type { OutboundQueue, PendingTotals, Queued } from "./outbound-queue.js";
import type { Named } from "./session.js";
import type { SessionStorage, StorageChange } from "./storage.js";
import type { Store } from "./store.js";
import type { StartFrom } from "./subscription.js";

/**
 * Where a session outlives its client. A storage brings it, so that a page without one does not load what that takes; the parts of a client ask
 * for it wherever they do something that has to last.
 */
export interface SessionHome {
  /** Takes hold of a session, unless one is held, and takes up what others left. */
  open(): void;
  /** Lets others have it. Resolves when they may. */
  release(): Promise<void>;
  /** Whether it is known which session this is: until then nothing is counted for good, and nothing is sent. */
  isKnown(): boolean;
  /** Calls `task` when it is known which session this is: in this turn where it can be. */
  whenKnown(task: () => void): void;
  /** The server has said who this is. */
  welcomed(who: Named): void;
  /** Whether an entry may be sent; else it is written down, and the queue is pumped when that is done. `mayGo`: it would be sent now. */
  prepare(queue: OutboundQueue, entry: Queued, mayGo: boolean): boolean;
  /** Changes what is stored. */
  keep(change: StorageChange): void;
  /** Where a channel goes on that an earlier page had, once; `state` takes what that page saw last. */
  resume(channel: string, state: Pick<OptimisticState, "resume"> | undefined): StartFrom | undefined;
}

/** The parts of a client that its session's home works with. */
export interface HomeParts {
  readonly options: ClientOptions;
  readonly host: ChannelHost;
  readonly channels: Channels;
  readonly pending: Store<PendingTotals>;
}

/** A storage as a client takes it: with the code that keeps sessions in one. `storedSessions` makes it. */
export interface ClientStorage extends SessionStorage {
  /** @internal */
  readonly homeFor: (parts: HomeParts) => SessionHome;
}
