// oxlint-disable-next-line no-restricted-imports -- a digest is the same everywhere: neither clock nor randomness
import { createHash } from "node:crypto";

/**
 * The public id of a session: a digest of the client's secret and the user. Everybody may see it, any node computes the same one, and who
 * sees it can neither take the session over nor publish in its name.
 */
export function sessionIdOf(secret: string, user: string | undefined): string {
  return digest([secret, user ?? null]);
}

/** The id of an event that was published with an idempotency key: the same for every repeat. */
export function eventIdOfKey(principal: string, key: string): string {
  return `key:${digest([principal, key])}`;
}

/** 132 bits of SHA-256, in base64url. */
function digest(parts: readonly (string | null)[]): string {
  const whole = createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
  // Copied, because a slice of a string keeps the whole of it, for as long as a session lasts.
  return Buffer.from(whole).toString("latin1", 0, 22);
}
