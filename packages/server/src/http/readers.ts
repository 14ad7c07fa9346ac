import { TuttiError } from "@tutti/protocol";
import type { Bounds } from "../options.js";
import type { Target } from "../target.js";

/** A request that waits for events, or streams them. */
export interface Reader {
  readonly channel: string;
  /** The public id of its session. */
  readonly session: string;
  readonly user: string | undefined;
  /** Nothing of a reader is waited for, when its node takes leave. */
  readonly requests: { readonly isIdle: true };
  /** The server ends its subscription to a channel, where it has one. */
  evict(channel: string, error: TuttiError): void;
  /** Ends it. */
  fail(error: TuttiError): void;
  /** Looks after it, once in a while. @param now on the monotonic clock */
  sweep(now: number): void;
}

/** Of all readers. */
export const READER_REQUESTS = { isIdle: true } as const;

/** Who waits for events of this node, or streams them, over HTTP. */
export class Readers {
  readonly #bounds: Pick<Bounds, "httpReadersMax">;
  readonly #all = new Set<Reader>();
  readonly #byUser = new Map<string, Set<Reader>>();

  constructor(bounds: Pick<Bounds, "httpReadersMax">) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<Reader> {
    return this.#all.values();
  }

  of(target: Target): readonly Reader[] {
    if ("user" in target) return [...(this.#byUser.get(target.user) ?? [])];
    return [...this.#all].filter(({ session }) => session === target.session);
  }

  /** @throws TuttiError `UNAVAILABLE` where there are as many as there may be */
  add(reader: Reader): void {
    const { httpReadersMax } = this.#bounds;
    if (this.#all.size >= httpReadersMax) throw new TuttiError("UNAVAILABLE", { message: `httpReadersMax is ${httpReadersMax}`, retryAfterMs: 1_000 });
    this.#all.add(reader);
    if (reader.user === undefined) return;
    const others = this.#byUser.get(reader.user);
    if (others === undefined) this.#byUser.set(reader.user, new Set([reader]));
    else others.add(reader);
  }

  remove(reader: Reader): void {
    if (!this.#all.delete(reader) || reader.user === undefined) return;
    const others = this.#byUser.get(reader.user);
    others?.delete(reader);
    if (others?.size === 0) this.#byUser.delete(reader.user);
  }

  /** Looks after all of them, once in a while. */
  sweep(now: number): void {
    for (const reader of this.#all) reader.sweep(now);
  }
}
