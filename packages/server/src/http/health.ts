import type { Hub } from "../hub.js";
import type { Readiness } from "../lifecycle/readiness.js";
import type { HttpAnswer, HttpExchange, HttpRequest, HttpService } from "./exchange.js";

/** Where a node tells those who watch over it how it is. */
export interface HealthPaths {
  /** Answers 200 for as long as the event loop turns; `/healthz`. */
  readonly live?: string;
  /** Answers 200 where clients should be sent here, else 503 with the codes of the reasons; `/readyz`. */
  readonly ready?: string;
}

/** Answers the health paths. Nobody is turned away there: who watches has to hear of a node that is loaded. */
export class HealthService implements HttpService {
  readonly bodyBytesMax = 0;
  readonly #answers: ReadonlyMap<string, () => HttpAnswer>;

  constructor(hub: Hub, { live = "/healthz", ready = "/readyz" }: HealthPaths) {
    this.#answers = new Map([
      [live, () => told(200, { status: hub.health.status })],
      [ready, () => readinessAnswer(hub.node.readiness.now())],
    ]);
  }

  takes(path: string): boolean {
    return this.#answers.has(path);
  }

  serve({ method, path }: HttpRequest, exchange: HttpExchange): void {
    const answer = this.#answers.get(path);
    if (answer === undefined || (method !== "GET" && method !== "HEAD")) exchange.answer(told(405, { status: "method-not-allowed" }, { Allow: "GET, HEAD" }));
    else exchange.answer(answer());
  }

  refuse(request: HttpRequest, exchange: HttpExchange): void {
    this.serve(request, exchange);
  }
}

/** The reasons' details are for operators, and the path may be open to everybody. */
function readinessAnswer(readiness: Readiness): HttpAnswer {
  if (readiness.status === "ready") return told(200, readiness);
  return told(503, { status: readiness.status, reasons: readiness.reasons.map(({ code }) => code) });
}

function told(status: number, body: object, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  return { status, headers: { "Cache-Control": "no-store", "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) };
}
