import type { Outcome, Retention } from "@tutti/server";
import { lifetimeMs, retentionArgs } from "./arguments.js";
import { unavailable } from "./redis-error.js";
import { readReplies, readSettled } from "./replies.js";
import { APPENDS_MAX, APPEND_BYTES_MAX } from "./scripts/append.js";

/** One append that waits for its outcome. */
export interface PendingAppend {
  readonly args: readonly string[];
  /** Of its event as JSON. */
  readonly bytes: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** Where it goes. */
export interface AppendTarget {
  readonly keys: readonly string[];
  readonly retention: Retention | undefined;
}

/** What goes to one channel, under one retention. */
interface Section extends AppendTarget {
  readonly appends: PendingAppend[];
}

/** What one script appends: of each channel in the order in which it was asked for. */
export class AppendBatch {
  readonly #sections: Section[] = [];
  /** The one that goes on, by the first key of its channel. */
  readonly #latest = new Map<string, Section>();
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  /** Whether one more of so many bytes may be in the same script. */
  hasRoomFor(bytes: number): boolean {
    return this.#count < APPENDS_MAX && this.#bytes + bytes <= APPEND_BYTES_MAX;
  }

  add({ keys, retention }: AppendTarget, append: PendingAppend): void {
    const [name = ""] = keys;
    let section = this.#latest.get(name);
    if (section === undefined || section.retention !== retention) {
      section = { keys, retention, appends: [] };
      this.#sections.push(section);
      this.#latest.set(name, section);
    }
    section.appends.push(append);
    this.#count++;
    this.#bytes += append.bytes;
  }

  keys(): readonly string[] {
    return this.#sections.flatMap(({ keys }) => keys);
  }

  args(deduplicationMs: number): readonly string[] {
    const args: string[] = [];
    for (const { retention, appends } of this.#sections) {
      args.push(String(appends.length), lifetimeMs(retention ?? "state", deduplicationMs), ...retentionArgs(retention));
      for (const append of appends) args.push(...append.args);
    }
    return args;
  }

  /** Gives each the outcome of its own. */
  settle(reply: unknown): void {
    let replies: readonly unknown[];
    try {
      replies = readReplies(reply, this.#count);
    } catch (error) {
      return this.reject(error);
    }
    let index = 0;
    for (const { resolve, reject } of this.#appends()) {
      try {
        resolve(readSettled(replies[index++]));
      } catch (error) {
        reject(unavailable(error));
      }
    }
  }

  reject(error: unknown): void {
    for (const { reject } of this.#appends()) reject(error);
  }

  *#appends(): Iterable<PendingAppend> {
    for (const { appends } of this.#sections) yield* appends;
  }
}
