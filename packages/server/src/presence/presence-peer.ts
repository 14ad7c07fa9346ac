import type { HeldMembers } from "./presence-held.js";
import type { PresenceDigest } from "./presence-messages.js";

/** After how many heartbeats of this node what was asked for is asked for again. */
const ANSWER_BEATS = 2;

interface Missing {
  /** What is missing is known to who knows all up to this number. */
  number: number;
  /** How many of this node's heartbeats come before it is asked for. */
  beatsLeft: number;
}

/**
 * Another node, as far as its members are concerned: what is held of it, and what is known to be missing. Of each channel that somebody here is
 * interested in, either is true: something is missing, or what is held is the truth of a moment after the last change that is known of.
 */
export class PresencePeer {
  /** What is held of it, by channel; of the others, nobody. */
  readonly held = new Map<string, HeldMembers>();
  readonly #missing = new Map<string, Missing>();
  /** Up to which of its numbers it is known here what changed. */
  #knownUpTo: number;
  /** Up to which it has said that something did. */
  #toldUpTo: number;
  /** Up to which it has forgotten what did. */
  #forgottenUpTo = 0;

  /** @param number up to which nothing is asked of what changed, because the whole is */
  constructor(number: number) {
    this.#knownUpTo = this.#toldUpTo = number;
  }

  /** Up to which of its numbers it is known here what changed. */
  get knownUpTo(): number {
    return this.#knownUpTo;
  }

  /** Whether something changed of which it is not known where: it can be asked for, or it is forgotten. */
  get lag(): "none" | "missed" | "forgotten" {
    if (this.#knownUpTo >= this.#toldUpTo) return "none";
    return this.#knownUpTo < this.#forgottenUpTo ? "forgotten" : "missed";
  }

  /** The whole is asked for, of all channels: what changed before does not matter any more. */
  startOver(): void {
    this.#knownUpTo = this.#toldUpTo;
  }

  /** Up to which number it is known that the node owns nobody in a channel of which nothing is held. */
  emptyUpTo(channel: string): number {
    return this.#missing.has(channel) ? 0 : this.#knownUpTo;
  }

  /**
   * Takes what the node names. Changes that did not come may be on their way still, so what they are missing from is noted alone, and asked for with the
   * next heartbeat of this node.
   *
   * @param isFollowed whether somebody here is interested in a channel
   */
  take({ forgottenUpTo, after, upTo, numbers }: PresenceDigest, isFollowed: (channel: string) => boolean): void {
    for (const { channel, number } of numbers) {
      const known = Math.max(this.#knownUpTo, this.held.get(channel)?.number ?? 0);
      if (number > known && isFollowed(channel)) this.#note(channel, number, 1);
    }
    this.#forgottenUpTo = Math.max(this.#forgottenUpTo, forgottenUpTo);
    this.#toldUpTo = Math.max(this.#toldUpTo, upTo);
    if (after <= this.#knownUpTo) this.#knownUpTo = Math.max(this.#knownUpTo, upTo);
  }

  /** Nothing is known of the channel, and the node is asked now. */
  miss(channel: string): void {
    this.#note(channel, this.#knownUpTo, ANSWER_BEATS);
  }

  /** Changes up to this number did not come. @returns whether the node is to be asked now, because nothing was known to be missing before */
  lack(channel: string, number: number): boolean {
    return this.#note(channel, number, ANSWER_BEATS);
  }

  /** What is held of the channel is the truth of the moment at which the node had come to this number. */
  settle(channel: string, number: number): void {
    const missing = this.#missing.get(channel);
    if (missing !== undefined && missing.number <= number) this.#missing.delete(channel);
  }

  /** A heartbeat's time is over: the channels that the node is to be asked for, for the first time or again. */
  beat(): readonly string[] {
    const channels: string[] = [];
    for (const [channel, missing] of this.#missing) {
      if (--missing.beatsLeft > 0) continue;
      missing.beatsLeft = ANSWER_BEATS;
      channels.push(channel);
    }
    return channels;
  }

  /** Nobody is interested in the channel any more. */
  forget(channel: string): void {
    this.held.delete(channel);
    this.#missing.delete(channel);
  }

  #note(channel: string, number: number, beatsLeft: number): boolean {
    const missing = this.#missing.get(channel);
    if (missing === undefined) this.#missing.set(channel, { number, beatsLeft });
    else missing.number = Math.max(missing.number, number);
    return missing === undefined;
  }
}
