import { TuttiError, type Environment } from "@tutti/protocol";
import type { Bounds } from "../options.js";
import type { Broker, BrokerHealth } from "./broker.js";

/** What a broker is asked for all the time. One may fail without the other: a full disk can be read. */
type Asked = "append" | "heads";

/** It fails: since when, and when last, on the monotonic clock. */
interface Failing {
  readonly sinceMs: number;
  readonly latestMs: number;
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
  readonly #failing = new Map<Asked, Failing>();
  #isAsking = false;

  constructor({ environment, broker, bounds }: BrokerWatchParts) {
    this.#environment = environment;
    this.#broker = broker;
    this.#failingMsMax = bounds.brokerFailingMsMax;
  }

  worked(asked: Asked): void {
    if (this.#failing.size > 0) this.#failing.delete(asked);
  }

  /** What is the request's own fault does not count. */
  failed(asked: Asked, channel: string, cause: unknown): void {
    if (cause instanceof TuttiError && cause.code !== "UNAVAILABLE") return;
    const latestMs = this.#environment.elapsed();
    this.#failing.set(asked, { sinceMs: this.#failing.get(asked)?.sinceMs ?? latestMs, latestMs, channel });
  }

  health(): BrokerHealth {
    const own = this.#own();
    if (own.status === "unavailable") return own;
    for (const [asked, { sinceMs, latestMs }] of this.#failing) {
      const failingMs = latestMs - sinceMs;
      if (failingMs >= this.#failingMsMax) return { status: "unavailable", reason: `${asked} failed for ${Math.round(failingMs)} ms` };
    }
    return { status: "ready" };
  }

  /**
   * Called once in a while. What failed, and was not asked for again since, is taken for mended once the head of its channel can be had: nobody
   * may ask at a node that is not ready.
   */
  look(): void {
    const quietSince = this.#environment.elapsed() - this.#failingMsMax;
    for (const [asked, { latestMs, channel }] of this.#failing) {
      if (latestMs <= quietSince && !this.#isAsking) void this.#ask(asked, channel);
    }
  }

  async #ask(asked: Asked, channel: string): Promise<void> {
    this.#isAsking = true;
    try {
      await this.#broker.head(channel);
      this.worked(asked);
    } catch (error) {
      this.failed(asked, channel, error);
    }
    this.#isAsking = false;
  }

  #own(): BrokerHealth {
    try {
      return this.#broker.health?.() ?? { status: "ready" };
    } catch (error) {
      return { status: "unavailable", reason: `it cannot say how it is: ${String(error)}` };
    }
  }
}
