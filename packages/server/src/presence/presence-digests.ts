import type { Bus, Topic } from "../bus/bus.js";
import type { PresenceDigest } from "./presence-messages.js";
import type { PresenceNumbers } from "./presence-numbers.js";

/** To how many more than all nodes something may be owed; who waits in vain asks again. */
const OWED_MAX = 1_024;

interface PresenceDigestsParts {
  readonly bus: Bus;
  readonly numbers: PresenceNumbers;
  /** How many channels one message names. */
  readonly channelsMax: number;
}

/** Names the channels that changed: in heartbeats, behind them where they are too many, and again to a node that missed some. */
export class PresenceDigests {
  readonly #parts: PresenceDigestsParts;
  /** What waits for its turn. It is made then. */
  readonly #owed = new Map<Topic, Iterator<PresenceDigest, undefined>>();

  constructor(parts: PresenceDigestsParts) {
    this.#parts = parts;
  }

  /** Whether there is more to tell. */
  get isOwing(): boolean {
    return this.#owed.size > 0;
  }

  /** What the next heartbeat names; the rest is owed to all nodes. `undefined` where this node has never owned anybody. */
  beat(): PresenceDigest | undefined {
    const { bus, numbers, channelsMax } = this.#parts;
    if (numbers.last === 0) return undefined;
    const parts = numbers.since(numbers.close(), channelsMax);
    const { value: first } = parts.next();
    // What is owed of an earlier heartbeat still is asked for.
    if (first !== undefined && first.upTo < numbers.namedUpTo && !bus.isAlone) this.#owed.set("nodes", parts);
    return first;
  }

  /** A node knows what changed up to a number, and no more. It is owed what is behind that, and nothing from before it asked. */
  owe(node: string, number: number): void {
    const { numbers, channelsMax } = this.#parts;
    const topic: Topic = `node:${node}`;
    if (this.#owed.size <= OWED_MAX || this.#owed.has(topic)) this.#owed.set(topic, numbers.since(number, channelsMax));
  }

  /** Tells what is owed, in so many messages at most. */
  send(countMax: number): void {
    let count = 0;
    for (const [topic, parts] of this.#owed) {
      for (; count < countMax; count++) {
        const { done, value } = parts.next();
        if (done === true) break;
        this.#parts.bus.tell(topic, { kind: "presence:changed", ...value });
      }
      if (count === countMax) return;
      this.#owed.delete(topic);
    }
  }
}
