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

/** Who a session is: its secret, and the public id that the server derived from it and the user. */
export interface StoredIdentity {
  readonly secret: string;
  readonly publicId: string | undefined;
}

/** What outlives a page: the session, its counts by channel, and what is not settled. */
export interface StoredSession {
  readonly identity: StoredIdentity;
  /** The highest *n* that was given out, by channel. */
  readonly counts: ReadonlyMap<string, number>;
  /** By channel in the order of their *n*. */
  readonly publishes: readonly StoredPublish[];
}

/**
 * Keeps a session over a reload. The client tells of each change before it goes on, so that "attempted" is stored before the first send:
 * the methods are synchronous, like `localStorage`. What they throw is surfaced as an error of the client, which goes on in memory.
 */
export interface SessionStorage {
  load(): StoredSession | undefined;
  /** Starts over: what was kept before is forgotten. */
  begin(identity: StoredIdentity): void;
  /** Keeps a publish, in place of the one with its channel and *n*, and raises the channel's count to its *n*. */
  put(publish: StoredPublish): void;
  /** The publish is settled and forgotten; the channel's count stays. */
  settle(channel: string, n: number): void;
}

/** Keeps a session in memory: for as long as this object lives, so that a client made anew with it goes on where the last one was. */
export function memoryStorage(): SessionStorage {
  let identity: StoredIdentity | undefined;
  const counts = new Map<string, number>();
  const channels = new Map<string, Map<number, StoredPublish>>();
  return {
    load: () => identity && { identity, counts: new Map(counts), publishes: [...channels.values()].flatMap((publishes) => [...publishes.values()]) },
    begin(next) {
      identity = next;
      counts.clear();
      channels.clear();
    },
    put(publish) {
      const { channel, n } = publish;
      counts.set(channel, Math.max(n, counts.get(channel) ?? 0));
      const publishes = channels.get(channel);
      if (publishes === undefined) channels.set(channel, new Map([[n, publish]]));
      else publishes.set(n, publish);
    },
    settle(channel, n) {
      const publishes = channels.get(channel);
      publishes?.delete(n);
      if (publishes?.size === 0) channels.delete(channel);
    },
  };
}
