import { TuttiError, type Cancel, type Environment } from "@tutti/protocol";
import { browserEnvironment, browserLocks, browserTab, type TabMemory } from "./browser-environment.js";
import { groupWrites } from "./grouped-writes.js";
import { makeSessionDatabase, type ListedSession } from "./session-database.js";
import type { HeldSession, SessionStorage } from "./storage.js";

export interface IndexedDbStorageOptions {
  /** The database's name; one for each application of an origin. `tutti` unless given. */
  readonly name?: string;
  /** How often the newest state of a channel is kept. 1 s. */
  readonly stateStoreMs?: number;
  /** How many channels' states are kept of a session, the latest. 20. */
  readonly statesMax?: number;
  readonly environment?: Environment;
  readonly locks?: Locks;
  readonly tab?: TabMemory;
}

/** After which a database that does not answer is given up: a page without its storage is better than none. */
const HOLD_MS_MAX = 5_000;
/** How long a reloaded page waits for the page that it was to let go. */
const RELOAD_MS_MAX = 1_000;
/** How often a page looks for what others left. Twice in a row: what a page lets go in a reload is its own again at once. */
const LOOK_MS = 3_000;
/** How many sessions a tab remembers: of as many clients as a page has. */
const REMEMBERED_MAX = 4;

type Release = () => void;
type Locks = Pick<LockManager, "request" | "query">;

/** Takes a lock, or hears that it is not to be had: at once, or, with a signal, when that says so. */
function takeLock(locks: Locks, name: string, held: Set<string>, signal: AbortSignal | undefined): Promise<Release | undefined> {
  return new Promise((resolve, reject) => {
    locks
      .request(name, signal === undefined ? { ifAvailable: true } : { signal }, (lock) => {
        if (lock === null) return resolve(undefined);
        held.add(name);
        return new Promise<void>((letGo) => {
          resolve(() => {
            held.delete(name);
            letGo();
          });
        });
      })
      .catch((cause: unknown) => {
        if (signal?.aborted === true) resolve(undefined);
        else reject(cause);
      });
  });
}

/**
 * Keeps sessions in the page's IndexedDB, over a reload, a closed tab and a killed browser. What is about to be sent is on the disk before
 * that, so that a loss of power does not make the next page give its number out again. Each tab has a session of its own, under a Web Lock
 * that ends with the page; a tab that was reloaded gets its own back, a new one what waits longest, and what is left is taken up by the tabs
 * that run. Where IndexedDB or Web Locks are missing or may not be used, as in some private windows, `hold` rejects and the client goes on
 * in memory.
 *
 * @example
 * const client = createClient({ url: "/v1/connect", contract, storage: indexedDbStorage() });
 */
export function indexedDbStorage(options: IndexedDbStorageOptions = {}): SessionStorage {
  const { name = "tutti", stateStoreMs = 1_000, statesMax = 20, environment = browserEnvironment(), tab = browserTab() } = options;
  const database = makeSessionDatabase(name, statesMax);
  const lockOf = (session: string): string => `${name}/${session}`;
  const locksOf = (): Locks => options.locks ?? browserLocks();
  const take = async (session: string, signal?: AbortSignal): Promise<Release | undefined> => takeLock(locksOf(), lockOf(session), tab.held, signal);
  const freeOf = async (sessions: readonly ListedSession[]): Promise<readonly string[]> => {
    const held = new Set((await locksOf().query()).held?.map((lock) => lock.name));
    return sessions.map(({ session }) => session).filter((session) => !held.has(lockOf(session)));
  };

  const holdOf = async (session: string, letGo: Release): Promise<HeldSession> => {
    const writes = groupWrites(environment, stateStoreMs, (changes) => database.apply(session, changes, environment.now()));
    return {
      stored: await database.load(session),
      write: (changes) => writes.write(changes),
      async release({ forget = false } = {}) {
        await writes.flush();
        if (forget) await database.remove(session).catch(() => {});
        letGo();
      },
    };
  };
  /** What this tab had before it was reloaded; in a copy of a tab that is held, and stays so. */
  const takeOwn = async (remembered: readonly string[], known: ReadonlySet<string>): Promise<[string, Release] | undefined> => {
    const late = new AbortController();
    const cancel = environment.after(RELOAD_MS_MAX, () => late.abort());
    try {
      for (const session of remembered) {
        if (!known.has(session) || tab.held.has(lockOf(session))) continue;
        const letGo = late.signal.aborted ? undefined : await take(session, late.signal);
        if (letGo !== undefined) return [session, letGo];
      }
      return undefined;
    } finally {
      cancel();
    }
  };
  const takeFirst = async (sessions: Iterable<string>): Promise<[string, Release] | undefined> => {
    for (const session of sessions) {
      const letGo = await take(session);
      if (letGo !== undefined) return [session, letGo];
    }
    return undefined;
  };
  /** Of the free sessions where nothing waits one is enough for the next tab. */
  const forgetIdle = async (listed: readonly ListedSession[]): Promise<void> => {
    const idle = await freeOf(listed.filter(({ oldestAt }) => oldestAt === Number.POSITIVE_INFINITY));
    for (const session of idle.slice(1)) {
      const letGo = await take(session);
      if (letGo === undefined) continue;
      // Somebody may have had it, and left something, since it was listed.
      if ((await database.load(session))?.publishes.length === 0) await database.remove(session);
      letGo();
    }
  };

  const hold = async (): Promise<HeldSession> => {
    const listed = await database.list();
    const remembered = tab.recall(name).split(" ");
    const found =
      (await takeOwn(remembered, new Set(listed.map(({ session }) => session)))) ??
      (await takeFirst(listed.map(({ session }) => session))) ??
      (await takeFirst([environment.id()]));
    if (found === undefined) throw new Error("a new session is held already");
    const [session, letGo] = found;
    try {
      const held = await holdOf(session, letGo);
      tab.remember(name, [session, ...remembered.filter((other) => other !== session)].slice(0, REMEMBERED_MAX).join(" "));
      forgetIdle(listed.filter((other) => other.session !== session)).catch(() => {});
      return held;
    } catch (cause) {
      letGo();
      throw cause;
    }
  };

  return {
    hold: () =>
      new Promise((resolve, reject) => {
        let isLate = false;
        const cancel = environment.after(HOLD_MS_MAX, () => {
          isLate = true;
          reject(new TuttiError("TIMEOUT", { message: "IndexedDB does not answer" }));
        });
        hold()
          .then((held) => (isLate ? held.release() : resolve(held)))
          .catch(reject)
          .finally(cancel);
      }),
    orphans(adopt) {
      let isOver = false;
      let timer: Cancel | undefined;
      let seen = new Set<string>();
      const adoptOne = async (session: string): Promise<void> => {
        const letGo = await take(session);
        if (letGo === undefined) return;
        const held = await holdOf(session, letGo);
        if (isOver || held.stored === undefined || held.stored.publishes.length === 0) await held.release();
        else adopt(held);
      };
      const look = async (): Promise<void> => {
        const listed = await database.list();
        const free = await freeOf(listed.filter(({ oldestAt }) => oldestAt < Number.POSITIVE_INFINITY));
        for (const session of free) if (seen.has(session) && !isOver) await adoptOne(session);
        seen = new Set(free);
      };
      const lookAgain = (): void => {
        // What cannot be looked at now may be later.
        void look()
          .catch(() => {})
          .then(() => {
            if (!isOver) timer = environment.after(LOOK_MS, lookAgain);
          });
      };
      lookAgain();
      return () => {
        isOver = true;
        timer?.();
      };
    },
  };
}
