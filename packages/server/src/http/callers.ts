import { TuttiError, type Environment } from "@tutti/protocol";
import { sessionIdOf } from "../digest.js";
import type { Caller, User } from "../handlers.js";
import type { Newcomer } from "../lifecycle/hello-gate.js";
import type { NodeState } from "../node-state.js";
import type { HttpHeaders, HttpRequest } from "./exchange.js";

/** Whoever reads or writes channels over HTTP has no session of its own. No client can have this one: its secret is shorter than a secret is. */
const SESSION_SECRET = "http";
const TOKEN_CHARACTERS_MAX = 8_192;
const BEARER = /^bearer +(\S+) *$/i;

/** Who asks over HTTP. */
export interface HttpCaller extends Caller {
  /** When the token runs out, on the monotonic clock. */
  readonly expiresAt: number;
  /** Whether the request showed who it comes from: then what is answered is for nobody else. */
  readonly isKnown: boolean;
}

/** Shared by all of whom nothing is known. */
const ANONYMOUS: HttpCaller = { user: undefined, session: sessionIdOf(SESSION_SECRET, undefined), expiresAt: Number.POSITIVE_INFINITY, isKnown: false };

/** Finds the token of a request that brings none in `Authorization`. */
type FindToken = (request: HttpRequest) => string | undefined;

/** Authenticates requests as hellos are, and in line with them. */
export class HttpCallers {
  readonly #node: NodeState;
  readonly #findToken: FindToken;

  constructor(node: NodeState, findToken: FindToken) {
    this.#node = node;
    this.#findToken = findToken;
  }

  /** @throws TuttiError as the application refuses; `UNAVAILABLE` where the node has no place now, or takes leave; `TIMEOUT` */
  async callerOf(request: HttpRequest): Promise<HttpCaller> {
    const { readiness, services } = this.#node;
    const refusal = readiness.refusal();
    if (refusal !== undefined) throw refusal;
    const token = this.tokenOf(request);
    const user = await this.#userOf(request, token);
    if (user === undefined) return token === undefined ? ANONYMOUS : { ...ANONYMOUS, isKnown: true };
    return { user, session: sessionIdOf(SESSION_SECRET, user.id), expiresAt: expiryOf(user, services.environment), isKnown: true };
  }

  /** What the request shows of itself. @throws TuttiError `TOKEN_INVALID` */
  tokenOf(request: HttpRequest): string | undefined {
    const token = bearerOf(request.headers) ?? this.#findToken(request);
    if (token !== undefined && token.length > TOKEN_CHARACTERS_MAX) throw new TuttiError("TOKEN_INVALID", { message: `a token has at most ${TOKEN_CHARACTERS_MAX} characters` });
    return token;
  }

  /** Asks the application, when the turn of the request has come. */
  #userOf({ url, headers, remoteAddress }: HttpRequest, token: string | undefined): Promise<User | undefined> {
    const { hellos, readiness, authenticator, services } = this.#node;
    const { helloTimeoutMs } = services.bounds;
    return new Promise((resolve, reject) => {
      const newcomer: Newcomer = {
        admit: async () => {
          try {
            resolve(await authenticator.user({ token, handshake: { remoteAddress, request: { url, headers } } }));
          } catch (error) {
            reject(error instanceof Error ? error : new Error("authentication failed", { cause: error }));
          } finally {
            cancel();
          }
        },
      };
      const cancel = services.environment.after(helloTimeoutMs, () => {
        hellos.leave(newcomer);
        reject(new TuttiError("TIMEOUT", { message: `helloTimeoutMs is ${helloTimeoutMs}` }));
      });
      if (hellos.enter(newcomer)) return;
      cancel();
      reject(readiness.noPlace());
    });
  }
}

function bearerOf({ authorization }: HttpHeaders): string | undefined {
  return typeof authorization === "string" ? BEARER.exec(authorization)?.[1] : undefined;
}

/** A token that runs out tells so by the clock; what waits goes by the monotonic one. */
function expiryOf({ expiresAt }: User, environment: Environment): number {
  if (expiresAt === undefined) return Number.POSITIVE_INFINITY;
  return environment.elapsed() + Math.max(0, expiresAt - environment.now());
}
