import type { IncomingMessage, RequestListener, Server as HttpServer, ServerResponse } from "node:http";
import type { Hub } from "../hub.js";
import type { Readiness } from "../lifecycle/readiness.js";
import { pathOf } from "./request-path.js";

/** Where a node tells those who watch over it how it is. */
export interface HealthPaths {
  /** Answers 200 for as long as the event loop turns; `/healthz`. */
  readonly live?: string;
  /** Answers 200 where clients should be sent here, else 503 with the codes of the reasons; `/readyz`. */
  readonly ready?: string;
}

interface Answer {
  readonly status: number;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

const METHOD_NOT_ALLOWED: Answer = { status: 405, body: { status: "method-not-allowed" }, headers: { Allow: "GET, HEAD" } };
const NOT_FOUND: Answer = { status: 404, body: { status: "not-found" } };

/**
 * Answers the health paths of an HTTP server before those who listen to its requests do; they get all others. Returns what undoes it.
 */
export function attachHealth(http: HttpServer, hub: Hub, { live = "/healthz", ready = "/readyz" }: HealthPaths): () => void {
  const answers = new Map<string, () => Answer>([
    [live, () => ({ status: 200, body: { status: hub.health.status } })],
    [ready, () => readinessAnswer(hub.node.readiness.now())],
  ]);
  // Each listener hears each request, whoever has answered it: frameworks answer what they do not know, too.
  const others = listenersOf(http);
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const answer = answers.get(pathOf(request));
    if (answer !== undefined) return send(request, response, isReading(request) ? answer() : METHOD_NOT_ALLOWED);
    for (const listener of others) listener.call(http, request, response);
    // Nobody else listens, and Node would leave the request open.
    if (others.length === 0 && http.listenerCount("request") === 1) send(request, response, NOT_FOUND);
  };
  replaceListeners(http, [onRequest]);
  return () => {
    // Where somebody has taken the place of this listener, as it took that of others, it stays, and hands on everything.
    answers.clear();
    const present = listenersOf(http);
    if (present.includes(onRequest)) replaceListeners(http, present.flatMap((each) => (each === onRequest ? others : [each])));
  };
}

/** Those that hear one request alone as well. The types of Node do not say what a listener is called with. */
function listenersOf(http: HttpServer): readonly RequestListener[] {
  return http.rawListeners("request") as RequestListener[];
}

function replaceListeners(http: HttpServer, listeners: readonly RequestListener[]): void {
  http.removeAllListeners("request");
  for (const listener of listeners) http.on("request", listener);
}

/** The reasons' details are for operators, and the path may be open to everybody. */
function readinessAnswer(readiness: Readiness): Answer {
  if (readiness.status === "ready") return { status: 200, body: readiness };
  return { status: 503, body: { status: readiness.status, reasons: readiness.reasons.map(({ code }) => code) } };
}

function isReading({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}

function send({ method, headers: asked }: IncomingMessage, response: ServerResponse, { status, body, headers }: Answer): void {
  const text = JSON.stringify(body);
  const hasBody = asked["content-length"] !== undefined || asked["transfer-encoding"] !== undefined;
  response.writeHead(status, {
    "Cache-Control": "no-store",
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
    "X-Content-Type-Options": "nosniff",
    // Nothing is to be read of a body that nobody asked for, and it may have no end.
    ...(hasBody && { Connection: "close" }),
    ...headers,
  });
  response.end(method === "HEAD" ? undefined : text);
}
