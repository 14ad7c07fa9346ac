import type { IncomingMessage, RequestListener, Server as HttpServer, ServerResponse } from "node:http";
import { TuttiError } from "@tutti/protocol";
import type { HttpAnswer, HttpExchange, HttpHead, HttpListener, HttpRequest, HttpService } from "../http/exchange.js";
import type { Bounds } from "../options.js";
import { pathOf } from "./request-path.js";

const NOTHING = Buffer.alloc(0);

type HttpBounds = Pick<Bounds, "httpRequestsMax" | "httpBytesMax" | "httpTimeoutMs">;

/**
 * Answers what `services` take of an HTTP server's requests, before those who listen to them do; they get all others. Works with whatever ends in `node:http`.
 * Returns what undoes it.
 */
export function attachHttp(http: HttpServer, services: readonly HttpService[], bounds: HttpBounds): () => void {
  const tally = new HttpTally(bounds);
  // Each listener hears each request, whoever has answered it: frameworks answer what they do not know, too.
  const others = listenersOf(http);
  let isAttached = true;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const path = pathOf(request);
    const service = isAttached ? services.find((each) => each.takes(path)) : undefined;
    if (service !== undefined) return serve(service, request, response, tally);
    for (const listener of others) listener.call(http, request, response);
    // Nobody else listens, and Node would leave the request open.
    if (others.length === 0 && http.listenerCount("request") === 1) answerNotFound(request, response);
  };
  replaceListeners(http, [onRequest]);
  return () => {
    // Where somebody has taken the place of this listener, as it took that of others, it stays, and hands on everything.
    isAttached = false;
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

function answerNotFound(request: IncomingMessage, response: ServerResponse): void {
  const exchange = new NodeExchange(request, response, new HttpTally({ httpRequestsMax: 1, httpBytesMax: 0, httpTimeoutMs: 0 }));
  exchange.answer({ status: 404, headers: { "Cache-Control": "no-store", "Content-Type": "application/json" }, body: '{"status":"not-found"}' });
}

/** Never throws. */
function serve(service: HttpService, request: IncomingMessage, response: ServerResponse, tally: HttpTally): void {
  const refusal = tally.refusal();
  const exchange = new NodeExchange(request, response, tally);
  if (refusal !== undefined) return service.refuse(requestOf(request, NOTHING), exchange, refusal);
  if (request.method !== "POST" || service.bodyBytesMax === 0 || !hasBody(request)) return service.serve(requestOf(request, NOTHING), exchange);
  readBody(request, exchange, service.bodyBytesMax, (body) => {
    if (body instanceof TuttiError) service.refuse(requestOf(request, NOTHING), exchange, body);
    else service.serve(requestOf(request, body), exchange);
  });
}

/** Reads a body, and calls `done` with it, or with why it cannot be had; never where the client has gone meanwhile. */
function readBody(request: IncomingMessage, exchange: NodeExchange, bytesMax: number, done: (body: Uint8Array | TuttiError) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const finish = (body: Uint8Array | TuttiError): void => {
    clearTimeout(timeout);
    request.off("data", onData).off("end", onEnd).off("close", onClose);
    request.pause();
    done(body);
  };
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    chunks.push(chunk);
    const refusal = bytes > bytesMax ? tooLarge(bytesMax) : exchange.hold(chunk.length);
    if (refusal !== undefined) finish(refusal);
  };
  const onEnd = (): void => {
    exchange.isRead = true;
    finish(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes));
  };
  const onClose = (): void => clearTimeout(timeout);
  const timeout = setTimeout(() => finish(new TuttiError("TIMEOUT", { message: "the body did not arrive in time" })), exchange.timeoutMs);
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) return finish(tooLarge(bytesMax));
  request.on("data", onData).on("end", onEnd).on("close", onClose);
}

