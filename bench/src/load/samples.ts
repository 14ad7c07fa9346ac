/** Keeps a fair choice of all that was added, so that what is merged later are samples and never percentiles. */
export class Samples {
  readonly #kept: number[] = [];
  readonly #countMax: number;
  #seen = 0;

  constructor(countMax = 5_000) {
    this.#countMax = countMax;
  }

  /** How many were added. */
  get seen(): number {
    return this.#seen;
  }

  get kept(): readonly number[] {
    return this.#kept;
  }

  /** Each that was added is kept with the same chance (Vitter's algorithm R). */
  add(value: number): void {
    this.#seen++;
    if (this.#kept.length < this.#countMax) this.#kept.push(value);
    else {
      const place = Math.floor(Math.random() * this.#seen);
      if (place < this.#countMax) this.#kept[place] = value;
    }
  }
}
