import type { Environment } from "@tutti/protocol";

/**
 * The log's time in Unix milliseconds, which means something to the next process too. Within a process it follows the monotonic clock: a wall
 * clock that jumps makes it neither forget early nor keep for ever.
 */
export class LogClock {
  readonly #environment: Environment;
  readonly #offset: number;

  constructor(environment: Environment) {
    this.#environment = environment;
    this.#offset = environment.now() - environment.elapsed();
  }

  now(): number {
    return Math.round(this.#offset + this.#environment.elapsed());
  }
}
