import type { PresenceDigest } from "./presence-messages.js";

/**
 * The numbers of this node's changes, which rise over all channels: so a channel that nobody is in needs none, and what comes late of an earlier
 * time is always known to.
 */
export class PresenceNumbers {
  /** Of the channels in which this node owns members, in the order in which it came to. */
  readonly #byChannel = new Map<string, number>();
  #last = 0;
  #round = 0;
  #page = 0;
  /** Where the round has come to: a map is gone through in its order, whatever is added and deleted meanwhile. */
  #rest: Iterator<[string, number]> = [].values();
  /** How many of those that there were when the round began are to come, at most. What is added behind them belongs to the next round. */
  #left = 0;

  /** The last one that was given. */
  get last(): number {
    return this.#last;
  }

  /** That of the channel's last change; `0` where this node owns nobody there. */
  of(channel: string): number {
    return this.#byChannel.get(channel) ?? 0;
  }

  /** The number of the next change. @param isEmpty whether nobody is left after it */
  advance(channel: string, isEmpty: boolean): { readonly before: number; readonly number: number } {
    const before = this.of(channel);
    const number = ++this.#last;
    if (isEmpty) this.#byChannel.delete(channel);
    else this.#byChannel.set(channel, number);
    return { before, number };
  }

  /** The next part of all of them; `undefined` where there are none. */
  page(countMax: number): PresenceDigest | undefined {
    if (this.#left === 0) {
      if (this.#byChannel.size === 0) return undefined;
      this.#rest = this.#byChannel.entries();
      this.#left = this.#byChannel.size;
      this.#round++;
      this.#page = 0;
    }
    const numbers: { channel: string; number: number }[] = [];
    while (this.#left > 0 && numbers.length < countMax) {
      const { done, value } = this.#rest.next();
      this.#left = done === true ? 0 : this.#left - 1;
      if (done !== true) numbers.push({ channel: value[0], number: value[1] });
    }
    return { round: this.#round, page: this.#page++, isLast: this.#left === 0, numbers };
  }
}
