import type { IdempotencyKey } from "@tutti/server";
import type { ChannelContext } from "./channel-context.js";
import { decodeKey, decodeOrder, digestOf, encodeKey, encodeOrder, type KeyRecord } from "./key-record.js";
import { places, ranges } from "./layout.js";
import type { KeyRange, Store, Write } from "./store.js";

/** The first and the last of the numbers by which a channel's keys are ordered; without a key the first is above the last. */
interface Span {
  readonly first: number;
  readonly last: number;
}

/** The idempotency keys that were used in a channel, up to `keysMax`. */
export class KeyBook {
  readonly #context: ChannelContext;
  readonly #unsealed = new Map<string, KeyRecord>();
  #sealed: ReadonlyMap<string, KeyRecord> = new Map();
  /** Read when the first key is added. */
  #span: Span | undefined;

  constructor(context: ChannelContext) {
    this.#context = context;
  }

  /** The `seq` where the publish with this key landed, if it is remembered. */
  lookup(id: number | undefined, key: IdempotencyKey): number | undefined {
    const digest = digestOf(key);
    const record = this.#unsealed.get(digest) ?? this.#sealed.get(digest) ?? this.#read(id, digest);
    return record === undefined || this.#context.isForgotten(record.usedAt) ? undefined : record.seq;
  }

  add(id: number | undefined, key: IdempotencyKey, seq: number): void {
    const { first, last } = (this.#span ??= this.#readSpan(id));
    this.#span = { first, last: last + 1 };
    this.#unsealed.set(digestOf(key), { seq, usedAt: this.#context.clock.usedAt(), ordinal: last + 1 });
  }

  seal(id: number): readonly Write[] {
    this.#sealed = new Map(this.#unsealed);
    this.#unsealed.clear();
    if (this.#span === undefined || this.#sealed.size === 0) return [];
    const writes: Write[] = [...this.#forgetOldest(id, this.#span)];
    for (const [digest, record] of this.#sealed) {
      writes.push({ put: places.key(id, digest), value: encodeKey(record) });
      writes.push({ put: places.keyOrder(id, record.ordinal), value: encodeOrder(record.usedAt, digest) });
    }
    return writes;
  }

  flushed(): void {
    this.#sealed = new Map();
  }

  clear(): void {
    this.#unsealed.clear();
    this.#sealed = new Map();
    this.#span = undefined;
  }

  #read(id: number | undefined, digest: string): KeyRecord | undefined {
    const text = id === undefined ? undefined : this.#context.store.get(places.key(id, digest));
    return text === undefined ? undefined : decodeKey(text);
  }

  #readSpan(id: number | undefined): Span {
    if (id === undefined) return { first: 1, last: 0 };
    const all = ranges.keyOrder(id);
    const last = this.#ordinal({ ...all, reverse: true }) ?? 0;
    return { first: this.#ordinal(all) ?? last + 1, last };
  }

  #ordinal(range: KeyRange): number | undefined {
    for (const { key } of this.#context.store.range({ ...range, limit: 1 })) return Number(key[2]);
    return undefined;
  }

  #forgetOldest(id: number, { first, last }: Span): readonly Write[] {
    const { store, limits } = this.#context;
    // Those of this very write go with a later one.
    const upTo = Math.min(last - limits.keysMax, last - this.#sealed.size);
    if (upTo < first) return [];
    this.#span = { first: upTo + 1, last };
    return [...store.range({ start: places.keyOrder(id, first), end: places.keyOrder(id, upTo + 1) })].flatMap(({ value, key }) =>
      removalsOf(store, id, Number(key[2]), value),
    );
  }
}

/** What goes with a place in the order of a channel's keys: the place, and the key unless it was used again since. */
export function removalsOf(store: Store, id: number, ordinal: number, order: string): readonly Write[] {
  const { digest } = decodeOrder(order);
  const text = store.get(places.key(id, digest));
  const isLatest = text !== undefined && decodeKey(text).ordinal === ordinal;
  return [{ remove: places.keyOrder(id, ordinal) }, ...(isLatest ? [{ remove: places.key(id, digest) }] : [])];
}
