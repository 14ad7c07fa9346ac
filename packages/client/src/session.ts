import { MESSAGE_BYTES_MAX, type Environment } from "@tutti/protocol";
import type { SessionStorage, StoredPublish } from "./storage.js";

/**
 * A logical client over reconnects: the secret that the server knows it by, its public id, and how far it has counted its publishes in
 * each channel.
 */
export interface Session {
  readonly secret: string;
  /** How others see it; known from the first welcome on. */
  publicId?: string | undefined;
  /** The user of the last welcome. */
  user?: string | undefined;
  /** The largest message that the server takes. */
  messageBytesMax: number;
  /** The highest *n* that was given out, by channel. */
  readonly counts: Map<string, number>;
  /** What an earlier page left. */
  readonly left: readonly StoredPublish[];
  /** Changes what is stored, where anything is. What the storage throws is surfaced; the session goes on in memory. */
  readonly keep: <T>(change: (storage: SessionStorage) => T) => T | undefined;
}

export function makeSession(environment: Environment, storage: SessionStorage | undefined, failed: (cause: unknown) => void): Session {
  const keep = <T>(change: (kept: SessionStorage) => T): T | undefined => {
    try {
      return storage && change(storage);
    } catch (cause) {
      failed(cause);
      return undefined;
    }
  };
  const stored = keep((kept) => kept.load());
  const identity = stored?.identity ?? { secret: environment.id() + environment.id(), publicId: undefined };
  if (stored === undefined) keep((kept) => kept.begin(identity));
  return { ...identity, messageBytesMax: MESSAGE_BYTES_MAX, counts: new Map(stored?.counts), left: stored?.publishes ?? [], keep };
}

/** The server's word on who this is. `true` when the session is another than before: the counts start anew. */
export function identify(session: Session, publicId: string): boolean {
  if (publicId === session.publicId) return false;
  session.publicId = publicId;
  session.counts.clear();
  session.keep((storage) => storage.begin({ secret: session.secret, publicId }));
  return true;
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
