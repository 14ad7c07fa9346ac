import type { Cancel, Environment } from "@tutti/protocol";

export type Activity = "active" | "idle";

/** Takes the person for idle some time after the last sign of life. Without any sign it decides nothing. */
export class ActivityWatch {
  readonly #environment: Environment;
  readonly #idleAfterMs: number;
  readonly #tell: (activity: Activity) => void;
  #seenAt = 0;
  #timer: Cancel | undefined;

  constructor(environment: Environment, idleAfterMs: number, tell: (activity: Activity) => void) {
    this.#environment = environment;
    this.#idleAfterMs = idleAfterMs;
    this.#tell = tell;
  }

  seen(): void {
    this.#seenAt = this.#environment.elapsed();
    this.#tell("active");
    // Moved with every mouse: the timer finds out by itself how much later it should have been.
    if (this.#timer === undefined) this.#wait(this.#idleAfterMs);
  }

  stop(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  #wait(delayMs: number): void {
    this.#timer = this.#environment.after(delayMs, () => {
      this.#timer = undefined;
      const leftMs = this.#seenAt + this.#idleAfterMs - this.#environment.elapsed();
      if (leftMs > 0) this.#wait(leftMs);
      else this.#tell("idle");
    });
  }
}
