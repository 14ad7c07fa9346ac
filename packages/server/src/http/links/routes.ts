import { TuttiError } from "@tutti/protocol";
import type { Hub } from "../../hub.js";
import type { HttpExchange, HttpHeaders, HttpRequest } from "../exchange.js";
import { problemAnswer } from "../problem.js";
import type { Route } from "../router.js";
import { ExchangeAnswer } from "./exchange-answer.js";
import { ndjson, sse } from "./framing.js";
import type { Downlink } from "./http-links.js";
import { linesOf, textOf } from "./messages.js";

/** How long a poll may wait: less than a client may be silent. */
const WAIT_MS_MAX = 25_000;
const INTERVAL_S_MAX = 120;
const DIGITS = /^\d{1,15}$/;

/** Where clients open links over HTTP, and where they send and ask from then on; the second at whatever node. */
export function linkRoutes({ links, node }: Pick<Hub, "links" | "node">, path: string): readonly Route[] {
  const { bounds } = node.services;

  const open = (request: HttpRequest, exchange: HttpExchange): void => {
    const downlink = downlinkOf(request);
    if (downlink === undefined) {
      return exchange.answer(problemAnswer(new TuttiError("FRAME_INVALID", { message: `links are ${[...DOWNLINKS.keys()].join(", ")}`, field: "accept" }), 406));
    }
    const messages = linesOf(textOf(request.body, bounds.messageBytesMax));
    if (messages.length === 0) throw new TuttiError("HELLO_REQUIRED", { message: "the body is empty: the hello stands in it" });
    links.open({ downlink, request, exchange, messages });
  };

  const receive = async ({ headers, body }: HttpRequest, exchange: HttpExchange): Promise<void> => {
    const number = countOf(headers["tutti-number"], "tutti-number");
    if (number === 0) throw new TuttiError("FRAME_INVALID", { message: "tutti-number begins with 1", field: "tutti-number" });
    await node.forwarder.forward(tokenOf(headers), { number, text: textOf(body, bounds.messageBytesMax) });
    exchange.answer({ status: 204, headers: { "Cache-Control": "no-store" } });
  };

  const poll = ({ headers, query }: HttpRequest, exchange: HttpExchange): void => {
    const after = countOf(query.get("after"), "after");
    const waitMs = Math.min(WAIT_MS_MAX, bounds.httpWaitMsMax, 1_000 * countOf(query.get("wait") ?? "0", "wait"));
    node.forwarder.poll(tokenOf(headers), { after, waitMs }, new ExchangeAnswer(exchange, node));
  };

  return [
    { path: `${path}/connections`, handlers: { POST: open } },
    { path: `${path}/connections/messages`, handlers: { POST: receive, GET: poll } },
  ];
}

const DOWNLINKS: ReadonlyMap<string, (query: URLSearchParams) => Downlink> = new Map<string, (query: URLSearchParams) => Downlink>([
  ["text/event-stream", () => ({ kind: "stream", framing: sse })],
  ["application/x-ndjson", () => ({ kind: "stream", framing: ndjson })],
  ["application/json", (query) => ({ kind: "poll", intervalMs: intervalOf(query) })],
  ["*/*", (query) => ({ kind: "poll", intervalMs: intervalOf(query) })],
]);

/** The first kind of downlink that the client accepts. @throws TuttiError `FRAME_INVALID` for an interval that is none */
function downlinkOf({ headers, query }: HttpRequest): Downlink | undefined {
  const accepted = String(headers["accept"] ?? "*/*").split(",");
  for (const range of accepted) {
    const [type = ""] = range.split(";", 1);
    const downlink = DOWNLINKS.get(type.trim().toLowerCase());
    if (downlink !== undefined) return downlink(query);
  }
  return undefined;
}

function intervalOf(query: URLSearchParams): number | undefined {
  const given = query.get("interval");
  if (given === null) return undefined;
  const seconds = countOf(given, "interval");
  if (seconds >= 1 && seconds <= INTERVAL_S_MAX) return 1_000 * seconds;
  throw new TuttiError("FRAME_INVALID", { message: `interval is not from 1 to ${INTERVAL_S_MAX} seconds`, field: "interval" });
}

/** One that is missing is malformed, like others that this node cannot read. */
function tokenOf(headers: HttpHeaders): string {
  const token = headers["tutti-session"];
  return typeof token === "string" ? token : "";
}

/** @throws TuttiError `FRAME_INVALID` */
function countOf(value: unknown, field: string): number {
  if (typeof value === "string" && DIGITS.test(value)) return Number(value);
  throw new TuttiError("FRAME_INVALID", { message: `${field} is not a whole number`, field });
}
