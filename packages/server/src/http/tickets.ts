import { TuttiError, count, record, text, type Environment } from "@tutti/protocol";
import { assertKeys, isSigned, signatureOf, type Keys } from "../sessions/signatures.js";

/** What the key signs here is good for nothing else that may be signed with it. */
const PURPOSE = "tutti ticket 1";
/** Of a cookie, browsers keep 4,096 bytes with its name and what else is said of it. */
const TICKET_CHARACTERS_MAX = 3_800;

const contents = record({ token: text(8_192, 1), issuedAt: count });

interface TicketsParts {
  readonly environment: Environment;
  /** Those of the sessions; without them this process draws one, which no other node has. */
  readonly keys: Keys | undefined;
  readonly ageMsMax: number;
}

/**
 * Tickets: a token as a cookie carries it, signed, with the time from which it is good. Who holds one can read the token in it; that it reaches no script is the
 * cookie's affair.
 */
export class Tickets {
  readonly ageMsMax: number;
  readonly #environment: Environment;
  #keys: Keys | undefined;

  /** @throws TuttiError `CONTRACT_INVALID` for a key of less than 32 bytes */
  constructor({ environment, keys, ageMsMax }: TicketsParts) {
    if (keys !== undefined) assertKeys(keys);
    this.ageMsMax = ageMsMax;
    this.#environment = environment;
    this.#keys = keys;
  }

  /** A ticket for a token. @throws TuttiError `TOKEN_INVALID` for a token that is too long for a cookie */
  issue(token: string): string {
    const said = Buffer.from(JSON.stringify({ token, issuedAt: this.#environment.now() })).toString("base64url");
    const ticket = `${said}.${signatureOf(PURPOSE, said, this.#knownKeys)}`;
    if (ticket.length > TICKET_CHARACTERS_MAX) throw new TuttiError("TOKEN_INVALID", { message: "the token is too long for a cookie" });
    return ticket;
  }

  /** The token of a ticket. Whether that is good still, the application says. @throws TuttiError `TOKEN_INVALID`, `TOKEN_EXPIRED` */
  tokenOf(ticket: string): string {
    const [said, signature, ...rest] = ticket.length <= TICKET_CHARACTERS_MAX ? ticket.split(".") : [];
    if (said === undefined || signature === undefined || rest.length > 0) throw invalid("the ticket is malformed");
    if (!isSigned(PURPOSE, said, signature, this.#knownKeys)) throw invalid("the ticket is not signed with one of sessionKeys");
    const { token, issuedAt } = readContents(said);
    if (this.#environment.now() - issuedAt > this.ageMsMax) throw new TuttiError("TOKEN_EXPIRED", { message: "the ticket is too old" });
    return token;
  }

  /** Drawn when it is needed first. */
  get #knownKeys(): Keys {
    return (this.#keys ??= [`${this.#environment.id()}${this.#environment.id()}`]);
  }
}

/** Signed does not mean understood: the keys may be those of a newer version too. */
function readContents(said: string): { readonly token: string; readonly issuedAt: number } {
  try {
    return contents.read(JSON.parse(Buffer.from(said, "base64url").toString()), "");
  } catch (cause) {
    throw new TuttiError("TOKEN_INVALID", { message: "the ticket says what is not understood", cause });
  }
}

function invalid(message: string): TuttiError {
  return new TuttiError("TOKEN_INVALID", { message });
}
