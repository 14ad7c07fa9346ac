import { TuttiError } from "@tutti/protocol";
import type { Entry, Key, KeyRange, Store, Write } from "../../src/store.js";

/** A disk in memory, which other brokers may open again, and which fails or stands still when a test says so. */
export class MemoryStore implements Store {
  /** What the next writes reject with. */
  failure: Error | undefined;
  /** Whether a write that fails is there all the same. */
  keepsFailed = false;
  /** Of which places nothing can be read. */
  readonly failReads = new Set<string>();
  /** How often something was read, by place. */
  readonly readCounts = new Map<string, number>();
  writeCount = 0;
  #entries: Entry[] = [];
  #isWriting = false;
  #held: Promise<void> | undefined;
  #release: () => void = () => {};

  get(key: Key): string | undefined {
    this.#noteRead(key);
    return this.#entries[this.#indexOf(key)]?.value;
  }

  *range({ start, end, reverse = false, limit = Infinity }: KeyRange): Iterable<Entry> {
    this.#noteRead(start);
    const within = this.#entries.filter(({ key }) => compare(key, start) >= 0 && compare(key, end) < 0);
    yield* (reverse ? within.toReversed() : within).slice(0, limit);
  }

  async write(writes: readonly Write[]): Promise<void> {
    if (this.#isWriting) throw new Error("asked to write while it writes");
    this.#isWriting = true;
    this.writeCount++;
    await this.#held;
    this.#isWriting = false;
    const { failure } = this;
    if (failure === undefined || this.keepsFailed) this.#apply(writes);
    if (failure !== undefined) throw failure;
  }

  async close(): Promise<void> {
    await this.#held;
  }

  /** Writes stand still until the disk is released. */
  hold(): void {
    this.#held = new Promise((resolve) => (this.#release = resolve));
  }

  release(): void {
    this.#held = undefined;
    this.#release();
  }

  /** How many entries there are of a place. */
  count(place: string): number {
    return this.#entries.filter(({ key }) => key[0] === place).length;
  }

  #noteRead([first]: Key): void {
    const place = String(first);
    this.readCounts.set(place, (this.readCounts.get(place) ?? 0) + 1);
    if (this.failReads.has(place)) throw new TuttiError("UNAVAILABLE", { message: "input/output error" });
  }

  #apply(writes: readonly Write[]): void {
    for (const write of writes) {
      const key = "put" in write ? write.put : write.remove;
      const index = this.#indexOf(key);
      if (index !== -1) this.#entries.splice(index, 1);
      if ("put" in write) this.#entries.splice(this.#placeOf(key), 0, { key, value: write.value });
    }
  }

  #indexOf(key: Key): number {
    const place = this.#placeOf(key);
    const found = this.#entries[place];
    return found !== undefined && compare(found.key, key) === 0 ? place : -1;
  }

  #placeOf(key: Key): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.#entries[middle]!.key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function compare(a: Key, b: Key): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const [left, right] = [a[index]!, b[index]!];
    if (left === right) continue;
    if (typeof left === typeof right) return left < right ? -1 : 1;
    return typeof left === "number" ? -1 : 1;
  }
  return a.length - b.length;
}
