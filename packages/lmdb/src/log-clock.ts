import type { Environment } from "@tutti/protocol";

/**
 * The log's time in Unix milliseconds, which means something to the next process too. Within a process it follows the monotonic clock: a wall
 * clock that jumps makes it neither forget early nor keep for ever. Where the wall clock was wrong as the process started and was set since, the
 * two differ, and what is remembered is given the benefit of the doubt.
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

  /** When something was used: by the clock that is ahead, so that a later process, whose clock may be right, does not take it for older than it is. */
  usedAt(): number {
    return Math.max(this.now(), this.#wall());
  }

  /** What is judged to be too old is so by both clocks. */
  isOlder(usedAt: number, ageMs: number): boolean {
    return Math.min(this.now(), this.#wall()) - usedAt > ageMs;
  }

  #wall(): number {
    return Math.round(this.#environment.now());
  }
}
