import { TuttiError } from "@tutti/protocol";
import type { Log } from "../log.js";
import type { CrossOrigin } from "./cross-origin.js";
import type { HttpExchange, HttpRequest, HttpService } from "./exchange.js";
import { answerFailure, problemAnswer } from "./problem.js";

/** What the path of a request says, by the names that its route has in braces; decoded. */
type PathParams = ReadonlyMap<string, string>;

/** Answers a request. What it throws, or rejects with, is answered as a problem; a stream that has begun is cut. */
export type HttpHandler = (request: HttpRequest, exchange: HttpExchange, params: PathParams) => void | Promise<void>;

/** A `HEAD` is answered where there is a handler for it: that of `GET` will do, unless it holds the answer. */
type HttpMethod = "GET" | "HEAD" | "POST" | "DELETE";

/** What one path answers. */
export interface Route {
  /** `/v1/channels/{channel}/events`: a name in braces stands for one segment. */
  readonly path: string;
  readonly handlers: { readonly [Method in HttpMethod]?: HttpHandler };
}

interface Target {
  readonly segments: readonly string[];
  readonly handlers: ReadonlyMap<string, HttpHandler>;
}

interface RouterParts {
  readonly routes: readonly Route[];
  readonly crossOrigin: CrossOrigin;
  readonly bodyBytesMax: number;
  readonly log: Log;
}

const NAME = /^\{(\w+)\}$/;

/** Finds who answers a request: by its path, then by its method; for pages only where their origin is let in. */
export class HttpRouter implements HttpService {
  readonly bodyBytesMax: number;
  readonly #targets: readonly Target[];
  readonly #crossOrigin: CrossOrigin;
  readonly #log: Log;

  constructor({ routes, crossOrigin, bodyBytesMax, log }: RouterParts) {
    this.bodyBytesMax = bodyBytesMax;
    this.#targets = routes.map(({ path, handlers }) => ({ segments: path.split("/"), handlers: new Map(Object.entries(handlers)) }));
    this.#crossOrigin = crossOrigin;
    this.#log = log;
  }

  takes(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  serve(request: HttpRequest, exchange: HttpExchange): void {
    void this.#answer(request, exchange, (handler, params) => handler(request, exchange, params));
  }

  refuse(request: HttpRequest, exchange: HttpExchange, error: TuttiError): void {
    void this.#answer(request, exchange, () => {
      throw error;
    });
  }

  /** Never rejects. */
  async #answer(request: HttpRequest, exchange: HttpExchange, act: (handler: HttpHandler, params: PathParams) => void | Promise<void>): Promise<void> {
    try {
      const target = this.#find(request.path);
      if (target === undefined) throw new TuttiError("ROOM_NOT_FOUND", { message: "there is nothing at this path" });
      const { handlers } = target;
      const methods = [...handlers.keys(), "OPTIONS"];
      if (!this.#crossOrigin.admit(request, exchange)) throw new TuttiError("ORIGIN_FORBIDDEN");
      if (request.method === "OPTIONS") return exchange.answer(this.#crossOrigin.preflight(request, methods));
      const handler = handlers.get(request.method);
      if (handler === undefined) return exchange.answer(methodNotAllowed(methods));
      await act(handler, paramsOf(target, request.path));
    } catch (cause) {
      answerFailure(exchange, cause, this.#log, { method: request.method, path: request.path.slice(0, 256) });
    }
  }

  #find(path: string): Target | undefined {
    const given = path.split("/");
    return this.#targets.find(({ segments }) => segments.length === given.length && segments.every((segment, at) => segment === given[at] || isFilled(segment, given[at])));
  }
}

/** Whether a name in braces stands there, and the path has something for it. */
function isFilled(segment: string, given = ""): boolean {
  return given !== "" && NAME.test(segment);
}

/** @throws TuttiError `MESSAGE_MALFORMED` for a segment that is not UTF-8 in percent-encoding */
function paramsOf({ segments }: Target, path: string): PathParams {
  const given = path.split("/");
  const params = new Map<string, string>();
  for (const [at, segment] of segments.entries()) {
    const [, name] = NAME.exec(segment) ?? [];
    if (name !== undefined) params.set(name, decoded(given[at] ?? ""));
  }
  return params;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new TuttiError("MESSAGE_MALFORMED", { message: "the path is not UTF-8 in percent-encoding", field: "path", cause });
  }
}

function methodNotAllowed(methods: readonly string[]) {
  const answer = problemAnswer(new TuttiError("FRAME_UNKNOWN", { message: "this path does not know the method" }), 405);
  return { ...answer, headers: { ...answer.headers, Allow: methods.join(", ") } };
}
