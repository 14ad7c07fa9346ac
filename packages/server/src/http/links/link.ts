import type { Connection } from "../../connections/connection.js";
import type { ServerTransport } from "../../connections/transport.js";
import type { NodeState } from "../../node-state.js";
import type { HttpExchange, HttpRequest } from "../exchange.js";

/** How often links are looked after. */
export const LINK_SWEEP_MS = 1_000;
/** How much is kept for a client that is told that its link is over: who has more to read than this reads too slowly to be told. */
export const CLOSING_BYTES_MAX = 64 * 1024;

/** What opens a link. */
export interface LinkParts {
  readonly node: NodeState;
  readonly request: HttpRequest;
  /** The answer to that request. */
  readonly exchange: HttpExchange;
}

/** A link over HTTP, as who looks after all of them sees it. */
export interface HttpLink extends ServerTransport {
  /** Nothing will be asked of it any more. */
  readonly isOver: boolean;
  /** The connection that has been made of it. */
  attach(connection: Connection): void;
  /** Called once in a while. @param now on the monotonic clock */
  sweep(now: number): void;
  /** Ends what it holds, whoever may still ask. */
  forget(): void;
}
