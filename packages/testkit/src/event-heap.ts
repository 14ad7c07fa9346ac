/** What the heap sorts by: the simulated time, then the order in which it was scheduled. */
export interface Timed {
  readonly atMs: number;
  readonly serial: number;
}

function isBefore(a: Timed, b: Timed): boolean {
  return a.atMs === b.atMs ? a.serial < b.serial : a.atMs < b.atMs;
}

/** A binary heap; the earliest event is on top. */
export class EventHeap<Event extends Timed> {
  readonly #events: Event[] = [];

  get size(): number {
    return this.#events.length;
  }

  peek(): Event | undefined {
    return this.#events[0];
  }

  push(event: Event): void {
    const events = this.#events;
    let index = events.length;
    events.push(event);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = events[parentIndex];
      if (parent === undefined || isBefore(parent, event)) break;
      events[index] = parent;
      index = parentIndex;
    }
    events[index] = event;
  }

  pop(): Event | undefined {
    const events = this.#events;
    const top = events[0];
    const last = events.pop();
    if (top === undefined || last === undefined || events.length === 0) return top;
    this.#sink(last);
    return top;
  }

  /** Puts `event` on top and lets it sink to its place. */
  #sink(event: Event): void {
    const events = this.#events;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      let smallest = events[left];
      if (smallest === undefined) break;
      let smallestIndex = left;
      const right = events[left + 1];
      if (right !== undefined && isBefore(right, smallest)) {
        smallest = right;
        smallestIndex = left + 1;
      }
      if (!isBefore(smallest, event)) break;
      events[index] = smallest;
      index = smallestIndex;
    }
    events[index] = event;
  }
}
