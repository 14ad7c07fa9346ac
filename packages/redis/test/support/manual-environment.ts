import type { Environment } from "@tutti/protocol";

interface Timer {
  readonly at: number;
  readonly task: () => void;
}

/** A world whose time passes when a test says so. */
export class ManualEnvironment implements Environment {
  #elapsed = 0;
  #timers: Timer[] = [];
  #ids = 0;

  readonly now = (): number => this.#elapsed;
  readonly elapsed = (): number => this.#elapsed;
  readonly defer = (task: () => void): void => void setImmediate(task);
  readonly random = (): number => 0.5;
  readonly id = (): string => `id-${++this.#ids}-0123456789`;

  readonly after = (delayMs: number, task: () => void): (() => void) => {
    const timer: Timer = { at: this.#elapsed + delayMs, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  };

  get timerCount(): number {
    return this.#timers.length;
  }

  /** Runs what is due, in its order, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settled();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#elapsed = next.at;
      this.#timers = this.#timers.filter((each) => each !== next);
      next.task();
      await settled();
    }
    this.#elapsed = end;
  }

  #next(end: number): Timer | undefined {
    return this.#timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
  }
}

/** Everything that waits for nothing but promises has gone on. */
export const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
