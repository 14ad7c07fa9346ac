/** Counts, by channel, how often somebody was shut out, so that a permission given before is not used after. */
export class Revocations {
  #count = 0;
  readonly #latest = new Map<string, number>();

  /** A number that differs from an earlier one if somebody was shut out of the channel in between. */
  of(channel: string): number {
    return this.#latest.get(channel) ?? 0;
  }

  note(channel: string): void {
    this.#count++;
    // Deleted first, so that the map is in the order of the latest revocations, and the oldest can go.
    this.#latest.delete(channel);
    this.#latest.set(channel, this.#count);
    if (this.#latest.size <= CHANNELS_MAX) return;
    for (const oldest of this.#latest.keys()) return void this.#latest.delete(oldest);
  }
}

const CHANNELS_MAX = 10_000;
