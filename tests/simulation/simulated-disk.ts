import type { Entry, Key, KeyRange, Store, Write } from "@tutti/lmdb";
import { TuttiError } from "@tutti/protocol";
import { RandomStream, type EventOwner, type Participant, type SimulatedClock } from "@tutti/testkit";

export interface SimulatedDiskOptions {
  readonly clock: SimulatedClock;
  readonly seed: number;
  /** How long it takes until a write is flushed. */
  readonly delayMs: readonly [low: number, high: number];
  /** `false`: writes resolve at once, which no disk may do, to see what relies on the flush. */
  readonly flush?: false;
}

/** A write under way, and how to take it back. */
interface UnderWay {
  readonly undo: readonly Write[];
  readonly fail: () => void;
}

/** How many flushed writes can be taken back. */
const JOURNAL_MAX = 64;
/** How often a write that fails is there all the same. */
const KEPT_THOUGH_FAILED = 0.3;
const TICK_MS = 0.001;

/**
 * A disk that takes its time. Writes are seen at once and flushed in their order. When the process dies, what is not flushed yet is lost but for
 * some of the first; when the power fails, exactly what was flushed is left.
 */
export class SimulatedDisk {
  /** Whether writes fail: mostly because there is no room, and sometimes though they are there. */
  isFailing = false;
  readonly #options: SimulatedDiskOptions;
  readonly #random: RandomStream;
  readonly #controller: EventOwner = { name: "disk", frozenUntilMs: 0 };
  #entries: Entry[] = [];
  #underWay: UnderWay[] = [];
  /** How to take back the latest flushed writes, the last one at the end. */
  #journal: (readonly Write[])[] = [];
  #flushedAtMs = 0;
  /** Stands for the store that has the disk. */
  #holder: object | undefined;

  constructor(options: SimulatedDiskOptions) {
    this.#options = options;
    this.#random = new RandomStream(options.seed, "disk");
  }

  /** The disk as the process that has it now sees it. Whoever had it before fails. */
  open(process: Participant): Store {
    this.#takeBack(this.#underWay);
    const holder = (this.#holder = {});
    return {
      get: (key) => this.#entries[this.#indexOf(key)]?.value,
      range: (range) => this.#range(range),
      write: (writes) => (this.#holder === holder ? this.#write(process, writes) : Promise.reject(gone())),
      close: () => Promise.resolve(),
    };
  }

  /** The process that had it is gone, and perhaps the power with it. */
  crash(machine: "kept" | "gone"): void {
    const left = machine === "gone" ? 0 : this.#random.below(this.#underWay.length + 1);
    this.#takeBack(this.#underWay.slice(left));
    for (const { undo } of this.#underWay) this.#journal.push(undo);
    this.#underWay = [];
    this.#holder = undefined;
  }

  /** Begins anew, with nothing on it. */
  wipe(): void {
    this.#takeBack(this.#underWay);
    this.#entries = [];
    this.#journal = [];
  }

  /** Forgets one entry. */
  forget(key: Key): void {
    this.#takeBack(this.#underWay);
    this.#journal.push(this.#apply([{ remove: key }]));
  }

  /** Forgets the latest writes that were flushed, as a copy does that had not come so far. */
  rewind(count: number): void {
    this.#takeBack(this.#underWay);
    for (let left = count; left > 0; left--) this.#apply(this.#journal.pop() ?? []);
  }

  #write(process: Participant, writes: readonly Write[]): Promise<void> {
    const { clock, flush } = this.#options;
    return new Promise((resolve, reject) => {
      const tell = (task: () => void): void => void clock.plan({ inMs: 0, kind: "written", owner: process }, task);
      const fail = (): void => tell(() => reject(gone()));
      const write: UnderWay = { undo: this.#apply(writes), fail };
      this.#underWay.push(write);
      if (flush === false) resolve();
      this.#inOrder("flush", () => {
        if (!this.#underWay.includes(write)) return;
        if (this.isFailing) {
          const isKept = this.#random.chance(KEPT_THOUGH_FAILED);
          this.#takeBack(this.#underWay.slice(this.#underWay.indexOf(write) + (isKept ? 1 : 0)));
          if (!isKept) return;
        }
        this.#underWay = this.#underWay.filter((other) => other !== write);
        this.#journal = [...this.#journal, write.undo].slice(-JOURNAL_MAX);
        tell(this.isFailing ? () => reject(gone()) : resolve);
      });
    });
  }

  /** Takes the last of the writes back that are under way. */
  #takeBack(writes: readonly UnderWay[]): void {
    this.#underWay = this.#underWay.slice(0, this.#underWay.length - writes.length);
    for (const { undo, fail } of writes.toReversed()) {
      this.#apply(undo);
      fail();
    }
  }

  /** Does the writes. Returns what undoes them. */
  #apply(writes: readonly Write[]): readonly Write[] {
    const undo: Write[] = [];
    for (const write of writes) {
      const key = "put" in write ? write.put : write.remove;
      const index = this.#indexOf(key);
      const before = this.#entries[index];
      undo.unshift(before === undefined ? { remove: key } : { put: key, value: before.value });
      if ("put" in write) {
        if (before === undefined) this.#entries.splice(this.#lowerBound(key), 0, { key, value: write.value });
        else this.#entries[index] = { key, value: write.value };
      } else if (before !== undefined) this.#entries.splice(index, 1);
    }
    return undo;
  }

  #range({ start, end, reverse = false, limit = Infinity }: KeyRange): readonly Entry[] {
    const [from, to] = [this.#lowerBound(start), this.#lowerBound(end)];
    if (reverse) return this.#entries.slice(Math.max(from, to - limit), to).toReversed();
    return this.#entries.slice(from, Math.min(to, from + limit));
  }

  /** Where a key stands, or -1. */
  #indexOf(key: Key): number {
    const index = this.#lowerBound(key);
    const entry = this.#entries[index];
    return entry !== undefined && compare(entry.key, key) === 0 ? index : -1;
  }

  /** The first place whose key is not below this one. */
  #lowerBound(key: Key): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && compare(entry.key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** After all that was begun before. */
  #inOrder(kind: string, task: () => void): void {
    const { clock, delayMs } = this.#options;
    this.#flushedAtMs = Math.max(this.#flushedAtMs + TICK_MS, clock.nowMs + this.#random.between(...delayMs));
    clock.plan({ inMs: this.#flushedAtMs - clock.nowMs, kind, owner: this.#controller }, task);
  }
}

function gone(): TuttiError {
  return new TuttiError("UNAVAILABLE", { message: "the disk did not take it" });
}

/** Element by element; a key is above those that it goes on from. */
function compare(a: Key, b: Key): number {
  for (const [index, left] of a.entries()) {
    const right = b[index];
    if (right === undefined) return 1;
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}
