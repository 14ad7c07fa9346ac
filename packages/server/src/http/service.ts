import type { Hub } from "../hub.js";
import { HttpCallers } from "./callers.js";
import { CrossOrigin, type Origins } from "./cross-origin.js";
import type { HttpService } from "./exchange.js";
import { linkRoutes } from "./links/routes.js";
import { openApiRoute } from "./openapi.js";
import { channelRoutes } from "./resource.js";
import { HttpRouter } from "./router.js";
import { TicketCookie } from "./ticket-cookie.js";
import type { Tickets } from "./tickets.js";

export interface HttpOptions {
  /** What all paths begin with; `/v1`. */
  readonly path?: string;
}

export interface HttpServiceOptions extends HttpOptions {
  /** The pages that are let in, as `attach` takes them. */
  readonly origins?: Origins | undefined;
}

interface HttpServiceParts {
  readonly hub: Hub;
  readonly tickets: Tickets;
}

/** All that a node serves over HTTP to its clients. */
export function httpService({ hub, tickets }: HttpServiceParts, { path = "/v1", origins }: HttpServiceOptions): HttpService {
  const { environment, bounds, log, policy } = hub.node.services;
  const crossOrigin = new CrossOrigin(origins);
  const cookie = new TicketCookie({ environment, tickets, crossOrigin, path });
  const callers = new HttpCallers(hub.node, cookie.tokenOf);
  const routes = [...channelRoutes(hub.node, callers, path), ...cookie.routes(callers), ...linkRoutes(hub, path), openApiRoute(policy.contract, path)];
  return new HttpRouter({ routes, crossOrigin, bodyBytesMax: bounds.messageBytesMax, log });
}
