/** What is asked of the locks that the tabs of an origin have in common. */
export type Locks = Pick<LockManager, "request" | "query">;

export type Release = () => void;

/** One lock for each session, which ends with the page that holds it. */
export interface SessionLocks {
  /** Takes it, or hears that it is not to be had: at once, or, with a signal, when that says so. */
  take(session: string, signal?: AbortSignal): Promise<Release | undefined>;
  /** The first of these that can be taken at once. */
  takeFirst(sessions: Iterable<string>): Promise<readonly [string, Release] | undefined>;
  /** Those that nobody holds. */
  free(sessions: readonly string[]): Promise<readonly string[]>;
  /** Whether this page holds it: nobody but itself could let it go. */
  isHeldHere(session: string): boolean;
}

/**
 * @param locks throws where there are none
 * @param held the names of the locks that this page holds
 */
export function makeSessionLocks(name: string, locks: () => Locks, held: Set<string>): SessionLocks {
  const lockOf = (session: string): string => `${name}/${session}`;
  const take: SessionLocks["take"] = async (session, signal) => {
    const lock = lockOf(session);
    return new Promise((resolve, reject) => {
      locks()
        .request(lock, signal === undefined ? { ifAvailable: true } : { signal }, (granted) => {
          if (granted === null) return resolve(undefined);
          held.add(lock);
          return new Promise<void>((letGo) => {
            resolve(() => {
              held.delete(lock);
              letGo();
            });
          });
        })
        .catch((cause: unknown) => {
          if (signal?.aborted === true) resolve(undefined);
          else reject(cause);
        });
    });
  };
  return {
    take,
    async takeFirst(sessions) {
      for (const session of sessions) {
        const letGo = await take(session);
        if (letGo !== undefined) return [session, letGo];
      }
      return undefined;
    },
    async free(sessions) {
      const taken = new Set((await locks().query()).held?.map((lock) => lock.name));
      return sessions.filter((session) => !taken.has(lockOf(session)));
    },
    isHeldHere: (session) => held.has(lockOf(session)),
  };
}
