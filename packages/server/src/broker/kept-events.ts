import { jsonLength } from "../json-length.js";
import type { LoggedEvent, Retention } from "./broker.js";

/** So much of the arrays may be forgotten events before they are moved, which makes forgetting one cost no more than a few moves. */
const FORGOTTEN_SHARE = 1 / 8;

/** The events that a log holds, oldest first, with when each was appended and what it takes. */
export class KeptEvents {
  #events: LoggedEvent[] = [];
  #times: number[] = [];
  #sizes: number[] = [];
  /** How many at the beginning of the arrays are forgotten. */
  #forgotten = 0;
  #bytes = 0;

  get length(): number {
    return this.#events.length - this.#forgotten;
  }

  /** @param at when it was appended, on a clock that never goes back */
  push(event: LoggedEvent, at: number): void {
    const size = jsonLength(event.payload);
    this.#events.push(event);
    this.#times.push(at);
    this.#sizes.push(size);
    this.#bytes += size;
  }

  at(index: number): LoggedEvent | undefined {
    return index < 0 ? undefined : this.#events[this.#forgotten + index];
  }

  slice(start: number, count: number): readonly LoggedEvent[] {
    const from = this.#forgotten + start;
    return this.#events.slice(from, from + count);
  }

  /** The index of the first that was appended at `at` or later; the length where there is none. */
  indexSince(at: number): number {
    let low = this.#forgotten;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] ?? at) < at) low = middle + 1;
      else high = middle;
    }
    return low - this.#forgotten;
  }

  /** How many of the oldest a retention does not want. The newest is always wanted, whatever its size. */
  spare({ countMin, ageMsMin, countMax, bytesMax }: Retention, now: number): number {
    const { length } = this;
    let bytes = this.#bytes;
    let count = 0;
    for (let index = this.#forgotten; count < length - 1; index++, count++) {
      const left = length - count;
      const isOver = left > countMax || bytes > bytesMax;
      if (!isOver && (left <= countMin || now - (this.#times[index] ?? now) < ageMsMin)) break;
      bytes -= this.#sizes[index] ?? 0;
    }
    return count;
  }

  forget(count: number): void {
    const until = this.#forgotten + count;
    for (; this.#forgotten < until; this.#forgotten++) this.#bytes -= this.#sizes[this.#forgotten] ?? 0;
    if (this.#forgotten <= this.#events.length * FORGOTTEN_SHARE) return;
    this.#events = this.#events.slice(this.#forgotten);
    this.#times = this.#times.slice(this.#forgotten);
    this.#sizes = this.#sizes.slice(this.#forgotten);
    this.#forgotten = 0;
  }
}
