import type { Turn } from "../connections/turn.js";

/**
 * The fan-outs of one channel that are under way. With slices alone, a large channel would begin one in each of them, and each connection
 * would get as many small frames as a round takes slices; with a bound it gets a few, and larger ones.
 */
export class FanOuts {
  readonly #turn: Turn;
  readonly #countMax: number;
  /** How long the turn's line had become when each was put into its outboxes, the oldest first. */
  readonly #marks: number[] = [];

  /** @param countMax one at least is let through */
  constructor(turn: Turn, countMax: number) {
    this.#turn = turn;
    this.#countMax = Math.max(1, countMax);
  }

  /** Whether another one has to wait. */
  get isFull(): boolean {
    while (this.#marks.length > 0 && this.#turn.hasWritten(this.#marks[0] ?? 0)) this.#marks.shift();
    return this.#marks.length >= this.#countMax;
  }

  /** One was put into its outboxes just now. */
  note(): void {
    this.#marks.push(this.#turn.mark);
  }
}
