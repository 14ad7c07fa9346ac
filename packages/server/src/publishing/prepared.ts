import { TuttiError, wireErrorOf, type Environment } from "@tutti/protocol";
import { jsonLength } from "../json-length.js";
import type { Bounds } from "../options.js";

/** An event as the application's handler left it. */
export interface PreparedEvent {
  readonly type: string;
  readonly payload: unknown;
  /** Whether the handler replaced the payload. */
  readonly isReplaced: boolean;
}

/** What the application's handler said to a publish: the event to append, or why it is refused for good. */
export type Prepared = PreparedEvent | { readonly refusal: TuttiError };

/** How many are kept on a node, by all publishers together, and about what they take as JSON. */
export interface PreparedTally {
  count: number;
  bytes: number;
}

export type PreparedBounds = Pick<Bounds, "preparedMax" | "preparedBytesMax">;

interface Kept {
  readonly prepared: Prepared;
  readonly bytes: number;
  readonly at: number;
}

/** How many a node keeps at most; a publish that needs a handler is `RATE_LIMITED` beyond. */
const NODE_MAX = 16_384;

/** Shared by all that keep nothing, and never changed. */
const NOTHING = new Map<number, Kept>();

/** What the handler said to publishes that could not be appended then: their repeats must not ask it again. */
export class PreparedPublishes {
  readonly #environment: Environment;
  readonly #bounds: PreparedBounds;
  readonly #tally: PreparedTally;
  #kept = NOTHING;

  constructor(environment: Environment, bounds: PreparedBounds, tally: PreparedTally) {
    this.#environment = environment;
    this.#bounds = bounds;
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
    const bytes = jsonLength("refusal" in prepared ? wireErrorOf(prepared.refusal) : prepared.payload);
    if (this.#kept === NOTHING) this.#kept = new Map();
    this.#kept.set(n, { prepared, bytes, at: this.#environment.elapsed() });
    this.#tally.count++;
    this.#tally.bytes += bytes;
  }

  forget(n: number): void {
    const kept = this.#kept.get(n);
    if (kept === undefined) return;
    this.#kept.delete(n);
    this.#tally.count--;
    this.#tally.bytes -= kept.bytes;
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
    const { preparedMax, preparedBytesMax } = this.#bounds;
    const { count, bytes } = this.#tally;
    if (this.#kept.size + underWay < preparedMax && count < NODE_MAX && bytes < preparedBytesMax) return;
    throw new TuttiError("RATE_LIMITED", { message: "too many publishes wait for the log, as their handlers left them" });
  }
}
