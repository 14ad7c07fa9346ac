import type { Environment } from "@tutti/protocol";

const FIRST_MS = 1_000;
/** Short enough for everything to be well again 35 s after the last fault, a request that hung included. */
const LONGEST_MS = 10_000;

/** How long to wait before the same request is sent again: 1 s, doubling up to 10 s, or what the server asks for; plus up to a quarter. */
export class Backoff {
  readonly #environment: Environment;
  #pauses = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  nextMs(retryAfterMs?: number): number {
    const pauseMs = retryAfterMs ?? Math.min(FIRST_MS * 2 ** this.#pauses, LONGEST_MS);
    this.#pauses = Math.min(this.#pauses + 1, 5);
    return pauseMs + (Math.max(pauseMs, FIRST_MS) / 4) * this.#environment.random();
  }

  reset(): void {
    this.#pauses = 0;
  }
}
