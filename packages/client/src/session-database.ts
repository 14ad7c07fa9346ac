import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from "idb";
import type { StorageChange, StoredIdentity, StoredPublish, StoredSession, StoredState } from "./storage.js";

/** All keys begin with the session that they belong to. */
interface Schema extends DBSchema {
  sessions: { key: string; value: StoredIdentity };
  /** The highest *n*, by channel. */
  counts: { key: [string, string]; value: number };
  publishes: { key: [string, string, number]; value: StoredPublish & { readonly session: string }; indexes: { byAge: [string, number] } };
  states: { key: [string, string]; value: StoredState & { readonly session: string; readonly storedAt: number }; indexes: { byAge: [string, number] } };
}

const stores = ["sessions", "counts", "publishes", "states"] as const;
type Writing = IDBPTransaction<Schema, readonly (typeof stores)[number][], "readwrite">;

/** A session that nobody may hold, and since when its oldest publish waits: Unix ms, `Infinity` where none does. */
export interface ListedSession {
  readonly session: string;
  readonly oldestAt: number;
}

/** The sessions of an origin, in its IndexedDB. Rejects with a DOMException where there is none, it may not be used, or it is full. */
export interface SessionDatabase {
  load(session: string): Promise<StoredSession | undefined>;
  /** All or nothing, after those before. @param now the clock, by which the latest states are known */
  apply(session: string, changes: readonly StorageChange[], now: number): Promise<void>;
  remove(session: string): Promise<void>;
  /** The one with the oldest publish first. */
  list(): Promise<readonly ListedSession[]>;
}

/** All keys of a session. Of all that can be in a key, an array comes last. */
function keysOf(session: string): IDBKeyRange {
  return IDBKeyRange.bound([session], [session, []]);
}

/** @param statesMax how many channels' states are kept of a session; the latest */
export function makeSessionDatabase(name: string, statesMax: number): SessionDatabase {
  let opening: Promise<IDBPDatabase<Schema>> | undefined;

  const closed = (): void => {
    opening = undefined;
  };
  const open = async (): Promise<IDBPDatabase<Schema>> => {
    const database = await openDB<Schema>(name, 1, {
      upgrade(created) {
        created.createObjectStore("sessions");
        created.createObjectStore("counts");
        created.createObjectStore("publishes").createIndex("byAge", ["session", "timestamp"]);
        created.createObjectStore("states").createIndex("byAge", ["session", "storedAt"]);
      },
      // A page of a newer version, or one that deletes it all, does not have to wait for this one.
      blocking() {
        database.close();
        closed();
      },
      terminated: closed,
    });
    return database;
  };
  const opened = async (): Promise<IDBPDatabase<Schema>> => {
    try {
      return await (opening ??= open());
    } catch (cause) {
      closed();
      throw cause;
    }
  };
  /** What `work` asks for in its first turn, and in turns that follow an answer, is done together or not at all. */
  const write = async (durability: IDBTransactionDurability, work: (writing: Writing) => Promise<unknown>): Promise<void> => {
    const writing: Writing = (await opened()).transaction(stores, "readwrite", { durability });
    const done = writing.done.catch((cause: unknown) => {
      throw writing.error ?? cause;
    });
    done.catch(() => {});
    try {
      await work(writing);
      // A page that goes away takes with it what was not committed.
      writing.commit();
    } catch (cause) {
      if (writing.error === null) abort(writing);
      throw cause;
    }
    await done;
  };

  /** Nothing is asked, so all is committed in the turn that begins it: a page that goes away keeps what it saw last. */
  const keepStates = async (session: string, changes: readonly StorageChange[], now: number): Promise<void> => {
    const writing: Writing = (await opened()).transaction(stores, "readwrite", { durability: "relaxed" });
    const asked = changes.map((change) => applyTo(writing, session, change, now));
    writing.commit();
    await Promise.all([...asked, writing.done]);
    if ((await (await opened()).count("states", keysOf(session))) > statesMax) await write("relaxed", (trimming) => forgetOldest(trimming, session, statesMax));
  };

  return {
    async load(session) {
      const reading = (await opened()).transaction(stores);
      const range = keysOf(session);
      const [identity, channels, counts, publishes, states, stateKeys] = await Promise.all([
        reading.objectStore("sessions").get(session),
        reading.objectStore("counts").getAllKeys(range),
        reading.objectStore("counts").getAll(range),
        reading.objectStore("publishes").getAll(range),
        reading.objectStore("states").index("byAge").getAll(range),
        reading.objectStore("states").index("byAge").getAllKeys(range),
      ]);
      return (
        identity && {
          identity,
          counts: new Map(channels.map(([, channel], index) => [channel, counts[index] ?? 0])),
          publishes: publishes.map(({ session: _, ...publish }) => publish),
          states: new Map(states.map(({ position, version, state }, index) => [stateKeys[index]?.[1] ?? "", { position, version, state }])),
        }
      );
    },
    async apply(session, changes, now) {
      if (changes.every(({ kind }) => kind === "state")) return keepStates(session, changes, now);
      // What is sent has to be on the disk: else, after a loss of power, another publish would get its number, and the server would take it for
      // the first one. The rest may go with the power, though not with the page or the browser.
      return write(changes.some(({ kind }) => kind === "put") ? "strict" : "relaxed", (writing) =>
        Promise.all([...changes.map((change) => applyTo(writing, session, change, now)), ...raise(writing, session, changes)]),
      );
    },
    remove: (session) => write("relaxed", (writing) => Promise.all([writing.objectStore("sessions").delete(session), ...clear(writing, session, ["counts", "publishes", "states"])])),
    async list() {
      const reading = (await opened()).transaction(["sessions", "publishes"]);
      const byAge = reading.objectStore("publishes").index("byAge");
      const sessions = await reading.objectStore("sessions").getAllKeys();
      const oldest = await Promise.all(sessions.map((session) => byAge.get(keysOf(session))));
      const listed = sessions.map((session, index) => ({ session, oldestAt: oldest[index]?.timestamp ?? Number.POSITIVE_INFINITY }));
      return listed.toSorted((a, b) => (a.oldestAt === b.oldestAt ? 0 : a.oldestAt - b.oldestAt));
    },
  };
}

