import type { Cancel } from "@tutti/protocol";
import type { Connection } from "../../connections/connection.js";
import type { HandshakeRequest, ServerTransport } from "../../connections/transport.js";
import type { NodeState } from "../../node-state.js";
import type { HttpExchange, HttpRequest } from "../exchange.js";
import type { Framing } from "./framing.js";
import { LINK_SWEEP_MS, type HttpLink } from "./link.js";
import { PollLink } from "./poll-link.js";
import { StreamLink } from "./stream-link.js";

/** How many links that have closed stay to say so. */
const LINGERING_MAX = 1_024;

/** How a client wants to hear of what the server says. */
export type Downlink = { readonly kind: "stream"; readonly framing: Framing } | { readonly kind: "poll"; readonly intervalMs: number | undefined };

interface OpenParts {
  readonly downlink: Downlink;
  readonly request: HttpRequest;
  readonly exchange: HttpExchange;
  /** What the client says first. */
  readonly messages: readonly string[];
}

/** Makes a connection of a transport. */
type Accept = (transport: ServerTransport, request: HandshakeRequest) => Connection;

/** The links over HTTP of one node, and what looks after them. */
export class HttpLinks {
  readonly #node: NodeState;
  readonly #accept: Accept;
  readonly #links = new Set<HttpLink>();
  /** Those that closed first come first. */
  readonly #lingering = new Set<HttpLink>();
  #cancelSweep: Cancel | undefined;

  constructor(node: NodeState, accept: Accept) {
    this.#node = node;
    this.#accept = accept;
  }

  /** How many there are, those left out that have closed and stay to say so. */
  get size(): number {
    return this.#links.size - this.#lingering.size;
  }

  /** Makes a connection of a request. @throws TuttiError where the node takes no newcomers */
  open({ downlink, request, exchange, messages }: OpenParts): void {
    const { readiness, services } = this.#node;
    const refusal = this.size < services.bounds.httpLinksMax ? readiness.refusal() : readiness.noPlace();
    if (refusal !== undefined) throw refusal;
    const link = this.#linkOf(downlink, request, exchange);
    this.#links.add(link);
    this.#scheduleSweep();
    const connection = this.#accept(link, { url: request.url, headers: request.headers });
    link.attach(connection);
    for (const message of messages) connection.message(message);
  }

  /** Forgets all of them: those that are open were closed before. */
  close(): void {
    this.#cancelSweep?.();
    for (const link of this.#links) link.forget();
    this.#links.clear();
    this.#lingering.clear();
  }

  #linkOf(downlink: Downlink, request: HttpRequest, exchange: HttpExchange): HttpLink {
    const node = this.#node;
    if (downlink.kind === "stream") return new StreamLink({ node, request, exchange, framing: downlink.framing });
    return new PollLink({ node, request, exchange, intervalMs: downlink.intervalMs, lingers: this.#lingers });
  }

  /** One function for all of them. */
  readonly #lingers = (link: HttpLink): void => {
    this.#lingering.add(link);
    if (this.#lingering.size <= LINGERING_MAX) return;
    for (const oldest of this.#lingering) {
      this.#lingering.delete(oldest);
      return oldest.forget();
    }
  };

  #scheduleSweep(): void {
    this.#cancelSweep ??= this.#node.services.environment.after(LINK_SWEEP_MS, () => {
      this.#cancelSweep = undefined;
      this.#sweep();
      if (this.#links.size > 0) this.#scheduleSweep();
    });
  }

  #sweep(): void {
    const now = this.#node.services.environment.elapsed();
    for (const link of this.#links) {
      link.sweep(now);
      if (!link.isOver) continue;
      this.#links.delete(link);
      this.#lingering.delete(link);
    }
  }
}
