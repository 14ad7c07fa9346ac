import { makeSessionRecord, type SessionRecord } from "./session-record.js";
import type { ClientStorage } from "./session-home.js";
import type { HeldSession, StorageChange } from "./storage.js";
import { storedSessions } from "./stored-session.js";

/** A tab whose sessions live in memory, as long as any tab beside it. */
export interface MemoryStorage extends ClientStorage {
  /** The page is gone without a word: what it held is free, and what it still writes is not kept. */
  abandon(): void;
}

interface Kept {
  readonly record: SessionRecord;
  /** Stands for the hold that owns it. */
  owner: object | undefined;
}

interface Sessions {
  readonly all: Set<Kept>;
  /** Those who look for what others left. */
  readonly adopters: Set<() => void>;
}

const sessionsOf = new WeakMap<MemoryStorage, Sessions>();

export interface MemoryStorageOptions {
  /** Another tab of the same browser: the two have the same sessions. */
  readonly beside?: MemoryStorage;
  /** How many channels' states are kept; 20, the latest. */
  readonly statesMax?: number;
}

/**
 * Keeps sessions in memory: for as long as this object, or one beside it, lives, so that a client made anew with it goes on where the last
 * one was. For tests and for a page that takes itself down; what survives the process is in `indexedDbStorage` and `fileStorage`.
 */
export function memoryStorage({ beside, statesMax = 20 }: MemoryStorageOptions = {}): MemoryStorage {
  const sessions: Sessions = (beside && sessionsOf.get(beside)) ?? { all: new Set(), adopters: new Set() };
  const { all, adopters } = sessions;
  const mine = new Set<Kept>();
  const cancels = new Set<() => void>();
  /** The session of this tab before a reload. */
  let last: Kept | undefined;

  const isFree = (kept: Kept): boolean => all.has(kept) && kept.owner === undefined;
  const oldestOf = ({ record }: Kept): number => Math.min(...(record.stored()?.publishes ?? []).map(({ timestamp }) => timestamp));
  const letGo = (kept: Kept): void => {
    kept.owner = undefined;
    mine.delete(kept);
    for (const look of Array.from(adopters)) look();
  };
  const take = (kept: Kept): HeldSession => {
    const owner = (kept.owner = {});
    const isOwner = (): boolean => kept.owner === owner;
    mine.add(kept);
    return {
      stored: kept.record.stored(),
      async write(changes: readonly StorageChange[]) {
        if (isOwner()) for (const change of changes) kept.record.apply(change);
      },
      async release({ forget = false } = {}) {
        if (!isOwner()) return;
        if (forget) all.delete(kept);
        letGo(kept);
      },
    };
  };

  const storage = storedSessions({
    async hold() {
      const free = [...all].filter(isFree).toSorted((a, b) => oldestOf(a) - oldestOf(b));
      const kept = last !== undefined && isFree(last) ? last : (free[0] ?? { record: makeSessionRecord(statesMax), owner: undefined });
      all.add(kept);
      last = kept;
      return take(kept);
    },
    orphans(adopt: (held: HeldSession) => void) {
      const look = (): void => {
        for (const kept of all) if (isFree(kept) && oldestOf(kept) < Number.POSITIVE_INFINITY) adopt(take(kept));
      };
      const cancel = (): void => {
        adopters.delete(look);
        cancels.delete(cancel);
      };
      adopters.add(look);
      cancels.add(cancel);
      look();
      return cancel;
    },
    abandon() {
      for (const cancel of cancels) cancel();
      for (const kept of mine) letGo(kept);
    },
  });
  sessionsOf.set(storage, sessions);
  return storage;
}
