/** How many looks count: of three, two have to be late. */
const LOOKS = 3;

/**
 * How late the event loop is, by a timer that is there anyway: the median of the last looks, so that one standstill (a suspended machine, a
 * long collection of garbage) is not taken for load.
 */
export class LoopLag {
  readonly #lateMs: number[] = [];

  get ms(): number {
    return this.#lateMs.toSorted((a, b) => a - b)[Math.floor(LOOKS / 2)] ?? 0;
  }

  /** The timer came so much later than it was due. */
  note(lateMs: number): void {
    this.#lateMs.push(lateMs);
    if (this.#lateMs.length > LOOKS) this.#lateMs.shift();
  }
}
