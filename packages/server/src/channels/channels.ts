import type { Position } from "@tutti/protocol";
import type { ChannelPolicy } from "../policy/policy.js";
import type { Services } from "../services.js";
import type { Sessions } from "../sessions/sessions.js";
import { Channel } from "./channel.js";
import { HeadCheck } from "./head-check.js";

interface Opened {
  readonly channel: Channel;
  readonly ready: Promise<void>;
}

/** The channels that somebody on this node is interested in, and those that need looking after. */
export class Channels {
  readonly #services: Services;
  readonly #sessions: Sessions;
  readonly #opened = new Map<string, Opened>();
  readonly #headCheck: HeadCheck;
  #isClosed = false;

  constructor(services: Services, sessions: Sessions) {
    this.#services = services;
    this.#sessions = sessions;
    this.#headCheck = new HeadCheck(services);
  }

  get size(): number {
    return this.#opened.size;
  }

  *[Symbol.iterator](): Iterator<Channel> {
    for (const { channel } of this.#opened.values()) yield channel;
  }

  /** The channel where it is open already. */
  get(name: string): Channel | undefined {
    return this.#opened.get(name)?.channel;
  }

  /** The policy of a channel, whether it exists or not; all who have to do with one that is open share it. @throws TuttiError `CHANNEL_INVALID`, `ROOM_NOT_FOUND` */
  policyOf(name: string): ChannelPolicy {
    return this.get(name)?.policy ?? this.#services.policy.channel(name);
  }

  /** The channel, following its log. Rejects as the broker does; the next call tries again. */
  async open(policy: ChannelPolicy): Promise<Channel> {
    let opened = this.#opened.get(policy.name);
    if (opened === undefined) {
      const channel = new Channel(this.#services, this.#sessions, policy, (failed) => {
        if (this.get(policy.name) === failed) this.#opened.delete(policy.name);
      });
      opened = { channel, ready: channel.open() };
      this.#opened.set(policy.name, opened);
    }
    try {
      await opened.ready;
    } catch (error) {
      this.#services.log.warn("opening a channel failed", { channel: policy.name, error });
      if (this.#opened.get(policy.name) === opened) this.#opened.delete(policy.name);
      throw error;
    }
    return opened.channel;
  }

  /**
   * Something was appended. A channel with state is saved and trimmed by those who follow it alone; where nobody here does, it is opened once in
   * `snapshotEvery` positions, which saves and trims what has come together, and it closes again when it is idle. Told by the position, so that nothing
   * is remembered of channels that are not open; a broker that counts in jumps meets such positions about as often, by its own count.
   */
  tend(policy: ChannelPolicy, { seq }: Position): void {
    const { snapshotEvery } = this.#services.bounds;
    const isDue = seq % Math.max(1, snapshotEvery) === 0;
    if (!isDue || this.#isClosed || policy.definition.state === undefined || this.#opened.has(policy.name)) return;
    // The failure is logged where it happens, and the next time comes.
    this.open(policy).catch(() => {});
  }

  /** Closes what nobody has used for `channelIdleMs`. */
  closeIdle(): void {
    const { environment, bounds, log } = this.#services;
    const before = environment.elapsed() - bounds.channelIdleMs;
    for (const [name, { channel }] of this.#opened) {
      const { emptySince } = channel;
      if (emptySince === undefined || emptySince > before) continue;
      this.#opened.delete(name);
      channel.close().catch((error: unknown) => log.warn("closing a channel failed", { channel: name, error }));
    }
  }

  /** Looks whether quiet channels missed their last event. */
  async checkHeads(): Promise<void> {
    // Where the node closes there are none left, and the look is over.
    if (this.#services.guards.headCheck !== false) await this.#headCheck.look(this);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    await Promise.allSettled(opened.map(({ channel }) => channel.close()));
  }
}
