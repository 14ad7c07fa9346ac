import type { HeldMembers } from "./presence-held.js";
import type { PresenceDigest } from "./presence-messages.js";

/** Another node, as far as its members are concerned: what is held of it, and what is known to be missing. */
export class PresencePeer {
  /** Its present life. */
  incarnation: number;
  /** What is held of it, by channel. */
  readonly held = new Map<string, HeldMembers>();
  /** Up to which number it has told changes that did not come, by channel. */
  readonly #missing = new Map<string, number>();
  #round = 0;
  #nextPage = 0;
  /** Whether all pages of this round have come until now. */
  #isRoundWhole = false;

  constructor(incarnation: number) {
    this.incarnation = incarnation;
  }

  /** In which round its numbers are. */
  get round(): number {
    return this.#round;
  }

  /** Whether it was not known before that something is missing. */
  miss(channel: string, number: number): boolean {
    const known = this.#missing.get(channel);
    this.#missing.set(channel, Math.max(known ?? 0, number));
    return known === undefined;
  }

  /** What is held of the channel is the truth of a moment after it was asked for. */
  settle(channel: string): void {
    const lacks = this.held.get(channel)?.lacks;
    if (lacks === undefined) this.#missing.delete(channel);
    else this.#missing.set(channel, lacks);
  }

  /** The channels in which something is missing still. */
  missing(): readonly string[] {
    const channels: string[] = [];
    for (const [channel, number] of this.#missing) {
      const held = this.held.get(channel);
      if (held === undefined || held.number >= number) this.#missing.delete(channel);
      else channels.push(channel);
    }
    return channels;
  }

  /** Nobody is interested in the channel any more. */
  forget(channel: string): void {
    this.held.delete(channel);
    this.#missing.delete(channel);
  }

  /**
   * Compares what is held with the numbers in a heartbeat. Changes that did not come may be on their way still, so what they are missing from is
   * noted alone, and asked for with the next heartbeat of this node. The channels of which nothing was known are returned.
   *
   * @param digest `undefined` where the node owns nobody
   * @param heldOf what is held of a channel that somebody here is interested in
   */
  compare(digest: PresenceDigest | undefined, heldOf: (channel: string) => HeldMembers | undefined): readonly string[] {
    const unknown: string[] = [];
    if (digest === undefined) {
      for (const [channel, held] of this.held) if (held.size > 0) this.miss(channel, held.number + 1);
      return unknown;
    }
    this.#turnPage(digest);
    for (const { channel, number } of digest.numbers) {
      const held = heldOf(channel);
      if (held === undefined) continue;
      held.round = this.#round;
      if (held.number >= number) continue;
      if (this.miss(channel, number) && held.number === 0) unknown.push(channel);
    }
    if (digest.isLast && this.#isRoundWhole) this.#missUnnamed();
    return unknown;
  }

  #turnPage({ round, page }: PresenceDigest): void {
    const follows = round === this.#round && page === this.#nextPage;
    this.#isRoundWhole = page === 0 || (this.#isRoundWhole && follows);
    this.#round = round;
    this.#nextPage = page + 1;
  }

  /** Where all channels were named but these, the node owns nobody there. */
  #missUnnamed(): void {
    for (const [channel, held] of this.held) if (held.size > 0 && held.round !== this.#round) this.miss(channel, held.number + 1);
  }
}
