import type { ClientChannel } from "./channel.js";

export interface Channels {
  /** Subscribed, listened to, or with something to send. */
  readonly busy: Set<ClientChannel>;
  find(name: string): ClientChannel | undefined;
  of(name: string): ClientChannel;
  keep(channel: ClientChannel, isBusy: boolean): void;
  /** All that anybody still holds. */
  all(): readonly ClientChannel[];
}

/**
 * The channels of a client: one object for a name, for as long as anybody can tell. Busy ones are kept; of the others only those that the
 * application still holds, so that visiting many channels does not fill the memory.
 */
export function makeChannels(make: (name: string) => ClientChannel): Channels {
  const busy = new Set<ClientChannel>();
  const known = new Map<string, WeakRef<ClientChannel>>();
  const find = (name: string): ClientChannel | undefined => known.get(name)?.deref();
  const collected = new FinalizationRegistry<string>((name) => {
    if (find(name) === undefined) known.delete(name);
  });
  return {
    busy,
    find,
    all: () => Array.from(known.values(), (held) => held.deref()).filter((channel) => channel !== undefined),
    of(name) {
      const held = find(name);
      if (held !== undefined) return held;
      const channel = make(name);
      known.set(name, new WeakRef(channel));
      collected.register(channel, name);
      return channel;
    },
    keep(channel, isBusy) {
      if (isBusy) busy.add(channel);
      else busy.delete(channel);
    },
  };
}
