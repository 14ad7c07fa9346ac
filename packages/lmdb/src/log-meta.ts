import { TuttiError, type Environment } from "@tutti/protocol";
import { FORMAT, places, ranges } from "./layout.js";
import type { Store, Write } from "./store.js";
import type { Writer } from "./write-queue.js";

/** When an append is acknowledged and delivered: when it is flushed, or at once, while it is on its way to the disk. */
export type Durability = "flush" | "commit";

/** What is true of the whole log: its format, its epoch, and whether it may lose what was acknowledged. */
export class LogMeta implements Writer {
  readonly #environment: Environment;
  readonly #durability: Durability;
  #epoch: string;
  /** What is not on disk of the format and the epoch. */
  #beginning: readonly Write[];
  /** What is to be done about the mark that the log may lose what was acknowledged. */
  #marking: readonly Write[];

  /** @throws TuttiError `VERSION_UNSUPPORTED` where the store holds a newer format, or something else; nothing is written then */
  constructor(store: Store, environment: Environment, durability: Durability) {
    assertReadable(store);
    this.#environment = environment;
    this.#durability = durability;
    // Where the process before acknowledged before the flush, and did not end cleanly, somebody may have seen what is not there.
    const isUnclean = store.get(places.unflushed) !== undefined;
    const epoch = isUnclean ? undefined : store.get(places.epoch);
    this.#epoch = epoch ?? this.#newEpoch();
    this.#beginning = epoch === undefined ? this.#begun() : [];
    if (durability === "commit") this.#marking = isUnclean ? [] : [{ put: places.unflushed, value: "1" }];
    else this.#marking = isUnclean ? [{ remove: places.unflushed }] : [];
  }

  /** Of all channels. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Else it has to go with the next write. */
  get isWritten(): boolean {
    return this.#beginning.length === 0 && this.#marking.length === 0;
  }

  /** Whether the disk says what may be lost, if anything may. */
  get isMarked(): boolean {
    return this.#durability === "flush" || this.#marking.length === 0;
  }

  /** What somebody saw will not be there: from now on all positions are others. */
  beginEpoch(): void {
    this.#epoch = this.#newEpoch();
    this.#beginning = this.#begun();
  }

  /** Nothing comes after the next write. An epoch that is not on disk yet goes with it: somebody may have seen what was lost under the last one. */
  end(): void {
    if (this.#durability === "commit") this.#marking = [{ remove: places.unflushed }];
  }

  seal(): readonly Write[] {
    return [...this.#beginning, ...this.#marking];
  }

  flushed(): void {
    this.#beginning = [];
    this.#marking = [];
  }

  failed(): void {
    // It goes with the next one.
  }

  #newEpoch(): string {
    return this.#environment.id().slice(0, 8);
  }

  #begun(): readonly Write[] {
    return [{ put: places.format, value: String(FORMAT) }, { put: places.epoch, value: this.#epoch }];
  }
}

/** @throws TuttiError `VERSION_UNSUPPORTED` */
export function assertReadable(store: Pick<Store, "get" | "range">): void {
  const format = store.get(places.format);
  if (format === String(FORMAT)) return;
  if (format === undefined && isEmpty(store)) return;
  const found = format === undefined ? "something that is not a log of Tutti" : `a log of format ${format}, and this version reads ${FORMAT}`;
  throw new TuttiError("VERSION_UNSUPPORTED", { message: `the store holds ${found}` });
}

function isEmpty(store: Pick<Store, "range">): boolean {
  for (const _ of store.range({ ...ranges.anything, limit: 1 })) return false;
  return true;
}
