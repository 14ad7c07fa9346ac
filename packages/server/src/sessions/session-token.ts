// oxlint-disable-next-line no-restricted-imports -- a signature is the same everywhere: neither clock nor randomness
import { createHmac, timingSafeEqual } from "node:crypto";
import { TuttiError, count, record, text, type Environment } from "@tutti/protocol";

/** The connection that holds a session, as a client without a socket of its own names it with each request. */
export interface SessionToken {
  /** The public id of the session. */
  readonly session: string;
  /** A node's name is new with each start, so it names one life of a process. */
  readonly node: string;
  /** Which of the node's connections. */
  readonly ordinal: number;
  /** Unix ms, by the clock of that node. */
  readonly issuedAt: number;
}

interface SessionTokensParts {
  readonly node: string;
  readonly environment: Environment;
  /** The first signs, all verify; at least one. Without them this process draws one, which no other node has. */
  readonly keys?: readonly (string | Uint8Array)[] | undefined;
  readonly ageMsMax: number;
}

/** 256 bits: what is shorter may be guessed. */
const KEY_BYTES_MIN = 32;
const TOKEN_CHARACTERS_MAX = 512;
/** What the key signs here is good for nothing else that may be signed with it. */
const PURPOSE = "tutti session 1";

const contents = record({ session: text(64, 1), node: text(64, 1), ordinal: count, issuedAt: count });

/**
 * Issues session tokens, and tells those that a node with one of the same keys has issued. A token is two parts in base64url, what it says and
 * its signature (HMAC-SHA-256); it can be read by who holds it, and nothing in it is secret.
 */
export class SessionTokens {
  /** Whether other nodes may have the keys too. */
  readonly isShared: boolean;
  readonly #node: string;
  readonly #environment: Environment;
  readonly #keys: readonly (string | Uint8Array)[];
  readonly #ageMsMax: number;

  /** @throws TuttiError `CONTRACT_INVALID` for a key of less than 32 bytes */
  constructor({ node, environment, keys: given, ageMsMax }: SessionTokensParts) {
    const keys = given ?? [`${environment.id()}${environment.id()}`];
    if (keys.length === 0 || keys.some((key) => Buffer.byteLength(key) < KEY_BYTES_MIN)) {
      throw new TuttiError("CONTRACT_INVALID", { message: `sessionKeys is not at least one key, each of ${KEY_BYTES_MIN} bytes or more`, field: "sessionKeys" });
    }
    this.isShared = given !== undefined;
    this.#node = node;
    this.#environment = environment;
    this.#keys = keys;
    this.#ageMsMax = ageMsMax;
  }

  /** A token for a connection of this node. */
  issue({ session, ordinal }: Pick<SessionToken, "session" | "ordinal">): string {
    const token: SessionToken = { session, node: this.#node, ordinal, issuedAt: this.#environment.now() };
    const said = Buffer.from(JSON.stringify(token)).toString("base64url");
    return `${said}.${signatureOf(said, this.#keys[0] ?? "")}`;
  }

  /**
   * What a token says. Whether the connection is still there, its node alone knows.
   *
   * @throws TuttiError `SESSION_MOVED`: it is malformed, not signed with one of the keys, or too old. The client opens again, and is authenticated then.
   */
  verify(token: string): SessionToken {
    const [said, signature, ...rest] = token.length <= TOKEN_CHARACTERS_MAX ? token.split(".") : [];
    if (said === undefined || signature === undefined || rest.length > 0) throw moved("the session token is malformed");
    // Their text is compared, not their bytes: base64url has several spellings of some.
    if (!this.#keys.some((key) => isSameText(signatureOf(said, key), signature))) throw moved("the session token is not signed with one of sessionKeys");
    const read = readContents(said);
    if (this.#environment.now() - read.issuedAt > this.#ageMsMax) throw moved("the session token is too old");
    return read;
  }
}

function signatureOf(said: string, key: string | Uint8Array): string {
  return createHmac("sha256", key).update(PURPOSE).update("\0").update(said).digest("base64url");
}

/** In a time that does not tell how much of it is right. */
function isSameText(expected: string, given: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** Signed does not mean understood: the keys may be those of a newer version too. */
function readContents(said: string): SessionToken {
  try {
    return contents.read(JSON.parse(Buffer.from(said, "base64url").toString()), "");
  } catch (cause) {
    throw new TuttiError("SESSION_MOVED", { message: "the session token says what is not understood", cause });
  }
}

function moved(message: string): TuttiError {
  return new TuttiError("SESSION_MOVED", { message });
}
