import type { Cancel, Environment } from "@tutti/protocol";
import type { Participant, RandomStream } from "@tutti/testkit";

/** The environment of a process that has much to do: the end of each turn comes after a while, and more arrives meanwhile. */
export class BusyEnvironment implements Environment {
  readonly #process: Participant;
  readonly #random: RandomStream;
  readonly #turnMsMax: number;

  constructor(process: Participant, random: RandomStream, turnMsMax: number) {
    this.#process = process;
    this.#random = random;
    this.#turnMsMax = turnMsMax;
  }

  now(): number {
    return this.#process.now();
  }

  elapsed(): number {
    return this.#process.elapsed();
  }

  after(delayMs: number, task: () => void): Cancel {
    return this.#process.after(delayMs, task);
  }

  defer(task: () => void): void {
    if (this.#turnMsMax === 0) this.#process.defer(task);
    else this.#process.after(this.#random.between(0, this.#turnMsMax), task);
  }

  random(): number {
    return this.#process.random();
  }

  id(): string {
    return this.#process.id();
  }
}