function abort(writing: Writing): void {
  try {
    writing.abort();
  } catch {
    // It has ended already.
  }
}

function clear(writing: Writing, session: string, from: readonly ("counts" | "publishes" | "states")[]): Promise<unknown>[] {
  return from.map((store) => writing.objectStore(store).delete(keysOf(session)));
}

/** Asked for in this turn, so that changes are done in their order. */
async function applyTo(writing: Writing, session: string, change: StorageChange, now: number): Promise<unknown> {
  const sessions = writing.objectStore("sessions");
  const publishes = writing.objectStore("publishes");
  switch (change.kind) {
    case "begin":
      return Promise.all([sessions.put(change.identity, session), ...clear(writing, session, ["publishes", "states"])]);
    case "identity":
      return sessions.put(change.identity, session);
    case "put":
      return publishes.put({ ...change.publish, session }, [session, change.publish.channel, change.publish.n]);
    case "settle":
      return publishes.delete([session, change.channel, change.n]);
    case "state":
      return writing.objectStore("states").put({ ...change.state, session, storedAt: now }, [session, change.channel]);
    default:
      return change satisfies never;
  }
}

/** The counts of the channels that are published in, where these changes make them higher. */
function raise(writing: Writing, session: string, changes: readonly StorageChange[]): Promise<unknown>[] {
  const store = writing.objectStore("counts");
  const highest = new Map<string, number>();
  for (const change of changes) {
    if (change.kind === "put") highest.set(change.publish.channel, Math.max(change.publish.n, highest.get(change.publish.channel) ?? 0));
  }
  return Array.from(highest, async ([channel, n]) => {
    const known = (await store.get([session, channel])) ?? 0;
    if (n > known) await store.put(n, [session, channel]);
  });
}

async function forgetOldest(writing: Writing, session: string, statesMax: number): Promise<void> {
  const states = writing.objectStore("states");
  const keys = await states.index("byAge").getAllKeys(keysOf(session));
  await Promise.all(keys.slice(0, Math.max(0, keys.length - statesMax)).map((key) => states.delete(key)));
}
