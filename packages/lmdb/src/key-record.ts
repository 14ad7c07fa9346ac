// oxlint-disable-next-line no-restricted-imports -- a digest is the same everywhere: neither clock nor randomness
import { createHash } from "node:crypto";
import type { IdempotencyKey } from "@tutti/server";

/** Where the publish with an idempotency key landed. */
export interface KeyRecord {
  readonly seq: number;
  /** When, by the log's clock. */
  readonly usedAt: number;
  /** Its place among the keys of the channel. */
  readonly ordinal: number;
}

/** A key of any length and any characters in 43. */
export function digestOf({ principal, key }: IdempotencyKey): string {
  return createHash("sha256").update(JSON.stringify([principal, key])).digest("base64url");
}

export function encodeKey({ seq, usedAt, ordinal }: KeyRecord): string {
  return JSON.stringify([seq, usedAt, ordinal]);
}

export function decodeKey(text: string): KeyRecord {
  const [seq, usedAt, ordinal] = JSON.parse(text) as [number, number, number];
  return { seq, usedAt, ordinal };
}

/** What stands at the key's place in the order: when it was used, and its digest. */
export function encodeOrder(usedAt: number, digest: string): string {
  return JSON.stringify([usedAt, digest]);
}

export function decodeOrder(text: string): { readonly usedAt: number; readonly digest: string } {
  const [usedAt, digest] = JSON.parse(text) as [number, string];
  return { usedAt, digest };
}
