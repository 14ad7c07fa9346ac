import type { ClientChannel } from "./channel.js";

const SWEEP_COUNT_MIN = 64;

/**
 * The channels of a client: one object for a name, for as long as anybody can tell. Subscribed ones are kept; of the others only those that
 * the application still holds, so that visiting many channels does not fill the memory.
 */
export class Channels {
  readonly #make: (name: string) => ClientChannel;
  readonly #held = new Map<string, ClientChannel>();
  readonly #loose = new Map<string, WeakRef<ClientChannel>>();
  #sweepAt = SWEEP_COUNT_MIN;

  constructor(make: (name: string) => ClientChannel) {
    this.#make = make;
  }

  /** The subscribed ones, as they are now. */
  get held(): readonly ClientChannel[] {
    return [...this.#held.values()];
  }

  /** All that the application can still see. */
  get all(): readonly ClientChannel[] {
    return [...this.#held.values(), ...[...this.#loose.values()].flatMap((reference) => reference.deref() ?? [])];
  }

  find(name: string): ClientChannel | undefined {
    return this.#held.get(name) ?? this.#loose.get(name)?.deref();
  }

  of(name: string): ClientChannel {
    const known = this.find(name);
    if (known !== undefined) return known;
    const channel = this.#make(name);
    this.release(channel);
    return channel;
  }

  hold(channel: ClientChannel): void {
    this.#loose.delete(channel.name);
    this.#held.set(channel.name, channel);
  }

  release(channel: ClientChannel): void {
    this.#held.delete(channel.name);
    this.#loose.set(channel.name, new WeakRef(channel));
    if (this.#loose.size < this.#sweepAt) return;
    for (const [name, reference] of this.#loose) if (reference.deref() === undefined) this.#loose.delete(name);
    this.#sweepAt = Math.max(SWEEP_COUNT_MIN, this.#loose.size * 2);
  }
}
