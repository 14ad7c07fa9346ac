import type { Cancel, LastSeen } from "@tutti/protocol";

/** A publish that is not settled yet. */
export interface StoredPublish {
  readonly channel: string;
  readonly n: number;
  readonly type: string;
  readonly payload: unknown;
  /** The client's clock when it was made, Unix ms. */
  readonly timestamp: number;
  /** Whether it may have reached a server. Stored before the first send. */
  readonly attempted: boolean;
}

/** Who a session is: its secret, and what the server's last welcome made of it. */
export interface StoredIdentity {
  readonly secret: string;
  /** Derived by the server from the secret and the user; `undefined` before the first welcome. */
  readonly publicId: string | undefined;
  readonly user: string | undefined;
  /** What the application called the person whose session it is. */
  readonly owner?: string | undefined;
}

/** What the events of a channel made of its state, up to a position. */
export interface StoredState {
  readonly position: LastSeen;
  /** Of the contract's state. */
  readonly version: number;
  readonly state: unknown;
}

/** What outlives a page: the session, its counts by channel, what is not settled, and what it saw last. */
export interface StoredSession {
  readonly identity: StoredIdentity;
  /** The highest *n* that was given out, by channel. */
  readonly counts: ReadonlyMap<string, number>;
  /** By channel in the order of their *n*. */
  readonly publishes: readonly StoredPublish[];
  /** By channel; the latest last. */
  readonly states: ReadonlyMap<string, StoredState>;
}

export type StorageChange =
  /**
   * Another user: what was kept before is forgotten, but for the counts. Whoever comes back to a session that has published must not give out
   * the same *n* again.
   */
  | { readonly kind: "begin"; readonly identity: StoredIdentity }
  /** The first welcome, or another name: what was kept stays. */
  | { readonly kind: "identity"; readonly identity: StoredIdentity }
  /** Keeps a publish, in place of the one with its channel and *n*, and raises the channel's count to its *n*. */
  | { readonly kind: "put"; readonly publish: StoredPublish }
  /** The publish is settled and forgotten; the channel's count stays. */
  | { readonly kind: "settle"; readonly channel: string; readonly n: number }
  /** May come for every event: a storage writes the newest of a channel from time to time, and keeps those of the latest channels. */
  | { readonly kind: "state"; readonly channel: string; readonly state: StoredState };

/** A session that this client owns until it releases it. */
export interface HeldSession {
  /** `undefined`: a new one. */
  readonly stored: StoredSession | undefined;
  /**
   * Durable when it resolves; those of one call together or not at all; in the order of the calls. A `state` alone may be told of as done
   * before it is. Rejects where they could not be kept.
   */
  write(changes: readonly StorageChange[]): Promise<void>;
  /** What was written before is kept, and then others may take the session; with `forget` it is deleted. Never rejects. */
  release(options?: { readonly forget?: boolean }): Promise<void>;
}

/** Keeps sessions over a reload, a closed tab, a killed process. A session has one owner at a time. */
export interface SessionStorage {
  /** Takes a session that nobody holds, its own of before a reload first, else a new one. Rejects where the storage cannot be opened. */
  hold(): Promise<HeldSession>;
  /** Tells, now and later, of sessions with publishes whose owner is gone; each is held by this client from then on. */
  orphans?(adopt: (held: HeldSession) => void): Cancel;
}
