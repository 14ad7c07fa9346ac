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

/**
 * What the durable log needs of a disk: an ordered map with atomic, flushed writes. `get` and `range` see at least what resolved, and may see
 * what is still being written; they throw `UNAVAILABLE` where the disk cannot be read.
 */
export interface Store {
  get(key: Key): string | undefined;
  /** Entries of a range, in the order of their keys. It is iterated at once, within the turn. */
  range(range: KeyRange): Iterable<Entry>;
  /**
   * All or nothing, in this order. Resolves when it is flushed: no crash takes it back. The log asks for one write at a time. Where it rejects, either nothing of it will ever be there, or all of it is there for good and can be seen.
   */
  write(writes: readonly Write[]): Promise<void>;
  /** Flushes what was written, and releases the disk. */
  close(): Promise<void>;
}
