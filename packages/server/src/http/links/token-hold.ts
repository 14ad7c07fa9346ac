import type { Connection } from "../../connections/connection.js";
import type { NodeState } from "../../node-state.js";
import type { SessionUplink } from "../../sessions/forwarding.js";

/** What a client is told of its link, once that is admitted. */
export interface Opening {
  /** What it names its link with, at whatever node. */
  readonly token: string;
  /** How long what it sends in one request may be. */
  readonly messageBytesMax: number;
}

/** Makes a link known by its session token, from its admission to its end. */
export class TokenHold {
  readonly #node: NodeState;
  readonly #uplink: SessionUplink;
  #release = (): void => {};

  constructor(node: NodeState, uplink: SessionUplink) {
    this.#node = node;
    this.#uplink = uplink;
  }

  /** To be called until it says something: `undefined` where the connection is not open yet, or not any more. */
  open(connection: Connection | undefined): Opening | undefined {
    if (connection?.requests === undefined) return undefined;
    const { services, forwarder } = this.#node;
    const place = { session: connection.requests.caller.session, ordinal: connection.ordinal };
    this.#release = forwarder.hold(place, this.#uplink);
    return { token: services.tokens.issue(place), messageBytesMax: services.bounds.messageBytesMax };
  }

  release(): void {
    this.#release();
  }
}
