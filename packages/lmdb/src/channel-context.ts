import type { LogClock } from "./log-clock.js";
import type { Durability } from "./log-meta.js";
import type { Store } from "./store.js";

/** What a log remembers at most. */
export interface LogLimits {
  readonly deduplicationMs: number;
  readonly answersMax: number;
  readonly keysMax: number;
}

/** What the channels of a broker share. */
export interface ChannelContext {
  readonly store: Store;
  readonly clock: LogClock;
  readonly limits: LogLimits;
  readonly durability: Durability;
  /** The one of now. */
  readonly epoch: string;
  /** A number for a channel that has none yet. */
  newId(): number;
  /** Whether what was last used then is remembered no longer. */
  isForgotten(usedAt: number): boolean;
  /** Runs what the application wants to hear; what it throws concerns nobody here. */
  tell(task: () => void): void;
}
