import { TuttiError, type Environment } from "@tutti/protocol";
import type { Store, Write } from "./store.js";

/** Somebody who has something to write. */
export interface Writer {
  /**
   * What it has to write by now. Nothing is being written at this moment, so the store shows all that ever will be there of what was written
   * before. Of one batch all removals come before all puts.
   */
  seal(): readonly Write[];
  /** What was sealed is flushed. */
  flushed(): void;
  /** Neither what was sealed nor what was to be written after it will be; what is there, the store shows. */
  failed(): void;
}

/** What is written together. */
interface Batch {
  readonly writers: Set<Writer>;
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: TuttiError) => void;
}

/**
 * One write at a time, and what comes up meanwhile goes with the next: so concurrent appends share a flush, and what is on disk is always all
 * that was asked for up to some moment.
 */
export class WriteQueue {
  readonly #store: Store;
  readonly #environment: Environment;
  readonly #onFailure: () => void;
  /** What is being written. */
  #current: Batch | undefined;
  /** What is written next. */
  #next: Batch | undefined;

  /** @param onFailure a write failed; called before its writers hear */
  constructor(store: Store, environment: Environment, onFailure: () => void) {
    this.#store = store;
    this.#environment = environment;
    this.#onFailure = onFailure;
  }

  /**
   * Takes part in the next write. Resolves when that is flushed.
   *
   * @throws TuttiError `UNAVAILABLE` where it, or one before it, could not be written
   */
  join(writer: Writer): Promise<void> {
    const next = this.#next ?? this.#begin();
    next.writers.add(writer);
    return next.done;
  }

  /** Resolves when there is nothing to write any more, however the last write ended. */
  async idle(): Promise<void> {
    for (let batch = this.#current ?? this.#next; batch !== undefined; batch = this.#current ?? this.#next) await batch.done.catch(() => {});
  }

  #begin(): Batch {
    const next = newBatch();
    this.#next = next;
    if (this.#current === undefined) this.#schedule();
    return next;
  }

  /** At the end of the turn, so that all appends of the turn share the flush, and those that the last acks gave rise to. */
  #schedule(): void {
    this.#environment.defer(() => void this.#write());
  }

  async #write(): Promise<void> {
    const batch = this.#next;
    if (batch === undefined) return;
    this.#current = batch;
    this.#next = undefined;
    const failure = await this.#flush(batch).then(
      () => undefined,
      (cause: unknown) => new TuttiError("UNAVAILABLE", { message: "the log could not be written", cause }),
    );
    if (failure === undefined) succeed(batch);
    else this.#fail(batch, failure);
    this.#current = undefined;
    if (this.#next !== undefined) this.#schedule();
  }

  /** Sealing reads, and reading may fail as well. */
  async #flush(batch: Batch): Promise<void> {
    await this.#store.write(sealed(batch));
  }

  /** What waits was counted and numbered behind what failed, so it fails with it. */
  #fail(batch: Batch, error: TuttiError): void {
    const following = this.#next;
    this.#next = undefined;
    this.#onFailure();
    for (const writer of new Set([...batch.writers, ...(following?.writers ?? [])])) writer.failed();
    batch.reject(error);
    following?.reject(error);
  }
}

function newBatch(): Batch {
  let settle: Pick<Batch, "resolve" | "reject"> | undefined;
  const done = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
  // Those who join hear of a failure from the promise, and not all of them wait for it.
  done.catch(() => {});
  return { writers: new Set(), done, resolve: () => settle?.resolve(), reject: (error) => settle?.reject(error) };
}

function succeed(batch: Batch): void {
  for (const writer of batch.writers) writer.flushed();
  batch.resolve();
}

function sealed(batch: Batch): readonly Write[] {
  const removals: Write[] = [];
  const puts: Write[] = [];
  for (const writer of batch.writers) for (const write of writer.seal()) ("put" in write ? puts : removals).push(write);
  return [...removals, ...puts];
}
