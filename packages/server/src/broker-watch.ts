import { TuttiError, type Environment } from "@tutti/protocol";
import type { Broker, BrokerHealth } from "./broker.js";
import type { Bounds } from "./options.js";

interface Failing {
  readonly sinceMs: number;
  /** When it failed last; both on the monotonic clock. */
  latestMs: number;
  /** What was asked for: asking for it again makes nothing new. */
  readonly channel: string;
}

interface BrokerWatchParts {
  readonly environment: Environment;
  readonly broker: Broker;
  readonly bounds: Pick<Bounds, "brokerFailingMsMax">;
}

/** Whether the broker can be worked with: by what it says of itself, and by what became of what it was asked. */
export class BrokerWatch {
  readonly #environment: Environment;
  readonly #broker: Broker;
  readonly #failingMsMax: number;
  #failing: Failing | undefined;
  #isAsking = false;

  constructor({ environment, broker, bounds }: BrokerWatchParts) {
    this.#environment = environment;
    this.#broker = broker;
    this.#failingMsMax = bounds.brokerFailingMsMax;
  }

  /** It did what it was asked. */
  worked(): void {
    this.#failing = undefined;
  }

  /** It did not, for this channel. What is the channel's own fault does not count. */
  failed(channel: string, cause: unknown): void {
    if (cause instanceof TuttiError && cause.code !== "UNAVAILABLE") return;
    const now = this.#environment.elapsed();
    if (this.#failing === undefined) this.#failing = { sinceMs: now, latestMs: now, channel };
    else this.#failing.latestMs = now;
  }

  health(): BrokerHealth {
    const own = this.#own();
    if (own.status === "unavailable") return own;
    const failing = this.#failing;
    const failingMs = failing === undefined ? 0 : failing.latestMs - failing.sinceMs;
    if (failing === undefined || failingMs < this.#failingMsMax) return { status: "ready" };
    return { status: "unavailable", reason: `nothing has worked for ${Math.round(failingMs)} ms` };
  }

  #own(): BrokerHealth {
    try {
      return this.#broker.health?.() ?? { status: "ready" };
    } catch (error) {
      return { status: "unavailable", reason: `it cannot say how it is: ${String(error)}` };
    }
  }

  /**
   * Called once in a while. Where it failed, and nobody has asked it for anything since, it is asked: nobody may ask at a node that is not
   * ready. Never while others ask, since a log that cannot be written to may still be read.
   */
  look(): void {
    const failing = this.#failing;
    if (failing === undefined || this.#isAsking || this.#environment.elapsed() - failing.latestMs < this.#failingMsMax) return;
    this.#isAsking = true;
    this.#broker
      .head(failing.channel)
      .then(
        () => this.worked(),
        (cause: unknown) => this.failed(failing.channel, cause),
      )
      .finally(() => (this.#isAsking = false));
  }
}
