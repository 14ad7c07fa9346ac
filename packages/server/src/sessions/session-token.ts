import { TuttiError, count, record, text, type Environment } from "@tutti/protocol";
import { assertKeys, isSigned, signatureOf, type Keys } from "./signatures.js";

/** The connection that holds a session, as a client without a socket of its own names it with each request. */
export interface SessionToken {
  /** The public id of the session. */
  readonly session: string;
  /** A node's name is new with each start, so it names one life of a process. */
  readonly node: string;
  /** Which of the node's connections. */
  readonly ordinal: number;
}

interface SessionTokensParts {
  readonly node: string;
  readonly environment: Pick<Environment, "id">;
  /** The first signs, all verify; at least one. Without them this process draws one, which no other node has. */
  readonly keys?: Keys | undefined;
}

const TOKEN_CHARACTERS_MAX = 512;
/** What the key signs here is good for nothing else that may be signed with it. */
const PURPOSE = "tutti session 1";

const contents = record({ session: text(64, 1), node: text(64, 1), ordinal: count });

/**
 * Issues session tokens, and tells those that a node with one of the same keys has issued. A token is two parts in base64url, what it says and
 * its signature (HMAC-SHA-256); it can be read by who holds it, and nothing in it is secret.
 */
export class SessionTokens {
  /** Whether other nodes may have the keys too. */
  readonly isShared: boolean;
  readonly #node: string;
  readonly #keys: Keys;

  /** @throws TuttiError `CONTRACT_INVALID` for a key of less than 32 bytes */
  constructor({ node, environment, keys: given }: SessionTokensParts) {
    const keys = given ?? [`${environment.id()}${environment.id()}`];
    assertKeys(keys);
    this.isShared = given !== undefined;
    this.#node = node;
    this.#keys = keys;
  }

  /** A token for a connection of this node. */
  issue({ session, ordinal }: Pick<SessionToken, "session" | "ordinal">): string {
    const token: SessionToken = { session, node: this.#node, ordinal };
    const said = Buffer.from(JSON.stringify(token)).toString("base64url");
    return `${said}.${signatureOf(PURPOSE, said, this.#keys)}`;
  }

  /**
   * What a token says. Whether the connection is still there, and how old the token is, its node alone knows: others may differ in what time it is.
   *
   * @throws TuttiError `SESSION_MOVED`: it is malformed, or not signed with one of the keys. The client opens again, and is authenticated then.
   */
  verify(token: string): SessionToken {
    const [said, signature, ...rest] = token.length <= TOKEN_CHARACTERS_MAX ? token.split(".") : [];
    if (said === undefined || signature === undefined || rest.length > 0) throw moved("the session token is malformed");
    if (!isSigned(PURPOSE, said, signature, this.#keys)) throw moved("the session token is not signed with one of sessionKeys");
    return readContents(said);
  }
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
