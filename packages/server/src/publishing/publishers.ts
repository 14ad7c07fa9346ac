import type { Channels } from "../channels/channels.js";
import type { ChannelPolicy } from "../policy/policy.js";
import type { Services } from "../services.js";
import { PreparedPublishes, type PreparedTally } from "./prepared.js";
import { Publisher, type PublishSource } from "./publisher.js";

/** Who publishes on this node, by session and channel: the connections of a session, which come one after the other, share them. */
export class Publishers {
  readonly #services: Services;
  readonly #channels: Channels;
  readonly #publishers = new Map<string, Publisher>();
  readonly #tally: PreparedTally = { count: 0, bytes: 0 };

  constructor(services: Services, channels: Channels) {
    this.#services = services;
    this.#channels = channels;
  }

  get size(): number {
    return this.#publishers.size;
  }

  /** How many publishes are kept as their handlers left them, because they could not be appended yet. */
  get preparedCount(): number {
    return this.#tally.count;
  }

  /** From here on to {@link leave} the connection publishes. */
  join(policy: ChannelPolicy, source: PublishSource): Publisher {
    const { session } = source.caller;
    const key = keyOf(session, policy.name);
    let publisher = this.#publishers.get(key);
    if (publisher === undefined) {
      const { environment, bounds } = this.#services;
      const prepared = new PreparedPublishes(environment, bounds, this.#tally);
      publisher = new Publisher({ services: this.#services, channels: this.#channels, policy, session, prepared });
      this.#publishers.set(key, publisher);
    }
    publisher.join(source);
    return publisher;
  }

  leave(publisher: Publisher, source: PublishSource): void {
    publisher.leave(source);
    this.#free(publisher);
  }

  /** Frees what nobody has asked for again for `preparedMs`, and those whose connections are gone. */
  sweep(): void {
    const { environment, bounds } = this.#services;
    const before = environment.elapsed() - bounds.preparedMs;
    for (const publisher of this.#publishers.values()) {
      publisher.expire(before);
      this.#free(publisher);
    }
  }

  #free(publisher: Publisher): void {
    if (publisher.isBlank) this.#publishers.delete(keyOf(publisher.session, publisher.channel));
  }
}

/** Neither has a space in it. */
function keyOf(session: string, channel: string): string {
  return `${session} ${channel}`;
}
