import type { Cancel, Environment } from "@tutti/protocol";

interface Timer {
  readonly at: number;
  readonly task: () => void;
}

/** Far more turns than any of the tests needs to come to rest. */
const TURNS_MAX = 10_000;

/** Everything that promises have made ready has run: what comes after them in the event loop is this. */
const microtasks = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Time that passes, and turns that end, when a test says so. */
export class ManualEnvironment implements Environment {
  /** What `random` answers. */
  chance = 0.5;
  #elapsedMs = 0;
  #wallMs = 1_700_000_000_000;
  #timers: Timer[] = [];
  #deferred: (() => void)[] = [];
  #ids = 0;

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
    this.#deferred.push(task);
  }

  random(): number {
    return this.chance;
  }

  id(): string {
    this.#ids++;
    return `${this.#ids.toString(36)}-`.padEnd(22, "x");
  }

  /** How many timers wait for their time. */
  get timerCount(): number {
    return this.#timers.length;
  }

  /** The wall clock jumps; monotonic time does not notice. */
  jumpWall(ms: number): void {
    this.#wallMs += ms;
  }

  /** One end of a turn: first what promises have made ready, then what was deferred until now, then the promises again. */
  async tick(): Promise<void> {
    await microtasks();
    for (const task of this.#deferred.splice(0)) task();
    await microtasks();
  }

  /** Turns, until nothing is deferred any more. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < TURNS_MAX; turns++) {
      await this.tick();
      if (this.#deferred.length === 0) return;
    }
    throw new Error(`not at rest after ${TURNS_MAX} turns`);
  }

  /** Lets time pass, timer by timer. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsedMs + ms;
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#fire(next);
      await this.settle();
    }
    this.#passTo(until);
    await this.settle();
  }

  /** Time passes while something works: no timer comes, and no turn ends. */
  pass(ms: number): void {
    this.#passTo(this.#elapsedMs + ms);
  }

  /** The event loop stands still for so long: what is due comes late, and nothing that was sent meanwhile has been read. */
  async standStill(ms: number): Promise<void> {
    const until = this.#elapsedMs + ms;
    this.#passTo(until);
    for (const timer of this.#timers.filter(({ at }) => at <= until)) this.#fire(timer);
    await this.settle();
  }

  #next(until: number): Timer | undefined {
    return this.#timers.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
  }

  #fire(timer: Timer): void {
    this.#timers = this.#timers.filter((each) => each !== timer);
    this.#passTo(Math.max(this.#elapsedMs, timer.at));
    timer.task();
  }

  #passTo(elapsedMs: number): void {
    this.#wallMs += elapsedMs - this.#elapsedMs;
    this.#elapsedMs = elapsedMs;
  }
}
