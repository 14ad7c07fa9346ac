/** Ordered element by element: numbers by size, strings by their UTF-8 bytes. All keys of one place have the same types at the same index. */
export type Key = readonly (string | number)[];

export type Write = { readonly put: Key; readonly value: string } | { readonly remove: Key };

export interface KeyRange {
  /** Inclusive. */
  readonly start: Key;
  /** Exclusive. */
  readonly end: Key;
  /** Downwards: from just below `end` to `start`. */
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface Entry {
  readonly key: Key;
  readonly value: string;
}

/** What the durable log needs of a disk: an ordered map with atomic writes that are flushed in their order. */
export interface Store {
  /** Sees what was written, flushed or not. */
  get(key: Key): string | undefined;
  /** Entries of a range, as they were written when the iteration began or later. It is iterated at once, within the turn. */
  range(range: KeyRange): Iterable<Entry>;
  /**
   * All or nothing, and visible at once. Resolves when it is flushed, or, with durability `commit`, handed to the operating system. The order
   * of the calls is the order on disk: what is flushed is a prefix of what was written. Rejects where nothing of it will ever be on disk; it
   * is not visible any more then, and nothing that was written after it and before the rejection is kept either (those reject too).
   */
  write(writes: readonly Write[]): Promise<void>;
  /** Flushes what was written, and releases the disk. */
  close(): Promise<void>;
}
