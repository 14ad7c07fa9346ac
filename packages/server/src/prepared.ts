import { TuttiError, type Environment } from "@tutti/protocol";

/** An event as the application's handler left it. */
export interface PreparedEvent {
  readonly type: string;
  readonly payload: unknown;
  /** Whether the handler replaced the payload. */
  readonly isReplaced: boolean;
}

/** What the application's handler said to a publish: the event to append, or why it is refused for good. */
export type Prepared = PreparedEvent | { readonly refusal: TuttiError };

/** How many are kept on a node, by all publishers together. */
export interface PreparedTally {
  count: number;
}

/** How many a node keeps at most; a publish that needs a handler is `RATE_LIMITED` beyond. */
const NODE_MAX = 16_384;

/** What the handler said to publishes that could not be appended then: their repeats must not ask it again. */
export class PreparedPublishes {
  readonly #environment: Environment;
  readonly #countMax: number;
  readonly #tally: PreparedTally;
  readonly #kept = new Map<number, { readonly prepared: Prepared; readonly at: number }>();

  constructor(environment: Environment, countMax: number, tally: PreparedTally) {
    this.#environment = environment;
    this.#countMax = countMax;
    this.#tally = tally;
  }

  get size(): number {
    return this.#kept.size;
  }

  get(n: number): Prepared | undefined {
    return this.#kept.get(n)?.prepared;
  }

  keep(n: number, prepared: Prepared): void {
    this.forget(n);
    this.#kept.set(n, { prepared, at: this.#environment.elapsed() });
    this.#tally.count++;
  }

  forget(n: number): void {
    if (this.#kept.delete(n)) this.#tally.count--;
  }

  /** Everything up to `settled` is settled at the client: it is not asked for again. */
  settle(settled: number): void {
    for (const n of this.#kept.keys()) if (n <= settled) this.forget(n);
  }

  /** Forgets what was kept before `before`, on the monotonic clock, and not asked for since. */
  expire(before: number): void {
    for (const [n, { at }] of this.#kept) if (at < before) this.forget(n);
  }

  /**
   * Whether there is room for one more beside those that are under way, which may fail.
   *
   * @throws TuttiError `RATE_LIMITED`
   */
  assertRoom(underWay: number): void {
    if (this.#kept.size + underWay < this.#countMax && this.#tally.count < NODE_MAX) return;
    throw new TuttiError("RATE_LIMITED", { message: "too many publishes wait for the log, as their handlers left them" });
  }
}
