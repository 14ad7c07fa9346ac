import { TuttiError } from "@tutti/protocol";
import { open, type Key as LmdbKey, type RootDatabase } from "lmdb";
import { assertDataFile } from "./data-file.js";
import { Room, type Usage } from "./room.js";
import type { Entry, Key, KeyRange, Store, Write } from "./store.js";

type Database = RootDatabase<string>;
/** `lost`: it failed and could not be opened again; whoever needs it tries once more. `released`: it is closed, or about to be opened again. */
type State = { readonly is: "open"; readonly database: Database } | { readonly is: "lost" } | { readonly is: "released" };
/** To look into a log and leave it as it is, or to write. */
export type StoreAccess = "read" | "write";

/** What lmdb-js rejects with where a transaction could not be committed: the reason comes in a promise of its own, which may not go unheard. */
interface CommitFailure {
  readonly commitError: Promise<unknown>;
}

/**
 * LMDB, where a transaction is visible only when it is flushed: its pages first, then the page that says they are valid. So what a process
 * leaves behind, however it ended and whatever the machine forgot, is all that was acknowledged.
 */
export class LmdbStore implements Store {
  readonly #directory: string;
  readonly #access: StoreAccess;
  readonly #room: Room;
  #state: State;

  /** @throws TuttiError `VERSION_UNSUPPORTED`, `UNAVAILABLE` */
  constructor(directory: string, access: StoreAccess = "write") {
    this.#directory = directory;
    this.#access = access;
    this.#room = new Room(directory);
    this.#state = { is: "open", database: this.#open() };
  }

  get(key: Key): string | undefined {
    return this.#opened().get(keyOf(key));
  }

  range({ start, end, reverse = false, limit }: KeyRange): Iterable<Entry> {
    const bounds = reverse
      ? { start: keyOf(end), end: keyOf(start), reverse, exclusiveStart: true, inclusiveEnd: true }
      : { start: keyOf(start), end: keyOf(end) };
    // All keys that this store writes are lists.
    return this.#opened().getRange(limit === undefined ? bounds : { ...bounds, limit }) as Iterable<Entry>;
  }

  async write(writes: readonly Write[]): Promise<void> {
    // A key that LMDB does not take would be noticed in the middle of the transaction.
    for (const write of writes) assertKey("put" in write ? write.put : write.remove);
    const database = this.#opened();
    this.#room.reserve(writes, () => usageOf(database));
    try {
      await commit(database, writes);
    } catch (failure) {
      const cause = await causeOf(failure);
      await this.#reopen(database);
      throw cause;
    }
  }

  /** Writes a little at once, where it is decided within the transaction what; all other processes wait. Only before the first `write`. */
  transact(decide: () => readonly Write[]): void {
    const database = this.#opened();
    this.#room.reserve([], () => usageOf(database));
    database.transactionSync(() => put(database, decide()));
  }

  async close(): Promise<void> {
    const state = this.#state;
    this.#state = { is: "released" };
    if (state.is === "open") await state.database.close();
  }

  #opened(): Database {
    if (this.#state.is === "lost") this.#state = { is: "open", database: this.#found() };
    if (this.#state.is === "released") throw this.#unavailable("is not open");
    return this.#state.database;
  }

  /** What was lost, opened again. */
  #found(): Database {
    try {
      return this.#open();
    } catch (cause) {
      throw cause instanceof TuttiError ? cause : this.#unavailable("cannot be opened again", cause);
    }
  }

  #unavailable(state: string, cause?: unknown): TuttiError {
    return new TuttiError("UNAVAILABLE", { message: `the log in ${this.#directory} ${state}`, cause });
  }

  #open(): Database {
    assertDataFile(this.#directory);
    return open<string>(this.#directory, {
      encoding: "string",
      // Else a directory with a dot in its name is taken for a file.
      noSubdir: false,
      readOnly: this.#access === "read",
      // Each write is a transaction of its own, and does not wait for the end of the turn.
      eventTurnBatching: false,
      // Without it a transaction that could not be flushed is not visible either, and a flush is shared by what the log writes together.
      overlappingSync: false,
    });
  }

  /** After some failures LMDB refuses every further transaction; the next one finds a new environment. */
  async #reopen(database: Database): Promise<void> {
    this.#state = { is: "released" };
    try {
      await database.close();
      this.#state = { is: "open", database: this.#open() };
    } catch {
      // Told by those that need it.
      this.#state = { is: "lost" };
    }
  }
}

/** As lmdb-js has it in its statistics. */
interface Pages {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

function usageOf(database: Database): Usage {
  const { pageSize, lastPageNumber, root, free } = database.getStats() as { pageSize: number; lastPageNumber: number; root: Pages; free: Pages };
  // Two pages say where the trees begin.
  const used = 2 + pagesOf(root) + pagesOf(free);
  return { end: (lastPageNumber + 1) * pageSize, free: Math.max(0, lastPageNumber + 1 - used) * pageSize };
}

function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: Pages): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}

async function commit(database: Database, writes: readonly Write[]): Promise<void> {
  if (writes.length > 0) await database.batch(() => put(database, writes));
}

function put(database: Database, writes: readonly Write[]): void {
  for (const write of writes) {
    if ("put" in write) void database.put(keyOf(write.put), write.value);
    else void database.remove(keyOf(write.remove));
  }
}

/** LMDB's types have mutable lists as keys, and it leaves them alone. */
function keyOf(key: Key): LmdbKey {
  return key as (string | number)[];
}

/** In UTF-16 units; of three bytes each at most, so that every key is within LMDB's bound of 1,978 bytes. */
const TEXT_MAX = 512;

function assertKey(key: Key): void {
  for (const part of key) {
    if (typeof part === "string" && (part.length > TEXT_MAX || part.includes("\0"))) throw new RangeError(`not a key: ${part.slice(0, 80)}`);
  }
}

async function causeOf(failure: unknown): Promise<unknown> {
  if (!isCommitFailure(failure)) return failure;
  return failure.commitError.catch((cause: unknown) => cause);
}

function isCommitFailure(failure: unknown): failure is CommitFailure {
  return typeof failure === "object" && failure !== null && "commitError" in failure && failure.commitError instanceof Promise;
}
