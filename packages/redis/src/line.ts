import { TuttiError, type Cancel, type Environment } from "@tutti/protocol";
import type { Log } from "@tutti/server";
import type { Connect, Link } from "./link.js";
import { unavailable } from "./redis-error.js";

const PAUSE_MS_MIN = 50;
const PAUSE_MS_MAX = 500;
/** One in so many failures in a row is told of, since they are the same. */
const TOLD_COUNT = 32;

/** How long to wait after so many attempts in a row that failed: longer each time, up to half a second, and not all nodes at the same moment. */
export function pauseMsAfter(failures: number, environment: Pick<Environment, "random">): number {
  return Math.min(PAUSE_MS_MIN * 2 ** failures, PAUSE_MS_MAX) * (0.5 + environment.random() / 2);
}

interface LineParts<L extends Link> {
  readonly environment: Environment;
  readonly log: Log;
  /** What it is for, as people read it. */
  readonly name: string;
  readonly connect: Connect<L>;
  /** For a link to stand. What takes longer may be lost on its way to somebody who is there by now. */
  readonly connectTimeoutMs: number;
  /** For preparing it. */
  readonly prepareTimeoutMs: number;
  /** What has to be done on a new link before anybody uses it. Where it fails, so has the link. */
  readonly prepare: (link: L) => Promise<void>;
  /** It is up again after it was down. */
  readonly resumed: () => void;
  readonly moved?: (topic: string) => void;
}

type Phase<L extends Link> =
  | { readonly name: "down"; readonly reason: string }
  | { readonly name: "connecting"; readonly reason: string }
  | { readonly name: "pausing"; readonly reason: string; readonly cancel: Cancel }
  | { readonly name: "up"; readonly link: L }
  | { readonly name: "closed" };

/** Keeps a link to Redis: makes another where one is lost, or is thrown away, until it is closed. */
export class Line<L extends Link> {
  readonly #parts: LineParts<L>;
  #phase: Phase<L> = { name: "down", reason: "it was not opened" };
  /** How often making a link failed since one stood. */
  #failures = 0;

  constructor(parts: LineParts<L>) {
    this.#parts = parts;
  }

  /** Makes the first link. Rejects where that fails, with `UNAVAILABLE`. */
  async open(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Makes the first link, and another where that fails, until there is one. */
  keep(): void {
    this.#connect().then(this.#parts.resumed, (error: unknown) => this.#fail(error));
  }

  /** @throws TuttiError `UNAVAILABLE` while there is none */
  get link(): L {
    if (this.#phase.name === "up") return this.#phase.link;
    throw new TuttiError("UNAVAILABLE", { message: `Redis is not connected for ${this.#parts.name}: ${this.trouble ?? ""}` });
  }

  /** Why it is not up. */
  get trouble(): string | undefined {
    if (this.#phase.name === "up") return undefined;
    return this.#phase.name === "closed" ? "the broker is closed" : this.#phase.reason;
  }

  /** Throws the link away, which rejects what is under way on it, and makes another. */
  renew(reason: string): void {
    if (this.#phase.name !== "up") return;
    const { link } = this.#phase;
    this.#parts.log.warn("the connection to Redis is made anew", { for: this.#parts.name, reason });
    this.#phase = { name: "down", reason };
    link.destroy();
    this.#retry();
  }

  close(): void {
    if (this.#phase.name === "pausing") this.#phase.cancel();
    if (this.#phase.name === "up") this.#phase.link.destroy();
    this.#phase = { name: "closed" };
  }

  async #connect(): Promise<void> {
    const { connect, prepare, log, name, moved, connectTimeoutMs, prepareTimeoutMs } = this.#parts;
    const phase: Phase<L> = { name: "connecting", reason: this.trouble ?? "" };
    this.#phase = phase;
    let lost: Error | undefined;
    const link = connect({
      lost: (error) => {
        lost = error;
        this.#lose(link, error);
      },
      troubled: (error) => log.warn("a server of the Redis cluster has trouble", { for: name, error: error.message }),
      moved: (topic) => moved?.(topic),
    });
    try {
      await this.#inTime(link.open(), connectTimeoutMs, "connected");
      await this.#inTime(prepare(link), prepareTimeoutMs, "prepared");
      if (lost !== undefined) throw lost;
      if (this.#phase !== phase) throw new TuttiError("UNAVAILABLE", { message: "the broker was closed" });
    } catch (error) {
      link.destroy();
      throw error;
    }
    this.#failures = 0;
    this.#phase = { name: "up", link };
  }

  #inTime(done: Promise<void>, timeoutMs: number, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const error = new TuttiError("UNAVAILABLE", { message: `the connection to Redis was not ${what} within ${timeoutMs} ms` });
      const cancel = this.#parts.environment.after(timeoutMs, () => reject(error));
      done.then(resolve, reject).finally(cancel);
    });
  }

  #lose(link: L, error: Error): void {
    if (this.#phase.name !== "up" || this.#phase.link !== link) return;
    this.#parts.log.warn("the connection to Redis was lost", { for: this.#parts.name, error: error.message });
    this.#phase = { name: "down", reason: error.message };
    link.destroy();
    this.#retry();
  }

  #retry(): void {
    const { environment, log, name } = this.#parts;
    if (this.#phase.name === "closed") return;
    const task = (): void => {
      this.#connect().then(
        () => {
          log.info("Redis is connected again", { for: name });
          this.#parts.resumed();
        },
        (error: unknown) => this.#fail(error),
      );
    };
    this.#phase = { name: "pausing", reason: this.trouble ?? "", cancel: environment.after(pauseMsAfter(this.#failures, environment), task) };
  }

  #fail(error: unknown): void {
    if (this.#phase.name === "closed") return;
    const { message } = unavailable(error);
    if (this.#failures++ % TOLD_COUNT === 0) this.#parts.log.warn("Redis cannot be connected", { for: this.#parts.name, error: message });
    this.#phase = { name: "down", reason: message };
    this.#retry();
  }
}
