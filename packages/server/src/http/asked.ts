import type { ChannelPolicy } from "../policy/policy.js";
import type { HttpCaller } from "./callers.js";
import type { HttpExchange, HttpRequest } from "./exchange.js";

/** A request about a channel, by somebody who was authenticated. */
export interface Asked {
  readonly request: HttpRequest;
  readonly exchange: HttpExchange;
  readonly caller: HttpCaller;
  readonly policy: ChannelPolicy;
}
