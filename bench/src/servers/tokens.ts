import { webcrypto } from "node:crypto";
import { SignJWT, jwtVerify } from "jose";
import { tokenSecret } from "../peers/peer.js";

/** As the library wants it in the end: another form would be looked up for each token. */
const key = await webcrypto.subtle.importKey("raw", Buffer.from(tokenSecret), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);

/** Who a token is of. */
export interface TokenUser {
  readonly id: string;
  /** Unix ms. */
  readonly expiresAt: number;
}

export function signToken(user: string): Promise<string> {
  return new SignJWT().setProtectedHeader({ alg: "HS256" }).setSubject(user).setIssuedAt().setExpirationTime("1h").sign(key);
}

/** @throws (rejects) Error for a token that is not of {@link signToken} */
export async function verifyToken(token: string): Promise<TokenUser> {
  const { payload } = await jwtVerify(token, key, { algorithms: ["HS256"] });
  return { id: payload.sub ?? "", expiresAt: (payload.exp ?? 0) * 1000 };
}

/** Takes a token by its look: `user-17`. */
export function trustToken(token: string): TokenUser {
  return { id: token, expiresAt: Date.now() + 3_600_000 };
}
