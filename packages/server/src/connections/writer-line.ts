/** A power of two, and so is what it grows to. */
const CAPACITY_FIRST = 16;

/** Has something to write, and stands in line for it. */
export interface Writer {
  /** Whether it stands in line now. The line's to change: looking here costs a delivery less than looking it up. */
  isInLine: boolean;
  /** Writes all that waits. Whether there was anything. */
  flush(): boolean;
}

/**
 * Those who wait to write, first come, first served, each at most once. A ring: nothing is allocated for who joins, and it never holds more
 * than there are connections.
 */
export class WriterLine {
  #slots: (Writer | undefined)[] = Array.from({ length: CAPACITY_FIRST });
  #taken = 0;
  #joined = 0;

  /** How many have joined since the beginning; it only grows. */
  get joined(): number {
    return this.#joined;
  }

  /** How many of them had their turn. */
  get taken(): number {
    return this.#taken;
  }

  get isEmpty(): boolean {
    return this.#taken === this.#joined;
  }

  join(writer: Writer): void {
    if (writer.isInLine) return;
    writer.isInLine = true;
    if (this.#joined - this.#taken === this.#slots.length) this.#grow();
    this.#slots[this.#joined & (this.#slots.length - 1)] = writer;
    this.#joined++;
  }

  /** The next one, which is not in line any more; `undefined` where nobody is. */
  take(): Writer | undefined {
    if (this.isEmpty) return undefined;
    const index = this.#taken & (this.#slots.length - 1);
    const writer = this.#slots[index];
    // Who has closed meanwhile is not to be held until the ring comes round.
    this.#slots[index] = undefined;
    this.#taken++;
    if (writer !== undefined) writer.isInLine = false;
    return writer;
  }

  #grow(): void {
    const slots: (Writer | undefined)[] = Array.from({ length: 2 * this.#slots.length });
    for (let at = this.#taken; at < this.#joined; at++) slots[at & (slots.length - 1)] = this.#slots[at & (this.#slots.length - 1)];
    this.#slots = slots;
  }
}
