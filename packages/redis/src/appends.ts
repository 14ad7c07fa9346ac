import type { Environment } from "@tutti/protocol";
import type { AppendRequest, Outcome } from "@tutti/server";
import { AppendBatch } from "./append-batch.js";
import { appendArgs } from "./arguments.js";
import type { Seen } from "./feeds.js";
import type { Requests } from "./requests.js";

interface AppendsParts {
  readonly environment: Pick<Environment, "defer">;
  /** The keys of a channel. Throws where it can have none. */
  readonly keysOf: (channel: string) => readonly string[];
  /** What those channels have in common that may be in one script. */
  readonly placeOf: (channel: string) => string;
  readonly requests: Pick<Requests, "assertRoom" | "writeThisTurn">;
  /** Runs the script. */
  readonly send: (batch: AppendBatch) => Promise<unknown>;
}

/**
 * What is to be appended in this turn of the event loop. It leaves at the turn's end, in one script or, where that would hold Redis up, in several: what a script costs Redis
 * and the node beside its appends is more than what an append costs.
 */
export class Appends {
  readonly #parts: AppendsParts;
  /** By what their channels have in common. */
  #batches = new Map<string, AppendBatch>();
  /** In all batches. */
  #count = 0;
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
      this.#batchFor(placeOf(channel), target.keys, bytes).add(target, { args, bytes, resolve, reject });
      this.#count++;
    });
  }

  /** Sends what was asked for by now, so that it comes before what is sent next. */
  flush(): void {
    if (this.#count === 0) return;
    const batches = this.#batches;
    this.#batches = new Map();
    for (const batch of batches.values()) this.#send(batch);
  }

  readonly #endTurn = (): void => {
    this.#isDue = false;
    this.flush();
  };

  #batchFor(place: string, [key = ""]: readonly string[], bytes: number): AppendBatch {
    const begun = this.#batches.get(place);
    if (begun?.hasRoomFor(bytes) === true) return begun;
    if (begun !== undefined) this.#send(begun);
    const batch = new AppendBatch();
    this.#batches.set(place, batch);
    // In this order: what is sent at the end of the turn is written right after that.
    this.#endTurnLater();
    this.#parts.requests.writeThisTurn(key);
    return batch;
  }

  #endTurnLater(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#parts.environment.defer(this.#endTurn);
  }

  #send(batch: AppendBatch): void {
    this.#count -= batch.count;
    this.#parts.send(batch).then(
      (reply) => batch.settle(reply),
      (error: unknown) => batch.reject(error),
    );
  }
}
