import { EventHeap, type Timed } from "./event-heap.js";
import { Trace } from "./trace.js";

/** To whom an event happens: the clock asks whether it may happen now. */
export interface EventOwner {
  readonly name: string;
  /** Until when this owner stands still, in simulated milliseconds; `Infinity` when it is gone for good. */
  readonly frozenUntilMs: number;
}

/** What is to happen, when and to whom. */
export interface Plan {
  /** In how many simulated milliseconds; `0` is still after everything that was planned for this moment before. */
  readonly inMs: number;
  readonly kind: string;
  readonly owner: EventOwner;
  /** For the trace: a message, a reason. */
  readonly detail?: string;
}

interface PlannedEvent extends Timed {
  atMs: number;
  serial: number;
  readonly kind: string;
  readonly owner: EventOwner;
  readonly detail: string;
  /** Gone when the event was cancelled, so that what it held is freed. */
  task: (() => void) | undefined;
}

/** An error that escaped from an event; a core lets none escape. */
export interface EscapedError {
  readonly atMs: number;
  readonly participant: string;
  readonly error: unknown;
}

/**
 * Simulated time: one heap of (time, serial). It stands still while an event and all the promises that the event settled run, and then
 * jumps to the next event, so an hour of silence costs nothing and the course of events depends on nothing outside.
 */
export class SimulatedClock {
  readonly trace: Trace;
  readonly escapedErrors: EscapedError[] = [];
  readonly #heap = new EventHeap<PlannedEvent>();
  #nowMs = 0;
  #serial = 0;

  constructor(trace = new Trace()) {
    this.trace = trace;
  }

  /** Simulated milliseconds since the start. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Plans one event. The answer cancels it. */
  plan({ inMs, kind, owner, detail = "" }: Plan, task: () => void): () => void {
    const event: PlannedEvent = { atMs: this.#nowMs + Math.max(0, inMs), serial: this.#serial++, kind, owner, detail, task };
    this.#heap.push(event);
    return () => {
      event.task = undefined;
    };
  }

  /** Runs all that happens in the next `ms` simulated milliseconds. */
  advance(ms: number): Promise<void> {
    return this.runUntil(this.#nowMs + ms);
  }

  /** Runs all that happens up to and including this time. */
  runUntil(untilMs: number): Promise<void> {
    return new Promise((resolve) => {
      const step = (): void => {
        const event = this.#take(untilMs);
        if (event === undefined) {
          this.#nowMs = Math.max(this.#nowMs, untilMs);
          resolve();
          return;
        }
        this.#run(event);
        queueMicrotask(afterPromises);
      };
      // A tick that is asked for by a microtask runs when no microtask is left: however deep the chain of promises that the event set off,
      // it ends before time moves on, at a tenth of the cost of a macrotask.
      const afterPromises = (): void => process.nextTick(step);
      queueMicrotask(afterPromises);
    });
  }

  /**
   * Runs by itself as long as something is planned, and looks again each turn of the real event loop, so that code which only awaits gets on.
   * The answer stops it.
   */
  runFreely(): () => void {
    let isRunning = true;
    const turn = (): void => {
      if (!isRunning) return;
      const nextMs = this.#heap.peek()?.atMs;
      if (nextMs === undefined) {
        setImmediate(turn);
        return;
      }
      void this.runUntil(Math.max(nextMs, this.#nowMs)).then(() => setImmediate(turn));
    };
    setImmediate(turn);
    return () => {
      isRunning = false;
    };
  }

  #take(untilMs: number): PlannedEvent | undefined {
    for (;;) {
      const next = this.#heap.peek();
      if (next === undefined || next.atMs > untilMs) return undefined;
      this.#heap.pop();
      if (next.task === undefined || next.owner.frozenUntilMs === Infinity) continue;
      if (next.owner.frozenUntilMs <= next.atMs) return next;
      // What happens to somebody who stands still happens when they wake, in the same order.
      next.atMs = next.owner.frozenUntilMs;
      next.serial = this.#serial++;
      this.#heap.push(next);
    }
  }

  #run(event: PlannedEvent): void {
    const { task, kind, owner, detail } = event;
    event.task = undefined;
    this.#nowMs = event.atMs;
    this.trace.record(event.atMs, kind, owner.name, detail);
    try {
      task?.();
    } catch (error) {
      this.escapedErrors.push({ atMs: event.atMs, participant: owner.name, error });
    }
  }
}
