import type { Environment } from "@tutti/protocol";

interface Task {
  readonly dueAt: number;
  readonly serial: number;
  readonly run: () => void;
}

/** A clock that stands still until it is told to go on. Timers run in the order of their time. */
export class FakeEnvironment implements Environment {
  readonly #tasks = new Set<Task>();
  #elapsedMs = 0;
  #serial = 0;
  #ids = 0;
  /** What `random` returns. */
  chance = 0;
  /** The wall clock at the start. */
  readonly startedAt = 1_700_000_000_000;

  get timerCount(): number {
    return this.#tasks.size;
  }

  now(): number {
    return this.startedAt + this.#elapsedMs;
  }

  elapsed(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const task = { dueAt: this.#elapsedMs + delayMs, serial: this.#serial++, run };
    this.#tasks.add(task);
    return () => void this.#tasks.delete(task);
  }

  defer(task: () => void): void {
    this.after(0, task);
  }

  random(): number {
    return this.chance;
  }

  id(): string {
    return `id${String(this.#ids++).padStart(20, "0")}`;
  }

  /** Lets time pass, and runs what is due on the way. */
  pass(ms: number): void {
    const endAt = this.#elapsedMs + ms;
    for (let next = this.#next(endAt); next !== undefined; next = this.#next(endAt)) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueAt);
      this.#tasks.delete(next);
      next.run();
    }
    this.#elapsedMs = endAt;
  }

  /** Time passes, and nothing runs until the machine is awake again. */
  sleep(ms: number): void {
    this.#elapsedMs += ms;
  }

  #next(endAt: number): Task | undefined {
    let next: Task | undefined;
    for (const task of this.#tasks) {
      if (task.dueAt > endAt) continue;
      if (next === undefined || task.dueAt < next.dueAt || (task.dueAt === next.dueAt && task.serial < next.serial)) next = task;
    }
    return next;
  }
}

/** Lets promises that are settled call what waits for them. */
export async function turns(count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}
