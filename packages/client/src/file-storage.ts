import type { Environment } from "@tutti/protocol";
import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { browserEnvironment } from "./browser-environment.js";
import { lockFile } from "./file-lock.js";
import { groupWrites } from "./grouped-writes.js";
import { openJournal } from "./session-journal.js";
import type { ClientStorage } from "./session-home.js";
import { storedSessions } from "./stored-session.js";

export interface FileStorageOptions {
  /** How often the newest state of a channel is kept. 1 s. */
  readonly stateStoreMs?: number;
  /** How many channels' states are kept, the latest. 20. */
  readonly statesMax?: number;
  /** How large the file may be beyond twice what counts in it. 64 KiB. */
  readonly compactBytesMin?: number;
  readonly environment?: Environment;
}

/**
 * Keeps a session in a file, over the end of the process and a loss of power: what was written is on the disk when the client is told. One
 * process has a file; a second one is refused with `STORAGE_IN_USE`, which surfaces as the cause of a `STORAGE_FAILED`, while that of a process that
 * was killed is taken over. A file of a newer version, or that is something else, is refused and left as it is.
 *
 * @example
 * const client = createClient({ url, transport: webSocketTransport({ WebSocket }), storage: fileStorage("/var/lib/sensor/outbound") });
 */
export function fileStorage(path: string, options: FileStorageOptions = {}): ClientStorage {
  const { stateStoreMs = 1_000, statesMax = 20, compactBytesMin = 64 * 1024, environment = browserEnvironment() } = options;
  const file = resolve(path);
  return storedSessions({
    async hold() {
      await mkdir(dirname(file), { recursive: true });
      const unlock = await lockFile(file, environment.id());
      try {
        const journal = await openJournal(file, { statesMax, compactBytesMin });
        const writes = groupWrites(environment, stateStoreMs, (changes) => journal.append(changes));
        return {
          stored: journal.stored(),
          write: (changes) => writes.write(changes),
          async release({ forget = false } = {}) {
            await writes.flush();
            await (forget ? journal.remove() : journal.close()).catch(() => {});
            await unlock();
          },
        };
      } catch (error) {
        await unlock();
        throw error;
      }
    },
  });
}
