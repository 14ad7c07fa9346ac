import { PROTOCOL_VERSION, TuttiError, type ClientFrameOf, type Environment } from "@tutti/protocol";
import type { Handshake } from "../connections/transport.js";
import { sessionIdOf } from "../digest.js";
import type { AuthenticateRequest, User } from "../handlers.js";
import type { Log } from "../log.js";

/** What this server speaks besides the protocol's version. */
const CAPABILITIES: readonly string[] = ["presence", "signals", "calls"];
const USER_CHARACTERS_MAX = 128;

type AskApplication = (request: AuthenticateRequest) => User | undefined | Promise<User | undefined>;

/** A connection that may go on. */
export interface Admission {
  readonly version: number;
  readonly capabilities: readonly string[];
  /** The public id of the session. */
  readonly session: string;
  readonly user: User | undefined;
}

/** Asks the application who somebody is. */
export class Authenticator {
  readonly #ask: AskApplication | undefined;
  readonly #environment: Environment;
  readonly #log: Log;

  /** Without a function to ask, everybody is anonymous. */
  constructor(ask: AskApplication | undefined, environment: Environment, log: Log) {
    this.#ask = ask;
    this.#environment = environment;
    this.#log = log;
  }

  /** @throws TuttiError as the application refuses; `TOKEN_EXPIRED`; `UNAVAILABLE` where it failed, since that says nothing about the token */
  async user(request: AuthenticateRequest): Promise<User | undefined> {
    let user: User | undefined;
    try {
      user = await this.#ask?.(request);
    } catch (error) {
      if (error instanceof TuttiError) throw error;
      this.#log.error("authentication failed", { remoteAddress: request.handshake.remoteAddress, error });
      throw new TuttiError("UNAVAILABLE", { message: "who you are cannot be found out now", cause: error });
    }
    if (user !== undefined) this.#check(user);
    return user;
  }

  #check({ id, expiresAt = Number.MAX_SAFE_INTEGER }: User): void {
    if (id.length === 0 || id.length > USER_CHARACTERS_MAX) {
      throw new TuttiError("TOKEN_INVALID", { message: `a user's id has 1 to ${USER_CHARACTERS_MAX} characters` });
    }
    // A claim that is missing becomes NaN on its way here, and a token that never expires is not what it means.
    if (!Number.isFinite(expiresAt)) throw new TuttiError("TOKEN_INVALID", { message: "expiresAt is not a time" });
    if (expiresAt <= this.#environment.now()) throw new TuttiError("TOKEN_EXPIRED");
  }
}

/** Answers a hello. @throws TuttiError `VERSION_UNSUPPORTED`, or as the application refuses */
export async function authenticate(authenticator: Authenticator, hello: ClientFrameOf<"hello">, handshake: Handshake): Promise<Admission> {
  if (!hello.versions.includes(PROTOCOL_VERSION)) {
    throw new TuttiError("VERSION_UNSUPPORTED", { message: `this server speaks version ${PROTOCOL_VERSION}` });
  }
  const user = await authenticator.user({ token: hello.token, handshake });
  const capabilities = CAPABILITIES.filter((capability) => hello.capabilities?.includes(capability) === true);
  return { version: PROTOCOL_VERSION, capabilities, session: sessionIdOf(hello.session, user?.id), user };
}
