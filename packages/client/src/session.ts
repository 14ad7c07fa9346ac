import { MESSAGE_BYTES_MAX, type Environment } from "@tutti/protocol";
import type { SessionHome } from "./session-home.js";

/**
 * A logical client over reconnects: the secret that the server knows it by, its public id, and how far it has counted its publishes in
 * each channel.
 */
export interface Session {
  secret: string;
  /** How others see it; known from the first welcome on. */
  publicId?: string | undefined;
  /** The user of the last welcome. */
  user?: string | undefined;
  /** The largest message that the server takes. */
  messageBytesMax: number;
  /** The highest *n* that was given out, by channel. */
  counts: Map<string, number>;
  /** Where it outlives the client; without one it lives in memory alone. */
  home?: SessionHome | undefined;
}

export function makeSession(): Session {
  return { secret: "", messageBytesMax: MESSAGE_BYTES_MAX, counts: new Map() };
}

/** Makes it one that no server knows. */
export function renew(session: Session, environment: Environment): void {
  Object.assign(session, { secret: environment.id() + environment.id(), publicId: undefined, user: undefined, counts: new Map() });
}

/** What the server's word on who this is comes to: `same` as before, `named` for the first time, or `other`: the user is another. */
export type Named = "same" | "named" | "other";

/** Takes the server's word on who this is. The counts go on, as the user may come back. */
export function identify(session: Session, publicId: string, user: string | undefined): Named {
  const { publicId: before } = session;
  if (publicId === before) return "same";
  Object.assign(session, { publicId, user });
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
