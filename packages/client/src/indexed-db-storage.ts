import type { Environment } from "@tutti/protocol";
import { browserEnvironment, browserLocks, browserTab, type TabMemory } from "./browser-environment.js";
import { inTime } from "./deferred.js";
import { groupWrites } from "./grouped-writes.js";
import { watchOrphans } from "./orphan-watch.js";
import { makeSessionDatabase, type ListedSession } from "./session-database.js";
import { makeSessionLocks, type Locks, type Release } from "./session-locks.js";
import type { ClientStorage } from "./session-home.js";
import type { HeldSession } from "./storage.js";
import { storedSessions } from "./stored-session.js";

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
/** How many sessions a tab remembers: of as many clients as a page has. */
const REMEMBERED_MAX = 4;

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
export function indexedDbStorage(options: IndexedDbStorageOptions = {}): ClientStorage {
  const { name = "tutti", stateStoreMs = 1_000, statesMax = 20, environment = browserEnvironment(), tab = browserTab() } = options;
  const database = makeSessionDatabase(name, statesMax);
  const locks = makeSessionLocks(name, () => options.locks ?? browserLocks(), tab.held);

  const holdOf = async (session: string, letGo: Release): Promise<HeldSession> => {
    try {
      const stored = await database.load(session);
      const writes = groupWrites(environment, stateStoreMs, (changes) => database.apply(session, changes, environment.now()));
      return {
        stored,
        write: (changes) => writes.write(changes),
        async release({ forget = false } = {}) {
          await writes.flushAtOnce();
          const isForgotten = !forget || (await database.remove(session).then(() => true, () => false));
          // Whoever took up what was to be forgotten would give its numbers out again. The lock ends with the page.
          if (isForgotten) letGo();
        },
      };
    } catch (cause) {
      letGo();
      throw cause;
    }
  };
  /** What this tab had before it was reloaded; in a copy of a tab that is held, and stays so. */
  const takeOwn = async (remembered: readonly string[], known: readonly string[]): Promise<readonly [string, Release] | undefined> => {
    const late = new AbortController();
    const cancel = environment.after(RELOAD_MS_MAX, () => late.abort());
    try {
      for (const session of remembered) {
        if (!known.includes(session) || locks.isHeldHere(session)) continue;
        const letGo = late.signal.aborted ? undefined : await locks.take(session, late.signal);
        if (letGo !== undefined) return [session, letGo];
      }
      return undefined;
    } finally {
      cancel();
    }
  };
  /** Of the free sessions where nothing waits one is enough for the next tab. */
  const forgetIdle = async (listed: readonly ListedSession[]): Promise<void> => {
    const idle = await locks.free(listed.filter((each) => !isWaiting(each)).map(sessionOf));
    for (const session of idle.slice(1)) {
      const letGo = await locks.take(session);
      if (letGo === undefined) continue;
      try {
        // Somebody may have had it, and left something, since it was listed.
        if ((await database.load(session))?.publishes.length === 0) await database.remove(session);
      } finally {
        letGo();
      }
    }
  };

  const hold = async (): Promise<HeldSession> => {
    const listed = await database.list();
    const remembered = tab.recall(name).split(" ");
    const known = listed.map(sessionOf);
    const found = (await takeOwn(remembered, known)) ?? (await locks.takeFirst([...known, environment.id()]));
    if (found === undefined) throw new Error("a new session is held already");
    const [session, letGo] = found;
    const held = await holdOf(session, letGo);
    tab.remember(name, [session, ...remembered.filter((other) => other !== session)].slice(0, REMEMBERED_MAX).join(" "));
    forgetIdle(listed.filter((other) => other.session !== session)).catch(() => {});
    return held;
  };

  return storedSessions({
    hold() {
      const holding = hold();
      const held = inTime(environment, HOLD_MS_MAX, holding);
      // What is found too late is let go.
      held.catch(() => holding.then((late) => late.release(), () => {}));
      return held;
    },
    orphans(adopt: (held: HeldSession) => void) {
      let isOver = false;
      const cancel = watchOrphans(
        environment,
        async () => locks.free((await database.list()).filter(isWaiting).map(sessionOf)),
        async (session) => {
          const letGo = await locks.take(session);
          if (letGo === undefined) return;
          const held = await holdOf(session, letGo);
          if (isOver || held.stored === undefined || held.stored.publishes.length === 0) await held.release();
          else adopt(held);
        },
      );
      return () => {
        isOver = true;
        cancel();
      };
    },
  });
}

function sessionOf({ session }: ListedSession): string {
  return session;
}

function isWaiting({ oldestAt }: ListedSession): boolean {
  return oldestAt < Number.POSITIVE_INFINITY;
}
