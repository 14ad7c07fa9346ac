import { TuttiError, type Cancel, type Environment } from "@tutti/protocol";
import type { Line } from "./line.js";
import type { RequestLink, Waiting } from "./link.js";
import { redisCodeOf, unavailable } from "./redis-error.js";
import type { Script } from "./scripts/script.js";

export interface RequestLimits {
  readonly requestTimeoutMs: number;
  readonly requestsMax: number;
}

interface Request extends Waiting {
  isOver: boolean;
  readonly dueAt: number;
  /** How many it counts as. */
  readonly count: number;
  readonly reject: (error: TuttiError) => void;
}

/**
 * What is asked of Redis, each with a deadline. All wait equally long, so they are due in the order in which they began, and one timer serves all.
 *
 * Where nothing at all was answered for so long, the connection is thrown away: what was written to it may still happen, and what was not never will. Whoever has
 * another one to the same servers is told.
 */
export class Requests {
  readonly #environment: Environment;
  readonly #line: Line<RequestLink>;
  readonly #limits: RequestLimits;
  readonly #silent: (reason: string) => void;
  readonly #waiting = new Map<number, Request>();
  #lastId = 0;
  /** Those that timed out count for as long as the library holds them. */
  #underWay = 0;
  #answeredAt: number;
  #cancel: Cancel | undefined;

  /** @param silent nothing at all was answered */
  constructor(environment: Environment, line: Line<RequestLink>, limits: RequestLimits, silent: (reason: string) => void) {
    this.#environment = environment;
    this.#line = line;
    this.#limits = limits;
    this.#silent = silent;
    this.#answeredAt = environment.elapsed();
  }

  /**
   * Runs a script.
   *
   * @param count how many requests it counts as
   * @throws TuttiError `UNAVAILABLE`, which leaves open whether it ran
   */
  run(script: Script, keys: readonly string[], args: readonly string[], count = 1): Promise<unknown> {
    const [key = ""] = keys;
    const rest = [String(keys.length), ...keys, ...args];
    return this.#ask(count, async (link, waiting) => {
      try {
        return await link.send(key, ["EVALSHA", script.sha1, ...rest], waiting);
      } catch (error) {
        // Each new connection loads them: somebody flushed the cache, or a replica took over, which does not have them.
        if (redisCodeOf(error) !== "NOSCRIPT") throw error;
        return link.send(key, ["EVAL", script.text, ...rest], waiting);
      }
    });
  }

  send(key: string, command: readonly string[]): Promise<unknown> {
    return this.#ask(1, (link, waiting) => link.send(key, command, waiting));
  }

  /** @throws TuttiError `UNAVAILABLE` where so many more would be too many at once */
  assertRoom(count: number): void {
    const { requestsMax } = this.#limits;
    if (this.#underWay + count > requestsMax) throw new TuttiError("UNAVAILABLE", { message: `requestsMax of the Redis broker is ${requestsMax}` });
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#reject(Number.POSITIVE_INFINITY, "the broker was closed");
  }

  #ask(count: number, task: (link: RequestLink, waiting: Waiting) => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      // A throw in here rejects.
      const { link } = this.#line;
      this.assertRoom(count);
      const now = this.#environment.elapsed();
      // Nothing was due while nothing was asked.
      if (this.#underWay === 0) this.#answeredAt = now;
      const id = ++this.#lastId;
      this.#underWay += count;
      const request: Request = { isOver: false, dueAt: now + this.#limits.requestTimeoutMs, count, reject };
      this.#waiting.set(id, request);
      this.#cancel ??= this.#environment.after(this.#limits.requestTimeoutMs, () => this.#expire());
      task(link, request).then(
        (reply) => {
          this.#answered(id, request);
          resolve(reply);
        },
        (error: unknown) => {
          this.#answered(id, request);
          if (redisCodeOf(error) === "READONLY") this.#line.renew("it is a replica now");
          reject(unavailable(error));
        },
      );
    });
  }

  #answered(id: number, { count }: Request): void {
    this.#underWay -= count;
    this.#waiting.delete(id);
    this.#answeredAt = this.#environment.elapsed();
  }

  #expire(): void {
    const now = this.#environment.elapsed();
    const { requestTimeoutMs } = this.#limits;
    this.#cancel = undefined;
    if (this.#reject(now, `Redis did not answer within ${requestTimeoutMs} ms`) && now - this.#answeredAt >= requestTimeoutMs) {
      const reason = `nothing was answered for ${requestTimeoutMs} ms`;
      this.#line.renew(reason);
      this.#silent(reason);
    }
    for (const { dueAt } of this.#waiting.values()) {
      this.#cancel = this.#environment.after(Math.max(1, dueAt - now), () => this.#expire());
      return;
    }
  }

  /** Rejects what is due by then. Whether there was any. */
  #reject(dueBy: number, message: string): boolean {
    let isAny = false;
    for (const [id, request] of this.#waiting) {
      if (request.dueAt > dueBy) break;
      this.#waiting.delete(id);
      request.isOver = true;
      request.reject(new TuttiError("UNAVAILABLE", { message }));
      isAny = true;
    }
    return isAny;
  }
}
