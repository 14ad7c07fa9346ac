import { MESSAGE_BYTES_MAX, TuttiError, type Environment } from "@tutti/protocol";
import { attempt } from "./deferred.js";
import type { HeldSession, SessionStorage, StorageChange, StoredIdentity, StoredPublish, StoredSession, StoredState } from "./storage.js";

/**
 * A logical client over reconnects: the secret that the server knows it by, its public id, and how far it has counted its publishes in
 * each channel.
 */
export interface Session {
  secret: string;
  /** How others see it; known from the first welcome on. */
  publicId: string | undefined;
  /** The user of the last welcome. */
  user: string | undefined;
  readonly owner: string | undefined;
  /** The largest message that the server takes. */
  messageBytesMax: number;
  /** The highest *n* that was given out, by channel. */
  counts: Map<string, number>;
  /** What an earlier page saw last of its channels. */
  states: Map<string, StoredState>;
  /**
   * Where it is kept; `undefined`: in memory alone. While it is `sought` or `released`, it is not known which session this is, and nothing
   * is counted for good.
   */
  home: HeldSession | "sought" | "released" | undefined;
  /** Takes hold of a session, unless one is held. */
  hold(): void;
  /** Lets others have it, where it is stored. Resolves when they may. */
  release(): Promise<void>;
  /** Calls `task` when it is known which session this is: in this turn where it can be. */
  whenHeld(task: () => void): void;
  /** Changes what is stored; `done` hears how it ended. Nothing happens, and nothing is heard, where nothing is stored. */
  keep(change: StorageChange, done?: (failure?: TuttiError) => void): void;
}

/**
 * @param owner whose session it has to be
 * @param held hears which session it is: what is stored of it, and whether it is the one that this client had before
 * @param foreign hears of what somebody else left, and is not kept
 * @param failed hears of each failure of the storage
 */
export function makeSession(
  environment: Environment,
  storage: SessionStorage | undefined,
  owner: string | undefined,
  held: (stored: StoredSession | undefined, isSame: boolean) => void,
  foreign: (left: StoredPublish) => void,
  failed: (error: TuttiError) => void,
): Session {
  const waiting: (() => void)[] = [];
  const fail = (cause: unknown): TuttiError => {
    const error = new TuttiError("STORAGE_FAILED", { cause });
    failed(error);
    return error;
  };
  const take = (home: HeldSession | undefined): void => {
    // Released meanwhile, or held by a later attempt.
    if (session.home !== "sought") return void home?.release();
    const found = home?.stored;
    const stored = found?.identity.owner === owner ? found : undefined;
    const identity = stored?.identity ?? { secret: environment.id() + environment.id(), publicId: undefined, user: undefined, owner };
    const isSame = identity.secret === session.secret;
    Object.assign(session, identity, { home, counts: new Map(stored?.counts), states: new Map(stored?.states) });
    if (stored === undefined) session.keep({ kind: "begin", identity });
    held(stored, isSame);
    if (stored === undefined) found?.publishes.forEach(foreign);
    for (const task of waiting.splice(0)) task();
  };
  const session: Session = {
    secret: "",
    publicId: undefined,
    user: undefined,
    owner,
    messageBytesMax: MESSAGE_BYTES_MAX,
    counts: new Map(),
    states: new Map(),
    home: "released",
    hold() {
      if (session.home !== "released") return;
      session.home = "sought";
      if (storage === undefined) return take(undefined);
      attempt(() => storage.hold()).then(take, (cause: unknown) => {
        fail(cause);
        take(undefined);
      });
    },
    async release() {
      const { home } = session;
      if (home === undefined) return;
      session.home = "released";
      if (typeof home === "object") await home.release();
    },
    whenHeld(task) {
      if (typeof session.home === "string") waiting.push(task);
      else task();
    },
    keep(change, done) {
      const { home } = session;
      if (typeof home !== "object") return;
      attempt(() => home.write([change])).then(
        () => done?.(),
        (cause: unknown) => {
          const failure = fail(cause);
          if ("identity" in change && session.home === home) {
            // What is stored under another name would be sent by another user.
            session.home = undefined;
            void home.release({ forget: true });
          }
          done?.(failure);
        },
      );
    },
  };
  return session;
}

/** The server's word on who this is: `same` as before, `named` for the first time, or `other`: the user is another. The counts go on, as the user may come back. */
export function identify(session: Session, publicId: string, user: string | undefined): "same" | "named" | "other" {
  const { secret, owner, publicId: before } = session;
  if (publicId === before) return "same";
  const identity: StoredIdentity = { secret, publicId, user, owner };
  Object.assign(session, identity);
  if (before !== undefined) session.states.clear();
  session.keep({ kind: before === undefined ? "identity" : "begin", identity });
  return before === undefined ? "named" : "other";
}

/** The next *n* of a channel. */
export function count({ counts }: Session, channel: string): number {
  const n = (counts.get(channel) ?? 0) + 1;
  counts.set(channel, n);
  return n;
}

/** The *n* of an event of this session, or `undefined`: it is somebody else's. */
export function ownCount({ publicId }: Session, eventId: string): number | undefined {
  const colon = eventId.lastIndexOf(":");
  return eventId.slice(0, colon) === publicId ? Number(eventId.slice(colon + 1)) : undefined;
}

/** The id of the event of publish `n`. */
export function eventIdOf({ publicId = "" }: Session, n: number): string {
  return `${publicId}:${n}`;
}
