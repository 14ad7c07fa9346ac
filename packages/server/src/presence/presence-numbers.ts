import type { PresenceDigest } from "./presence-messages.js";

/** Of how many heartbeats it is remembered what they named, of those that named something. */
const BEATS_MAX = 64;
/** How many channels all of these name. One heartbeat names no more of them either: of what goes beyond it is only known that it is forgotten. */
const CHANNELS_MAX = 65_536;

/** All channels that changed between two numbers, each with that of its last change there, in the order of these. */
interface Stretch {
  readonly after: number;
  readonly upTo: number;
  readonly numbers: ReadonlyMap<string, number>;
}

/**
 * The numbers of this node's changes. They rise over all channels: so a channel that nobody is in needs none, what comes late of an earlier time is
 * always known to, and all that changed after one of them can be named, without a look at what did not.
 */
export class PresenceNumbers {
  /** Of the channels in which this node owns members. */
  readonly #byChannel = new Map<string, number>();
  #last = 0;
  /** What changed since the last heartbeat, in the order of the numbers. */
  #changed = new Map<string, number>();
  /** What the heartbeats before named, oldest first, each going on where the one before ends. */
  #remembered: Stretch[] = [];
  /** Up to which number heartbeats have named what changed. */
  #namedUpTo = 0;

  /** The last one that was given. */
  get last(): number {
    return this.#last;
  }

  /** Up to which number heartbeats have named what changed. */
  get namedUpTo(): number {
    return this.#namedUpTo;
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
    // Behind all others, so that they stay in order.
    this.#changed.delete(channel);
    this.#changed.set(channel, number);
    if (this.#changed.size > CHANNELS_MAX) this.#forget();
    return { before, number };
  }

  /** The next heartbeat names what changed until now. @returns after which number that begins */
  close(): number {
    const after = this.#namedUpTo;
    if (this.#changed.size === 0) return after;
    this.#remembered.push({ after, upTo: this.#last, numbers: this.#changed });
    this.#changed = new Map();
    this.#namedUpTo = this.#last;
    let count = 0;
    for (const { numbers } of this.#remembered) count += numbers.size;
    while (this.#remembered.length > BEATS_MAX || count > CHANNELS_MAX) count -= this.#remembered.shift()?.numbers.size ?? 0;
    return after;
  }

  /** All that heartbeats have named of what changed after a number and is remembered, in parts of so many channels; at least one part. */
  *since(number: number, channelsMax: number): Generator<PresenceDigest, undefined> {
    const stretches = this.#remembered.filter(({ upTo }) => upTo > number);
    let after = Math.max(number, stretches[0]?.after ?? this.#namedUpTo);
    if (stretches.length === 0) yield this.#digest(after, after, []);
    for (const { upTo, numbers } of stretches) {
      let part: { channel: string; number: number }[] = [];
      for (const [channel, each] of numbers) {
        if (each <= number) continue;
        part.push({ channel, number: each });
        // The last one of all is where the stretch ends.
        if (part.length < channelsMax && each < upTo) continue;
        yield this.#digest(after, each, part);
        after = each;
        part = [];
      }
    }
    return undefined;
  }

  #digest(after: number, upTo: number, numbers: PresenceDigest["numbers"]): PresenceDigest {
    return { forgottenUpTo: this.#remembered[0]?.after ?? this.#namedUpTo, after, upTo, numbers };
  }

  #forget(): void {
    this.#remembered = [];
    this.#changed = new Map();
    this.#namedUpTo = this.#last;
  }
}
