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

/** What outlives a page: the session's secret, its counts by channel, and what is not settled. */
export interface StoredSession {
  readonly secret: string;
  /** The highest *n* that was given out, by channel. */
  readonly counts: Readonly<Record<string, number>>;
  readonly publishes: readonly StoredPublish[];
}

/** Keeps a session over a reload. The default keeps it in memory, for as long as the client lives. */
export interface SessionStorage {
  load(): Promise<StoredSession | undefined>;
  save(session: StoredSession): Promise<void>;
}
