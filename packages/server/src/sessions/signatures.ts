// oxlint-disable-next-line no-restricted-imports -- a signature is the same everywhere: neither clock nor randomness
import { createHmac, timingSafeEqual } from "node:crypto";
import { TuttiError } from "@tutti/protocol";

/** The first signs, all verify; at least one. */
export type Keys = readonly (string | Uint8Array)[];

/** 256 bits: what is shorter may be guessed. */
const KEY_BYTES_MIN = 32;

/** @throws TuttiError `CONTRACT_INVALID` where there is none, or one of less than 32 bytes */
export function assertKeys(keys: Keys): void {
  if (keys.length > 0 && keys.every((key) => Buffer.byteLength(key) >= KEY_BYTES_MIN)) return;
  throw new TuttiError("CONTRACT_INVALID", { message: `sessionKeys is not at least one key, each of ${KEY_BYTES_MIN} bytes or more`, field: "sessionKeys" });
}

/** HMAC-SHA-256 of what is said, in base64url. @param purpose what is signed for one is good for no other */
export function signatureOf(purpose: string, said: string, keys: Keys): string {
  return signedWith(keys[0] ?? "", purpose, said);
}

/** Whether one of the keys has signed it. */
export function isSigned(purpose: string, said: string, signature: string, keys: Keys): boolean {
  // Their text is compared, not their bytes: base64url has several spellings of some.
  return keys.some((key) => isSameText(signedWith(key, purpose, said), signature));
}

function signedWith(key: string | Uint8Array, purpose: string, said: string): string {
  return createHmac("sha256", key).update(purpose).update("\0").update(said).digest("base64url");
}

/** In a time that does not tell how much of it is right. */
function isSameText(expected: string, given: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}
