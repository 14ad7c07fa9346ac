import { TuttiError, type Environment } from "@tutti/protocol";
import { nodeEnvironment, type Broker } from "@tutti/server";
import { DirectoryLock } from "./directory-lock.js";
import { assertDataFile } from "./data-file.js";
import { durableBroker, type DurableBrokerOptions } from "./durable-broker.js";
import { LmdbStore } from "./lmdb-store.js";
import { assertReadable } from "./log-meta.js";
import type { Store } from "./store.js";

export interface LmdbBrokerOptions extends Omit<DurableBrokerOptions, "environment"> {
  /** Where the log is, or will be: a directory of its own. Made where it is not there. */
  readonly directory: string;
  readonly environment?: Environment;
}

/**
 * The log of one machine, on its disk. What is acknowledged outlives a crash and a loss of power; a restart goes on where the process ended,
 * and clients recover by their positions.
 *
 * Rejects with `STORAGE_IN_USE` where another process holds the directory, `VERSION_UNSUPPORTED` where it holds a newer log or something else,
 * and `UNAVAILABLE` where it cannot be written. What is there is left untouched then.
 *
 * @example
 * const broker = await lmdbBroker({ directory: "/var/lib/canvas" });
 * const server = createServer({ contract, broker });
 * server.attach(http.listen(8080));
 * // At the end, after the server:
 * await broker.close();
 */
export async function lmdbBroker({ directory, environment = nodeEnvironment(), ...limits }: LmdbBrokerOptions): Promise<Broker> {
  const hasData = assertDataFile(directory);
  const lock = await DirectoryLock.prepare(directory);
  try {
    if (hasData) await inspect(directory, lock);
    const store = new LmdbStore(directory);
    try {
      await lock.take(store);
      return durableBroker(releasing(store, lock), { environment, ...limits });
    } catch (error) {
      await store.close();
      throw error;
    }
  } catch (error) {
    await lock.release();
    throw error instanceof TuttiError ? error : new TuttiError("UNAVAILABLE", { message: `the log in ${directory} cannot be opened: ${String(error)}`, cause: error });
  }
}

/** Looks into a log without a lock, so that one that is foreign stays as it is, and a holder that stands still in the middle of a transaction is not waited for. */
async function inspect(directory: string, lock: DirectoryLock): Promise<void> {
  const store = new LmdbStore(directory, "read");
  try {
    assertReadable(store);
    await lock.assertFree(store);
  } finally {
    await store.close();
  }
}

/** The store, with the lock that ends with it. */
function releasing(store: LmdbStore, lock: DirectoryLock): Store {
  return {
    get: (key) => store.get(key),
    range: (range) => store.range(range),
    write: (writes) => store.write(writes),
    async close() {
      try {
        await store.close();
      } finally {
        await lock.release();
      }
    },
  };
}
