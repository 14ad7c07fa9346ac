import type { Cancel, Environment } from "@tutti/protocol";

/** How often a page looks for what others left. */
const LOOK_MS = 3_000;

/**
 * Tells of sessions that nobody holds, once each was free twice in a row: what a page lets go in a reload is its own again at once.
 *
 * @param look finds those that are free now, and wait for somebody
 */
export function watchOrphans(environment: Environment, look: () => Promise<readonly string[]>, found: (session: string) => Promise<void>): Cancel {
  let isOver = false;
  let timer: Cancel | undefined;
  let seen: readonly string[] = [];
  const lookOnce = async (): Promise<void> => {
    const free = await look();
    for (const session of free) if (seen.includes(session) && !isOver) await found(session);
    seen = free;
  };
  const lookAgain = (): void => {
    // What cannot be looked at now may be later.
    void lookOnce()
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
}
