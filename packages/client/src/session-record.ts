import type { StorageChange, StoredIdentity, StoredPublish, StoredSession, StoredState } from "./storage.js";

/** A stored session in memory: what the changes, one after the other, make of it. */
export interface SessionRecord {
  /** A copy; `undefined` before the session has begun. */
  stored(): StoredSession | undefined;
  /** Begins with what was stored before. */
  load(session: StoredSession): void;
  apply(change: StorageChange): void;
}

/** @param statesMax how many channels' states are kept; the latest */
export function makeSessionRecord(statesMax: number): SessionRecord {
  let identity: StoredIdentity | undefined;
  const counts = new Map<string, number>();
  const channels = new Map<string, Map<number, StoredPublish>>();
  const states = new Map<string, StoredState>();

  const forget = (): void => {
    for (const kept of [channels, states]) kept.clear();
  };
  const put = (publish: StoredPublish): void => {
    const { channel, n } = publish;
    counts.set(channel, Math.max(n, counts.get(channel) ?? 0));
    const publishes = channels.get(channel);
    if (publishes === undefined) channels.set(channel, new Map([[n, publish]]));
    else publishes.set(n, publish);
  };
  const settle = (channel: string, n: number): void => {
    const publishes = channels.get(channel);
    publishes?.delete(n);
    if (publishes?.size === 0) channels.delete(channel);
  };
  const keepState = (channel: string, state: StoredState): void => {
    states.delete(channel);
    states.set(channel, state);
    for (const oldest of states.keys()) if (states.size > statesMax) states.delete(oldest);
  };

  return {
    stored: () =>
      identity && {
        identity,
        counts: new Map(counts),
        publishes: [...channels.values()].flatMap((publishes) => [...publishes.values()].toSorted((a, b) => a.n - b.n)),
        states: new Map(states),
      },
    load(session) {
      identity = session.identity;
      for (const publish of session.publishes) put(publish);
      for (const [channel, n] of session.counts) counts.set(channel, n);
      for (const [channel, state] of session.states) keepState(channel, state);
    },
    apply(change) {
      switch (change.kind) {
        case "begin":
          forget();
          identity = change.identity;
          break;
        case "identity":
          identity = change.identity;
          break;
        case "put":
          put(change.publish);
          break;
        case "settle":
          settle(change.channel, change.n);
          break;
        case "state":
          keepState(change.channel, change.state);
          break;
        default:
          change satisfies never;
      }
    },
  };
}
