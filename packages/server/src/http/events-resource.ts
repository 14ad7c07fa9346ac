import { TuttiError, retryOf } from "@tutti/protocol";
import { permitReading } from "../channels/permission.js";
import { tuttiError } from "../errors.js";
import type { Log } from "../log.js";
import type { NodeState } from "../node-state.js";
import type { Asked } from "./asked.js";
import { seenBy } from "./etags.js";
import { bytesOf, ndjson, sse, streamHeaders, type StreamFormat } from "./formats.js";
import { freshAnswer } from "./json-answer.js";
import { negotiate } from "./negotiation.js";
import { Pages } from "./pages.js";
import { Polls } from "./polls.js";
import { problemAnswer } from "./problem.js";
import { HttpPublisher, isJson, readPublishes } from "./publishing.js";
import { readEventsQuery } from "./queries.js";
import { endRecord, lineOf } from "./records.js";
import type { HttpHandler } from "./router.js";
import { StreamReader } from "./stream-reader.js";

const FORMATS: ReadonlyMap<string, StreamFormat> = new Map([sse, ndjson].map((format) => [format.mediaType, format]));
/** The first is what a client gets that does not say. */
const MEDIA_TYPES = ["application/json", ...FORMATS.keys()];

/** The events of channels: read in four ways, and published. */
export class EventsResource {
  readonly #node: NodeState;
  readonly #polls: Polls;
  readonly #publisher: HttpPublisher;

  constructor(node: NodeState) {
    this.#node = node;
    this.#polls = new Polls(node, new Pages(node));
    this.#publisher = new HttpPublisher(node);
  }

  async read({ request, exchange, caller, policy }: Asked): Promise<void> {
    const query = readEventsQuery(request, this.#node.services.bounds.httpWaitMsMax);
    const mediaType = negotiate(request.headers, MEDIA_TYPES);
    if (mediaType === undefined) return exchange.answer(problemAnswer(invalid(`there are ${MEDIA_TYPES.join(", ")}`, "Accept"), 406));
    const format = FORMATS.get(mediaType);
    if (format === undefined) {
      const { endedCount } = this.#node.commands;
      await permitReading(this.#node, caller, policy);
      // A HEAD asks for what there is now.
      const waitMs = request.method === "HEAD" ? 0 : query.waitMs;
      return this.#polls.serve({ exchange, caller, policy, query: { ...query, waitMs }, seen: seenBy(request.headers), endedCount });
    }
    if (request.method !== "HEAD") return new StreamReader({ node: this.#node, caller, exchange, format, channel: policy.name }).open(query);
    await permitReading(this.#node, caller, policy);
    exchange.answer({ status: 200, headers: streamHeaders(format) });
  }

  async publish({ request, exchange, caller, policy }: Asked): Promise<void> {
    if (!isJson(request)) return exchange.answer(problemAnswer(invalid("a body is application/json", "Content-Type"), 415));
    const publishes = readPublishes(request);
    const { results, stop } = await this.#publisher.publish(caller, policy, publishes);
    if (stop === undefined) return exchange.answer(freshAnswer(lineOf(publishes.isBatch ? { results } : (results[0] ?? {}))));
    const { error, index } = stop;
    exchange.answer(problemAnswer(error, undefined, publishes.isBatch ? { results, index } : {}));
  }
}

/**
 * A handler that tells an `EventSource` of a refusal that passes by itself in a stream: it comes back by itself then, and at a 503 it would give up. Other clients
 * that read such streams are told the same.
 */
export function toldInBand(handler: HttpHandler, log: Log): HttpHandler {
  return async (request, exchange, params) => {
    try {
      await handler(request, exchange, params);
    } catch (cause) {
      if (negotiate(request.headers, MEDIA_TYPES) !== sse.mediaType || exchange.phase !== "unanswered") throw cause;
      const error = tuttiError(cause, log, { path: request.path });
      if (!["backoff", "reconnect"].includes(retryOf(error.code))) throw error;
      exchange.begin({ status: 200, headers: streamHeaders(sse) });
      exchange.write([bytesOf(sse.codec.encode([endRecord(error)]))]);
      exchange.end();
    }
  };
}

function invalid(message: string, field: string): TuttiError {
  return new TuttiError("FRAME_INVALID", { message, field });
}
