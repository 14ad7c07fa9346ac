import { TuttiError, type Environment } from "@tutti/protocol";
import type { AuthenticateRequest, User } from "../handlers.js";
import { nodeEnvironment } from "../node-environment.js";
import { assertCounts } from "../options.js";

export interface VerifiedTokensOptions {
  /** How long what a token said is believed without verifying it again, in milliseconds, though it may run out later; 300,000. A token that was withdrawn works so long. */
  readonly ageMsMax?: number;
  /** How many tokens are remembered; the one that was verified first goes first. */
  readonly countMax?: number;
  readonly environment?: Environment;
}

const DEFAULTS = { ageMsMax: 300_000, countMax: 10_000 };

/** What a token said, and until when that is believed. */
interface Verified<U> {
  readonly user: U;
  /** On the monotonic clock. */
  readonly believedUntil: number;
}

/**
 * An `authenticate` that verifies each token once, however often its client connects: after a node has died, thousands come back at the same moment with tokens
 * that were verified a minute ago. It looks at the token and at nothing else of the request.
 *
 * @param verify says whose token it is; throws a `TuttiError` of `TOKEN_INVALID` or `TOKEN_EXPIRED` to refuse, which is not remembered
 * @throws TuttiError `CONTRACT_INVALID` for an `ageMsMax` or a `countMax` that is no number from 0 on
 * @throws (the function returned rejects) TuttiError `AUTHENTICATION_REQUIRED` without a token, or as `verify` refuses
 * @example
 * const authenticate = verifiedTokens(async (token) => {
 *   const { payload } = await jwtVerify(token, key);
 *   return { id: payload.sub, expiresAt: payload.exp * 1000 };
 * });
 */
export function verifiedTokens<U extends User>(
  verify: (token: string) => U | PromiseLike<U>,
  options: VerifiedTokensOptions = {},
): (request: Pick<AuthenticateRequest, "token">) => Promise<U> {
  const { ageMsMax = DEFAULTS.ageMsMax, countMax = DEFAULTS.countMax, environment = nodeEnvironment() } = options;
  assertCounts({ ageMsMax, countMax });
  const known = new Map<string, Verified<U>>();

  const remember = (token: string, user: U): U => {
    const ageMs = Math.min(ageMsMax, (user.expiresAt ?? Number.POSITIVE_INFINITY) - environment.now());
    // Deleted first, so that the map is in the order of verification.
    known.delete(token);
    known.set(token, { user, believedUntil: environment.elapsed() + ageMs });
    for (const oldest of known.keys()) {
      if (known.size <= countMax) break;
      known.delete(oldest);
    }
    return user;
  };

  return async ({ token }) => {
    if (token === undefined) throw new TuttiError("AUTHENTICATION_REQUIRED");
    const verified = known.get(token);
    if (verified !== undefined && environment.elapsed() < verified.believedUntil) return verified.user;
    known.delete(token);
    return remember(token, await verify(token));
  };
}
