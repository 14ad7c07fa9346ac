import type { Cancel } from "@tutti/protocol";
import type { Lifecycle, LifecycleEvents } from "./lifecycle.js";
import type { PendingTotals } from "./outbound-queue.js";
import type { SessionStorage } from "./storage.js";
import type { ReadonlyStore } from "./store.js";

/** A client that has nothing but a queue to send. */
interface Quiet {
  readonly pending: ReadonlyStore<PendingTotals>;
  connect(): void;
  close(): Promise<void>;
}

/** The sessions that dead owners left: each is taken up by a client of its own, which ends, and forgets the session, when it has nothing left to send. */
export interface Adoption {
  /** Those that wait, or have failed, try now. */
  connect(): void;
  /** No more are taken up, and those that are not through are left to others. */
  end(): void;
}

export function makeAdoption(storage: SessionStorage, open: (storage: SessionStorage, lifecycle: Lifecycle) => Quiet): Adoption {
  const ends = new Map<Quiet, Cancel>();
  const cancel = storage.orphans?.((held) => {
    let page: LifecycleEvents | undefined;
    let forget = false;
    const quiet = open(
      { hold: async () => ({ ...held, release: (options) => held.release({ forget: forget || options?.forget === true }) }) },
      {
        watch(events) {
          page = events;
          return () => {};
        },
      },
    );
    const end = (): void => {
      ends.delete(quiet);
      // As if its page went away: the session is released before anything in it is ended.
      page?.pageHide();
      void quiet.close();
    };
    ends.set(quiet, end);
    quiet.pending.subscribe(() => {
      if (quiet.pending.getSnapshot().count > 0) return;
      forget = true;
      end();
    });
    quiet.connect();
  });
  return {
    connect() {
      for (const quiet of ends.keys()) quiet.connect();
    },
    end() {
      cancel?.();
      for (const end of ends.values()) end();
    },
  };
}
