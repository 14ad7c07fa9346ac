import type { Environment } from "@tutti/protocol";
import type { AppendRequest, Outcome } from "@tutti/server";
import { AppendBatch, type AppendTarget, type PendingAppend } from "./append-batch.js";
import { appendArgs } from "./arguments.js";
import type { Seen } from "./feeds.js";
import type { Requests } from "./requests.js";

interface AppendsParts {
  readonly environment: Pick<Environment, "defer">;
  /** The keys of a channel. Throws where it can have none. */
  readonly keysOf: (channel: string) => readonly string[];
  /** What those channels have in common that may be in one script. */
  readonly placeOf: (channel: string) => string;
  readonly requests: Pick<Requests, "assertRoom">;
  /** Runs the script. */
  readonly send: (batch: AppendBatch) => Promise<unknown>;
}

/**
 * What is to be appended in this turn of the event loop. The first one is sent by itself, since it may be the only one; all that come after it leave at the turn's end, in one
 * script or, where that would hold Redis up, in several: what a script costs Redis and the node beside its appends is more than what an append costs.
 */
export class Appends {
  readonly #parts: AppendsParts;
  /** What waits for the end of the turn, by what its channels have in common, behind a first one that was sent. */
  readonly #batches = new Map<string, AppendBatch | undefined>();
  /** In all batches. */
  #count = 0;
  /** Whether the turn's end is waited for. */
  #isDue = false;

  constructor(parts: AppendsParts) {
    this.#parts = parts;
  }

  /** @param seen what was heard of the channel last */
  append(channel: string, request: AppendRequest, seen: Seen | undefined): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      // A throw in here rejects.
      const { keysOf, placeOf, requests } = this.#parts;
      requests.assertRoom(this.#count + 1);
      const args = appendArgs(request, seen);
      const bytes = Buffer.byteLength(args[0]);
      const target = { keys: keysOf(channel), retention: request.retention };
      const append = { args, bytes, resolve, reject };
      const place = placeOf(channel);
      if (!this.#batches.has(place)) return this.#begin(place, target, append);
      this.#batchWithRoom(place, bytes).add(target, append);
      this.#count++;
    });
  }

  /** Sends what was asked for by now, so that it comes before what is sent next. */
  flush(): void {
    if (this.#count === 0) return;
    for (const [place, batch] of this.#batches) {
      this.#batches.set(place, undefined);
      if (batch !== undefined) this.#release(batch);
    }
  }

  readonly #endTurn = (): void => {
    this.#isDue = false;
    this.flush();
    this.#batches.clear();
  };

  #begin(place: string, target: AppendTarget, append: PendingAppend): void {
    // Before anything is sent: the library writes at the end of the turn in which something was, and so after what we send then.
    if (!this.#isDue) this.#parts.environment.defer(this.#endTurn);
    this.#isDue = true;
    this.#batches.set(place, undefined);
    const alone = new AppendBatch();
    alone.add(target, append);
    this.#send(alone);
  }

  #batchWithRoom(place: string, bytes: number): AppendBatch {
    const begun = this.#batches.get(place);
    if (begun?.hasRoomFor(bytes) === true) return begun;
    if (begun !== undefined) this.#release(begun);
    const batch = new AppendBatch();
    this.#batches.set(place, batch);
    return batch;
  }

  #release(batch: AppendBatch): void {
    this.#count -= batch.count;
    this.#send(batch);
  }

  #send(batch: AppendBatch): void {
    this.#parts.send(batch).then(
      (reply) => batch.settle(reply),
      (error: unknown) => batch.reject(error),
    );
  }
}
