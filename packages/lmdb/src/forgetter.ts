import type { Cancel, Environment } from "@tutti/protocol";
import type { ChannelContext } from "./channel-context.js";
import { decodeOrder } from "./key-record.js";
import { removalsOf } from "./key-book.js";
import { ranges } from "./layout.js";
import { decodePublisher } from "./publisher-record.js";
import type { Entry, Key, KeyRange, Write } from "./store.js";
import type { WriteQueue, Writer } from "./write-queue.js";

/** So many records are looked at in a slice, which takes less than a millisecond. */
const SLICE_COUNT = 256;
const SLICE_PAUSE_MS = 50;
/** All is looked at so many times within the time that it is remembered. */
const PASSES = 50;

/** What is forgotten when it was not used for long enough. */
interface Kind {
  readonly range: KeyRange;
  usedAt(value: string): number;
  /** What goes with an entry. */
  removals(entry: Entry): readonly Write[];
}

/** Forgets publishers and idempotency keys that were not used for `deduplicationMs`, a few at a time. */
export class Forgetter implements Writer {
  readonly #context: ChannelContext;
  readonly #writes: WriteQueue;
  readonly #environment: Environment;
  readonly #kinds: readonly Kind[];
  #cancel: Cancel = () => {};
  #isStopped = false;
  #forgotten: readonly { readonly kind: Kind; readonly key: Key }[] = [];

  constructor(context: ChannelContext, writes: WriteQueue, environment: Environment) {
    this.#context = context;
    this.#writes = writes;
    this.#environment = environment;
    this.#kinds = kindsOf(context);
    this.#pass();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Looks once more: what was used since the slice was read stays. */
  seal(): readonly Write[] {
    return this.#forgotten.flatMap(({ kind, key }) => {
      const value = this.#context.store.get(key);
      return value !== undefined && this.#isForgotten(kind, value) ? kind.removals({ key, value }) : [];
    });
  }

  flushed(): void {
    this.#forgotten = [];
  }

  failed(): void {
    this.#forgotten = [];
  }

  #pass(): void {
    this.#after(this.#context.limits.deduplicationMs / PASSES, () => this.#look(0, undefined));
  }

  /** One slice, from the entry on that was looked at last. */
  #look(index: number, last: Key | undefined): void {
    const kind = this.#kinds[index];
    if (kind === undefined) return this.#pass();
    const entries = this.#slice(kind, last);
    this.#forgotten = entries.filter(({ value }) => this.#isForgotten(kind, value)).map(({ key }) => ({ kind, key }));
    const reached = entries.length < SLICE_COUNT ? undefined : entries.at(-1)?.key;
    const goOn = (): void => this.#after(SLICE_PAUSE_MS, () => this.#look(reached === undefined ? index + 1 : index, reached));
    if (this.#forgotten.length === 0) goOn();
    else this.#writes.join(this).then(goOn, goOn);
  }

  #after(delayMs: number, task: () => void): void {
    if (!this.#isStopped) this.#cancel = this.#environment.after(delayMs, task);
  }

  #slice({ range }: Kind, last: Key | undefined): readonly Entry[] {
    try {
      // From the last one on, which is looked at twice.
      return [...this.#context.store.range({ ...range, start: last ?? range.start, limit: SLICE_COUNT })];
    } catch {
      // A disk that cannot be read is for those to tell who need it.
      return [];
    }
  }

  #isForgotten(kind: Kind, value: string): boolean {
    return this.#context.isForgotten(kind.usedAt(value));
  }
}

function kindsOf({ store }: ChannelContext): readonly Kind[] {
  return [
    {
      range: ranges.publishers,
      usedAt: (value) => decodePublisher(value).usedAt,
      removals: ({ key }) => [{ remove: key }],
    },
    {
      range: ranges.keyOrders,
      usedAt: (value) => decodeOrder(value).usedAt,
      removals: ({ key, value }) => removalsOf(store, Number(key[1]), Number(key[2]), value),
    },
  ];
}