function tooLarge(bytesMax: number): TuttiError {
  return new TuttiError("MESSAGE_TOO_LARGE", { message: `a body has at most ${bytesMax} bytes` });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

function requestOf(request: IncomingMessage, body: Uint8Array): HttpRequest {
  const { method = "", url = "", headers, socket } = request;
  const path = pathOf(request);
  return { method, url, path, query: new URLSearchParams(url.slice(path.length)), headers, body, remoteAddress: socket.remoteAddress ?? "" };
}

/** How much all requests together hold. */
class HttpTally {
  readonly #bounds: HttpBounds;
  #requests = 0;
  #bytes = 0;

  constructor(bounds: HttpBounds) {
    this.#bounds = bounds;
  }

  /** How long a client may keep a request waiting. */
  get timeoutMs(): number {
    return this.#bounds.httpTimeoutMs;
  }

  /** Why a request cannot be served now. */
  refusal(): TuttiError | undefined {
    const { httpRequestsMax } = this.#bounds;
    return this.#requests >= httpRequestsMax ? noRoom(`httpRequestsMax is ${httpRequestsMax}`) : this.overflow();
  }

  /** Why no more bytes can be held now. */
  overflow(): TuttiError | undefined {
    const { httpBytesMax } = this.#bounds;
    return this.#bytes > httpBytesMax ? noRoom(`httpBytesMax is ${httpBytesMax}`) : undefined;
  }

  add(requests: number, bytes: number): void {
    this.#requests += requests;
    this.#bytes += bytes;
  }
}

function noRoom(message: string): TuttiError {
  return new TuttiError("UNAVAILABLE", { message, retryAfterMs: 1_000 });
}

const EXCHANGE = Symbol("exchange");

/** A response that knows its exchange, so that all share their listeners: a closure for each that waits would be as large as the exchange. */
interface ExchangedResponse extends ServerResponse {
  [EXCHANGE]?: NodeExchange;
}

/** One request's answer by `node:http`. */
class NodeExchange implements HttpExchange {
  listener: HttpListener | undefined;
  /** All of the request has been read: the connection can take another one. */
  isRead: boolean;
  #phase: HttpExchange["phase"] = "unanswered";
  readonly #response: ServerResponse;
  readonly #tally: HttpTally;
  /** Kept here: what Node keeps of headers, while a request waits, is larger. */
  #headers: Readonly<Record<string, string>> | undefined;
  #heldBytes = 0;
  /** Something was left over from a write: `drained` is owed. */
  #isOwing = false;

  constructor(request: IncomingMessage, response: ExchangedResponse, tally: HttpTally) {
    this.isRead = !hasBody(request);
    this.#response = response;
    this.#tally = tally;
    tally.add(1, 0);
    // What cannot be written any more is no error to the process.
    response.on("error", ignore);
    response[EXCHANGE] = this;
    response.on("close", tellExchange);
  }

  get phase(): HttpExchange["phase"] {
    return this.#phase;
  }

  get bufferedBytes(): number {
    return this.#response.writableLength;
  }

  /** How long a client may keep it waiting. */
  get timeoutMs(): number {
    return this.#tally.timeoutMs;
  }

  /** Counts bytes for as long as the exchange lasts; why not, where all requests together hold too many. */
  hold(bytes: number): TuttiError | undefined {
    this.#heldBytes += bytes;
    this.#tally.add(0, bytes);
    return this.#tally.overflow();
  }

  setHeader(name: string, value: string): void {
    if (this.#phase === "unanswered") this.#headers = { ...this.#headers, [name]: value };
  }

  answer({ status, headers, body = "" }: HttpAnswer): void {
    if (this.#phase !== "unanswered") return;
    this.#phase = "over";
    const bytes = Buffer.byteLength(body);
    this.#writeHead({ status, headers: bytes > 0 ? { ...headers, "Content-Length": String(bytes) } : headers });
    this.#response.end(body);
    const left = this.#response.writableLength;
    if (left === 0) return;
    this.hold(left);
    this.#response.setTimeout(this.#tally.timeoutMs, destroySocket);
  }

  begin(head: HttpHead): void {
    if (this.#phase !== "unanswered") return;
    this.#phase = "streaming";
    this.#writeHead(head);
    this.#response.flushHeaders();
  }

  write(chunks: readonly Uint8Array[]): void {
    const response = this.#response;
    if (this.#phase !== "streaming" || response.destroyed) return;
    // Else Node keeps what is written until the end of the tick, and what has not left would be told wrongly.
    const { socket } = response;
    socket?.cork();
    response.cork();
    for (const chunk of chunks) response.write(chunk);
    response.uncork();
    socket?.uncork();
    if (response.writableLength > 0 && !this.#isOwing) this.#awaitDrain();
  }

  end(): void {
    if (this.#phase !== "streaming") return;
    this.#phase = "over";
    this.#response.end();
    if (this.#response.writableLength > 0) this.#response.setTimeout(this.#tally.timeoutMs, destroySocket);
  }

  terminate(): void {
    this.#phase = "over";
    this.#response.destroy();
  }

  #writeHead({ status, headers }: HttpHead): void {
    const all = { "X-Content-Type-Options": "nosniff", ...this.#headers, ...headers };
    this.#headers = undefined;
    // Nothing is to be read of a body that nobody asked for, and it may have no end.
    this.#response.writeHead(status, this.isRead ? all : { ...all, Connection: "close" });
  }

  /** Hears when what was left over is gone, by a write of nothing behind it. */
  #awaitDrain(): void {
    this.#isOwing = true;
    this.#response.write(NOTHING, () => {
      this.#isOwing = false;
      this.listener?.drained();
    });
  }

  /** Called once, when nothing can be written any more. */
  closed(): void {
    this.#phase = "over";
    this.#tally.add(-1, -this.#heldBytes);
    this.listener?.closed();
  }
}

function ignore(): void {}

function tellExchange(this: ExchangedResponse): void {
  this[EXCHANGE]?.closed();
}

function destroySocket(this: ServerResponse): void {
  this.destroy();
}
