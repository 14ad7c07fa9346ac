import { TuttiError, count, list, optional, record, text, type Environment, type ValueOf } from "@tutti/protocol";
import type { Sender } from "../bus/bus-messages.js";
import type { Bus, Topic } from "../bus/bus.js";
import type { Nodes } from "../bus/nodes.js";
import type { Connection } from "../connections/connection.js";
import type { Bounds, ServerGuards } from "../options.js";
import type { Sessions } from "./sessions.js";

/** How many claims travel together. */
const CLAIMS_A_MESSAGE_MAX = 256;
/** Of how many sessions the last claim of another node is remembered, for the proof that a connection came after it. */
const HEARD_MAX = 10_000;
/** No clock comes here by counting, and one that starts here can still count. */
const CLAIM_MAX = 2 ** 52;

const claim = record({
  session: text(64, 1),
  connection: text(64, 1),
  claim: count,
  /** The connection that the claiming node knew to have the session when this one came: it is the earlier one for certain. */
  after: optional(text(64, 1)),
});

/** What nodes tell each other about sessions that have opened. */
export const claimShapes = {
  "session:claims": record({ claims: list(claim, CLAIMS_A_MESSAGE_MAX) }),
};

type SessionClaim = ValueOf<typeof claim>;

type Claimant = Pick<Connection, "id" | "claim" | "provesOrder">;

interface HeardClaim {
  readonly connection: string;
  readonly claim: number;
  /** What the clock of this node said then: who comes later has a larger claim. */
  readonly heardAt: number;
}

interface SessionClaimsParts {
  readonly environment: Pick<Environment, "now" | "defer">;
  readonly bounds: Pick<Bounds, "silenceMsMax">;
  readonly bus: Bus;
  readonly nodes: Pick<Nodes, "hear" | "watch">;
  readonly sessions: Sessions;
  readonly guards?: Pick<ServerGuards, "fence">;
}

/**
 * Sees to it that a session has one connection over all nodes: the one that came last. Nodes tell each other which sessions have opened, and each
 * ends what it has of them that came before.
 *
 * Which of two came last, no clock knows for certain. A claim is of a logical clock, which every claim heard moves forward; it begins with the wall
 * clock, so that a node that has heard nothing yet is right where the clocks are. Where it is wrong the living client comes back, and is right then.
 */
export class SessionClaims {
  readonly #environment: SessionClaimsParts["environment"];
  readonly #bus: Bus;
  readonly #sessions: Sessions;
  #clock = 0;
  /** The latest claims of other nodes, those heard last at the end. */
  readonly #heard = new Map<string, HeardClaim>();
  /** To be told at the end of this turn. */
  #untold: SessionClaim[] = [];

  constructor({ environment, bounds, bus, nodes, sessions, guards = {} }: SessionClaimsParts) {
    this.#environment = environment;
    this.#bus = bus;
    this.#sessions = sessions;
    nodes.hear((message, sender) => {
      if (message.kind === "session:claims" && guards.fence !== false) this.#hear(message.claims, sender);
    });
    // What opened longer ago has outlived the silence of any connection that it came after.
    nodes.watch(({ type, node }) => type !== "gone" && this.#retell(node.id, environment.now() - bounds.silenceMsMax));
  }

  /** The claim of a connection that has just come: larger than all that this node has heard of. */
  next(): number {
    this.#clock = Math.max(this.#clock + 1, Math.floor(this.#environment.now()));
    return this.#clock;
  }

  /** A connection of the session has opened here: the other nodes end theirs. */
  tell(session: string, connection: Claimant): void {
    if (this.#bus.isAlone) return;
    if (this.#untold.length === 0) {
      this.#environment.defer(() => {
        this.#send("nodes", this.#untold);
        this.#untold = [];
      });
    }
    this.#untold.push(this.#claimOf(session, connection));
  }

  /** A node came to be known: it has not heard what opened before. @param since Unix ms */
  #retell(node: string, since: number): void {
    const claims: SessionClaim[] = [];
    for (const connection of this.#sessions.all()) {
      const { openedAt = Number.NEGATIVE_INFINITY, requests } = connection;
      if (requests !== undefined && openedAt >= since) claims.push(this.#claimOf(requests.caller.session, connection));
    }
    this.#send(`node:${node}`, claims);
  }

  #claimOf(session: string, { id, claim: number, provesOrder }: Claimant): SessionClaim {
    const known = this.#heard.get(session);
    const isProof = provesOrder && known !== undefined && known.heardAt < number;
    return { session, connection: id, claim: number, ...(isProof && { after: known.connection }) };
  }

  #send(topic: Topic, claims: readonly SessionClaim[]): void {
    for (let from = 0; from < claims.length; from += CLAIMS_A_MESSAGE_MAX) {
      this.#bus.tell(topic, { kind: "session:claims", claims: claims.slice(from, from + CLAIMS_A_MESSAGE_MAX) });
    }
  }

  /** @throws TuttiError `PAYLOAD_INVALID`, and believes nothing of it */
  #hear(claims: readonly SessionClaim[], { node }: Sender): void {
    const isStrange = ({ connection, claim: number }: SessionClaim): boolean => !connection.startsWith(`${node}-`) || number > CLAIM_MAX;
    if (claims.some(isStrange)) throw new TuttiError("PAYLOAD_INVALID", { message: `${node} claims what is not its own` });
    for (const each of claims) this.#weigh(each);
  }

  #weigh(theirs: SessionClaim): void {
    const { session, connection, claim: number, after } = theirs;
    this.#clock = Math.max(this.#clock, number);
    const mine = this.#sessions.get(session);
    // The other node does not know of this connection, or it would have claimed more.
    if (mine !== undefined && isLater(mine, theirs)) return this.tell(session, mine);
    this.#heard.delete(session);
    this.#heard.set(session, { connection, claim: number, heardAt: this.#clock });
    if (this.#heard.size > HEARD_MAX) this.#forgetOldest();
    mine?.replaced({ isProven: after === mine.id });
  }

  #forgetOldest(): void {
    for (const session of this.#heard.keys()) {
      this.#heard.delete(session);
      return;
    }
  }
}

/** Two nodes may count to the same number; then their names decide, at both alike. */
function isLater(mine: Pick<Connection, "id" | "claim">, theirs: SessionClaim): boolean {
  return mine.claim === theirs.claim ? mine.id > theirs.connection : mine.claim > theirs.claim;
}
