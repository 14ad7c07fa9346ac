import type { BusMessageOf } from "../bus/bus-messages.js";
import type { Bus } from "../bus/bus.js";
import type { Entry } from "./presence-held.js";
import type { ToldEntry, ToldMembers } from "./presence-messages.js";

/** How many asks wait for their answer; who is not answered asks again. */
const WAITING_MAX = 1_024;

/** This node's members of one channel, at one moment. */
export interface OwnedList {
  readonly channel: string;
  readonly number: number;
  readonly entries: readonly Entry[];
}

interface PresenceAnswersParts {
  readonly bus: Bus;
  readonly partMax: number;
  readonly elapsed: () => number;
  /** What this node owns now in those of the channels in which it owns anybody, and the number of its last change. */
  readonly look: (channels: readonly string[]) => { readonly at: number; readonly lists: readonly OwnedList[] };
}

interface Waiting {
  readonly node: string;
  readonly ask: number;
  readonly channels: readonly string[];
}

/** How long ago a member did something, for a node whose clock is another. */
export function toldEntry({ member, actedAt }: Entry, now: number): ToldEntry {
  return { member, ageMs: Math.max(0, Math.floor(now - actedAt)) };
}

/** Answers other nodes, in parts that are made when their turn has come. */
export class PresenceAnswers {
  readonly #parts: PresenceAnswersParts;
  readonly #waiting: Waiting[] = [];
  #current: { readonly node: string; readonly parts: Iterator<BusMessageOf<"presence:answer">> } | undefined;

  constructor(parts: PresenceAnswersParts) {
    this.#parts = parts;
  }

  owe(node: string, { ask, channels }: BusMessageOf<"presence:ask">): void {
    if (this.#waiting.length < WAITING_MAX) this.#waiting.push({ node, ask, channels });
  }

  /** Answers, in so many messages at most. Whether there is more to answer. */
  send(countMax: number): boolean {
    for (let count = 0; count < countMax; ) {
      this.#current ??= this.#next();
      if (this.#current === undefined) return false;
      const { node, parts } = this.#current;
      const { done, value } = parts.next();
      if (done === true) {
        this.#current = undefined;
        continue;
      }
      this.#parts.bus.tell(`node:${node}`, value);
      count++;
    }
    return this.#current !== undefined || this.#waiting.length > 0;
  }

  #next(): { readonly node: string; readonly parts: Iterator<BusMessageOf<"presence:answer">> } | undefined {
    const waiting = this.#waiting.shift();
    return waiting && { node: waiting.node, parts: this.#partsOf(waiting) };
  }

  *#partsOf({ ask, channels }: Waiting): Generator<BusMessageOf<"presence:answer">, undefined> {
    const { partMax, elapsed, look } = this.#parts;
    // All of them at this moment, though the parts may be made later.
    const { at, lists } = look(channels);
    let part = 0;
    let ready: ToldMembers[] = [];
    let room = partMax;
    for (const { channel, number, entries } of lists) {
      for (let from = 0; from < entries.length; ) {
        const taken = entries.slice(from, from + room);
        const isWhole = from + taken.length === entries.length;
        ready.push({ channel, number, from, isWhole, entries: taken.map((entry) => toldEntry(entry, elapsed())) });
        from += taken.length;
        room -= taken.length;
        if (room > 0) continue;
        yield { kind: "presence:answer", ask, part: part++, isLast: false, at, lists: ready };
        ready = [];
        room = partMax;
      }
    }
    yield { kind: "presence:answer", ask, part, isLast: true, at, lists: ready };
    return undefined;
  }
}
