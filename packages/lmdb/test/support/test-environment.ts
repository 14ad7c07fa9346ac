import type { Cancel, Environment } from "@tutti/protocol";

interface Timer {
  readonly at: number;
  readonly task: () => void;
}

/** Turns end by themselves; time passes when a test says so. */
export class TestEnvironment implements Environment {
  #elapsedMs = 0;
  #wallMs: number;
  #timers: Timer[] = [];

  constructor(wallMs = 1_700_000_000_000) {
    this.#wallMs = wallMs;
  }

  now(): number {
    return this.#wallMs;
  }

  elapsed(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, task: () => void): Cancel {
    const timer: Timer = { at: this.#elapsedMs + delayMs, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  defer(task: () => void): void {
    setImmediate(task);
  }

  random(): number {
    return Math.random();
  }

  id(): string {
    return `${Math.random().toString(36).slice(2)}${"x".repeat(22)}`.slice(0, 22);
  }

  /** The wall clock jumps; monotonic time does not notice. */
  jumpWall(ms: number): void {
    this.#wallMs += ms;
  }

  /** Lets time pass, timer by timer; what a timer starts has a few turns to itself. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsedMs + ms;
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#passTo(Math.max(this.#elapsedMs, next.at));
      next.task();
      await turns();
    }
    this.#passTo(until);
    await turns();
  }

  #next(until: number): Timer | undefined {
    return this.#timers.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
  }

  #passTo(elapsedMs: number): void {
    this.#wallMs += elapsedMs - this.#elapsedMs;
    this.#elapsedMs = elapsedMs;
  }
}

/** A few turns of the event loop. */
export async function turns(count = 4): Promise<void> {
  for (let index = 0; index < count; index++) await new Promise((resolve) => setImmediate(resolve));
}
