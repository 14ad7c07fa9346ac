import { TuttiError } from "@tutti/protocol";
import { makeAdoption, type Adoption } from "./adoption.js";
import { createClient } from "./client.js";
import { attempt, inTime } from "./deferred.js";
import { renew } from "./session.js";
import type { ClientStorage, HomeParts, SessionHome } from "./session-home.js";
import type { HeldSession, SessionStorage, StorageChange, StoredIdentity, StoredPublish, StoredSession, StoredState } from "./storage.js";
import { restoreQueue, storeEntry } from "./stored-queue.js";

/**
 * Makes a storage that a client takes: the same object, with what it takes to keep a session there. The storages of Tutti are made with it.
 *
 * @example
 * const storage = storedSessions({ hold: async () => ({ stored: undefined, write: (changes) => journal.append(changes), release: async () => {} }) });
 */
export function storedSessions<S extends SessionStorage>(storage: S): S & ClientStorage {
  return Object.assign(storage, { homeFor: (parts: HomeParts) => makeStoredSession(storage, parts) });
}

function makeStoredSession(storage: SessionStorage, { options, host, channels, pending }: HomeParts): SessionHome {
  const { environment, config, session, error, rollback } = host;
  const { owner } = options;
  /** `undefined`: it could not be kept, and lives on in memory alone. While it is `sought` or `released`, it is not known which session this is. */
  let held: HeldSession | "sought" | "released" | undefined = "released";
  /** What an earlier page saw last of its channels. */
  let states = new Map<string, StoredState>();
  let adoption: Adoption | undefined;
  const waiting: (() => void)[] = [];
  /** Ends with the last hold or release: a storage that is still being let go is not asked for again. */
  let turn: Promise<unknown> = Promise.resolve();

  const isKnown = (): boolean => typeof held !== "string";
  const identity = (): StoredIdentity => ({ secret: session.secret, publicId: session.publicId, user: session.user, owner });
  const fail = (cause: unknown): TuttiError => {
    const failure = new TuttiError("STORAGE_FAILED", { cause });
    error(failure);
    return failure;
  };
  /** `done` hears how it ended. Nothing happens, and nothing is heard, where nothing is held. */
  const keep = (change: StorageChange, done?: (failure?: TuttiError) => void): void => {
    const kept = held;
    if (typeof kept !== "object") return;
    attempt(() => inTime(environment, config.ackTimeoutMs, kept.write([change]))).then(
      () => done?.(),
      (cause: unknown) => {
        const failure = fail(cause);
        if ("identity" in change && held === kept) {
          // What is stored under another name would be sent by another user.
          held = undefined;
          void kept.release({ forget: true });
        }
        done?.(failure);
      },
    );
  };
  /** It cannot be sent as it is stored, and must not keep the rest from it. */
  const dismiss = ({ channel, n, type, payload }: StoredPublish, cause: unknown): void => {
    keep({ kind: "settle", channel, n });
    rollback({ channel, type, payload, error: new TuttiError("STORAGE_FAILED", { cause }) });
  };
  const restore = (publishes: readonly StoredPublish[], isSame: boolean): void => {
    const left = publishes.map(({ channel }) => channels.of(channel));
    for (const channel of new Set([...channels.busy, ...left])) {
      restoreQueue(channel, publishes.filter(({ channel: name }) => name === channel.name), isSame, host, dismiss);
      channel.restored();
    }
    for (const { queue } of channels.busy) queue.pump();
    pending.changed();
  };
  /** Somebody else left it, and it is not kept. */
  const refuse = ({ channel, type, payload, attempted }: StoredPublish): void =>
    rollback({ channel, type, payload, error: new TuttiError(attempted ? "OUTCOME_UNKNOWN" : "USER_CHANGED") });
  const begin = (stored: StoredSession | undefined): void => {
    const before = session.secret;
    states = new Map(stored?.states);
    if (stored === undefined) {
      renew(session, environment);
      keep({ kind: "begin", identity: identity() });
    } else {
      const { secret, publicId, user } = stored.identity;
      Object.assign(session, { secret, publicId, user, counts: new Map(stored.counts) });
    }
    restore(stored?.publishes ?? [], session.secret === before);
  };
  const take = (taken: HeldSession | undefined): Promise<void> | undefined => {
    // Released meanwhile.
    if (held !== "sought") return taken?.release();
    held = taken;
    const found = taken?.stored;
    const isOwn = found?.identity.owner === owner;
    begin(isOwn ? found : undefined);
    if (!isOwn) found?.publishes.forEach(refuse);
    for (const task of waiting.splice(0)) task();
    return undefined;
  };
  const hold = (): void => {
    if (held !== "released") return;
    held = "sought";
    const seek = () =>
      attempt(() => storage.hold()).then(take, (cause: unknown) => {
        fail(cause);
        return take(undefined);
      });
    // An earlier attempt may have found it meanwhile, or it was released.
    turn = turn.then(() => (held === "sought" ? seek() : undefined));
  };
  const adopt = (): void => {
    adoption ??= makeAdoption(storage, (left, lifecycle) => {
      const quiet = createClient({ ...options, storage: storedSessions(left), lifecycle });
      quiet.on("rollback", rollback);
      quiet.on("error", (failure) => error(failure));
      return quiet;
    });
  };
  const whenKnown = (task: () => void): void => {
    if (isKnown()) task();
    else waiting.push(task);
  };

  hold();
  return {
    isKnown,
    keep,
    open() {
      hold();
      // Its own first.
      whenKnown(adopt);
    },
    async release() {
      // First, or it would take up what is let go.
      adoption?.end();
      adoption = undefined;
      const before = held;
      if (before === undefined) return;
      held = "released";
      if (typeof before === "object") turn = Promise.all([turn, inTime(environment, config.ackTimeoutMs, before.release()).catch(() => {})]);
      await turn;
    },
    whenKnown,
    welcomed(who) {
      if (who === "other") states.clear();
      if (who !== "same") keep({ kind: who === "named" ? "identity" : "begin", identity: identity() });
      adoption?.connect();
    },
    prepare(queue, entry, mayGo) {
      if (held === undefined) entry.step = "ready";
      if (entry.step === "new" || (entry.step === "stored" && mayGo)) storeEntry(queue, entry, mayGo, keep);
      return entry.step === "ready";
    },
    resume(channel, state) {
      const stored = states.get(channel);
      states.delete(channel);
      if (stored === undefined || state === undefined) return undefined;
      try {
        state.resume(stored);
        return { since: stored.position };
      } catch {
        // Of a version that cannot be read: the server has another.
        return undefined;
      }
    },
  };
}
