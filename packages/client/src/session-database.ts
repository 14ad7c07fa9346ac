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
  /** What was loaded and written here, by session. Of a session that is written there is no other writer. */
  const written = new Map<string, Written>();

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
  /**
   * All that `ask` asks for is done together or not at all, and committed in the turn that asks: the database takes the word of a page that goes
   * away right then, and no answer is heard there any more.
   */
  const write = async (durability: IDBTransactionDurability, ask: (writing: Writing) => Iterable<Promise<unknown>>): Promise<void> => {
    const writing: Writing = (await opened()).transaction(stores, "readwrite", { durability });
    const done = writing.done.catch((cause: unknown) => {
      throw writing.error ?? cause;
    });
    done.catch(() => {});
    try {
      // What becomes of each is what becomes of all.
      for (const asked of ask(writing)) asked.catch(() => {});
      writing.commit();
    } catch (cause) {
      abort(writing);
      throw cause;
    }
    await done;
  };
  /** Those of the latest channels stay. */
  const forgetStates = async (session: string): Promise<void> => {
    const keys = await (await opened()).getAllKeysFromIndex("states", "byAge", keysOf(session));
    const old = keys.slice(0, Math.max(0, keys.length - statesMax));
    if (old.length > 0) await write("relaxed", (writing) => old.map((key) => writing.objectStore("states").delete(key)));
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
      const counted = new Map(channels.map(([, channel], index) => [channel, counts[index] ?? 0]));
      written.set(session, { identity, counts: new Map(counted) });
      return (
        identity && {
          identity,
          counts: counted,
          publishes: publishes.map(({ session: _, ...publish }) => publish),
          states: new Map(states.map(({ position, version, state }, index) => [stateKeys[index]?.[1] ?? "", { position, version, state }])),
        }
      );
    },
    async apply(session, changes, now) {
      // What is sent has to be on the disk: else, after a loss of power, another publish would get its number, and the server would take it for
      // the first one. The rest may go with the power, though not with the page or the browser.
      const isSent = changes.some((change) => change.kind === "put" && change.publish.attempted);
      const before: Written = written.get(session) ?? { identity: undefined, counts: new Map() };
      written.set(session, before);
      await write(isSent ? "strict" : "relaxed", (writing) => applyAll(writing, session, changes, before, now));
      if (changes.some(({ kind }) => kind === "state")) await forgetStates(session);
    },
    async remove(session) {
      await write("relaxed", (writing) => [writing.objectStore("sessions").delete(session), ...clear(writing, session, ["counts", "publishes", "states"])]);
      written.delete(session);
    },
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

/** What a session is and has given out, as far as it was loaded and written here. */
interface Written {
  identity: StoredIdentity | undefined;
  /** The highest *n* by channel. One that could not be written is not given out again. */
  readonly counts: Map<string, number>;
}

function* applyAll(writing: Writing, session: string, changes: readonly StorageChange[], before: Written, now: number): Iterable<Promise<unknown>> {
  const { counts } = before;
  const sessions = writing.objectStore("sessions");
  const publishes = writing.objectStore("publishes");
  for (const change of changes) {
    switch (change.kind) {
      case "begin":
        before.identity = change.identity;
        yield sessions.put(change.identity, session);
        yield* clear(writing, session, ["publishes", "states"]);
        break;
      case "identity":
        before.identity = change.identity;
        yield sessions.put(change.identity, session);
        break;
      case "put": {
        const { channel, n } = change.publish;
        const count = Math.max(n, counts.get(channel) ?? 0);
        counts.set(channel, count);
        // Somebody may have cleared the site's data under the page, and nobody finds a publish without its session.
        if (before.identity !== undefined) yield sessions.put(before.identity, session);
        yield publishes.put({ ...change.publish, session }, [session, channel, n]);
        yield writing.objectStore("counts").put(count, [session, channel]);
        break;
      }
      case "settle":
        yield publishes.delete([session, change.channel, change.n]);
        break;
      case "state":
        yield writing.objectStore("states").put({ ...change.state, session, storedAt: now }, [session, change.channel]);
        break;
      default:
        change satisfies never;
    }
  }
}
