import type { Cancel, Environment } from "@tutti/protocol";
import { deferred, type Deferred } from "./deferred.js";
import type { StorageChange } from "./storage.js";

/** Writes of a session on their way to where they are kept. */
export interface GroupedWrites {
  /** Resolves, or rejects, with the group that it goes in. States are kept later, and are not waited for. */
  write(changes: readonly StorageChange[]): Promise<void>;
  /** All that was written before is kept, or has failed; states too. Never rejects. */
  flush(): Promise<void>;
  /** As `flush`, and all of it is on its way in this turn: a page that goes away does not hear the end of what is under way. */
  flushAtOnce(): Promise<void>;
}

type StateChange = Extract<StorageChange, { kind: "state" }>;

/**
 * Groups what one turn writes, and what comes while a group is under way, so that many share a flush. Of a channel's states the newest is
 * kept, every `stateStoreMs`.
 *
 * @param commit keeps all of these, or rejects and keeps none; for `flushAtOnce` in the order of its calls, also where they overlap
 */
export function groupWrites(environment: Environment, stateStoreMs: number, commit: (changes: readonly StorageChange[]) => Promise<void>): GroupedWrites {
  let waiting: { readonly changes: readonly StorageChange[]; readonly done: Deferred<void> }[] = [];
  /** The newest states: until the timer fires, and then until they are kept. */
  const states = new Map<string, StateChange>();
  const due = new Map<string, StateChange>();
  let timer: Cancel | undefined;
  let running: Promise<void> | undefined;

  const commitWaiting = async (): Promise<void> => {
    const group = waiting;
    waiting = [];
    try {
      await commit(group.flatMap(({ changes }) => changes));
      for (const { done } of group) done.resolve();
    } catch (cause) {
      for (const { done } of group) done.reject(cause);
    }
  };
  /** By themselves: a state that cannot be kept must not take a publish with it. It is worth a recovery, not an error. */
  const commitStates = async (): Promise<void> => {
    const changes = [...due.values()];
    due.clear();
    await commit(changes).catch(() => {});
  };
  const run = async (): Promise<void> => {
    // What the rest of this turn writes goes along.
    await Promise.resolve();
    for (;;) {
      if (waiting.length > 0) await commitWaiting();
      else if (due.size > 0) await commitStates();
      else break;
    }
    running = undefined;
  };
  const start = (): Promise<void> => (running ??= run());
  const makeDue = (): void => {
    timer?.();
    timer = undefined;
    for (const [channel, change] of states) due.set(channel, change);
    states.clear();
  };
  const keepStates = (): Promise<void> => {
    makeDue();
    return start();
  };

  return {
    write(changes) {
      const rest = changes.filter((change) => change.kind !== "state");
      for (const change of changes) {
        // What begins anew has none of the states that were told of before.
        if (change.kind === "begin") for (const told of [states, due]) told.clear();
        if (change.kind === "state") states.set(change.channel, change);
      }
      if (states.size > 0) timer ??= environment.after(stateStoreMs, () => void keepStates());
      if (rest.length === 0) return Promise.resolve();
      const done = deferred<void>();
      waiting.push({ changes: rest, done });
      void start();
      return done.promise;
    },
    flush: keepStates,
    async flushAtOnce() {
      makeDue();
      await Promise.all([running, waiting.length > 0 && commitWaiting(), due.size > 0 && commitStates()]);
    },
  };
}
