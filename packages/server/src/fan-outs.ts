import type { Turn } from "./turn.js";

/** How many fan-outs of one channel may be under way at once. */
const UNDER_WAY_MAX = 4;

/**
 * The fan-outs of one channel that may still be under way. With slices alone, a large channel would begin one in each of them, and each
 * connection would get as many small frames as a round takes slices; with a bound it gets a few, and larger ones.
 */
export class FanOuts {
  readonly #turn: Turn;
  /** How many connections stood in line when each of the latest ones had been put into its outboxes; a ring. */
  readonly #marks: number[] = Array.from({ length: UNDER_WAY_MAX }, () => 0);
  #oldest = 0;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Whether another one has to wait. */
  get isFull(): boolean {
    return !this.#turn.hasWritten(this.#marks[this.#oldest] ?? 0);
  }

  /** One was put into its outboxes just now. */
  note(): void {
    this.#marks[this.#oldest] = this.#turn.mark;
    this.#oldest = (this.#oldest + 1) % UNDER_WAY_MAX;
  }
}
