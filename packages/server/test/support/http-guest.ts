import type { HttpAnswer, HttpExchange, HttpHead, HttpListener, HttpRequest, HttpService, HttpServiceOptions, Server } from "@tutti/server";
import type { ManualEnvironment } from "./manual-environment.js";
import { readSse, type SseEvent } from "./sse-reader.js";

/** One request's answer, as far as it has come. */
export class FakeExchange implements HttpExchange {
  listener: HttpListener | undefined;
  phase: HttpExchange["phase"] = "unanswered";
  status: number | undefined;
  /** How the answer ended. */
  ending: "whole" | "cut" | undefined;
  /** How many times the server wrote. */
  writes = 0;
  readonly #headers = new Map<string, string>();
  #bytes: Uint8Array[] = [];
  #stuck: Uint8Array[] = [];
  #isStalled = false;

  get bufferedBytes(): number {
    return Buffer.concat(this.#stuck).length;
  }

  setHeader(name: string, value: string): void {
    if (this.phase === "unanswered") this.#headers.set(name.toLowerCase(), value);
  }

  answer({ body = "", ...head }: HttpAnswer): void {
    if (this.phase !== "unanswered") return;
    this.#begin(head);
    this.#bytes.push(Buffer.from(body));
    this.#end("whole");
  }

  begin(head: HttpHead): void {
    if (this.phase !== "unanswered") return;
    this.#begin(head);
    this.phase = "streaming";
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.phase !== "streaming") throw new Error("the server wrote to what is no stream");
    this.writes++;
    (this.#isStalled ? this.#stuck : this.#bytes).push(...chunks);
  }

  end(): void {
    if (this.phase === "streaming") this.#end("whole");
  }

  terminate(): void {
    this.#end("cut");
  }

  /** The client reads nothing any more. */
  stall(): void {
    this.#isStalled = true;
  }

  /** The client reads again. */
  drain(): void {
    this.#isStalled = false;
    this.#bytes.push(...this.#stuck.splice(0));
    this.listener?.drained();
  }

  /** The client goes. */
  leave(): void {
    if (this.ending === undefined) this.#end("cut");
  }

  header(name: string): string | undefined {
    return this.#headers.get(name.toLowerCase());
  }

  get text(): string {
    return Buffer.concat(this.#bytes).toString();
  }

  get json(): Readonly<Record<string, unknown>> {
    return Object(JSON.parse(this.text));
  }

  /** What a stream of SSE brought until now. */
  get sse(): readonly SseEvent[] {
    return readSse(this.text);
  }

  /** What a stream of lines brought until now. */
  get lines(): readonly Readonly<Record<string, unknown>>[] {
    return this.text.split("\n").flatMap((line) => (line === "" ? [] : [Object(JSON.parse(line))]));
  }

  #begin({ status, headers }: HttpHead): void {
    this.status = status;
    for (const [name, value] of Object.entries(headers)) this.#headers.set(name.toLowerCase(), value);
  }

  #end(ending: "whole" | "cut"): void {
    if (this.ending !== undefined) return;
    this.phase = "over";
    this.ending = ending;
    this.listener?.closed();
  }
}

interface Asking {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | object;
}

/** Asks a server over HTTP, without a socket. */
export class HttpGuest {
  readonly service: HttpService;
  readonly #environment: Pick<ManualEnvironment, "settle">;

  constructor({ server, environment }: { readonly server: Pick<Server, "http">; readonly environment: Pick<ManualEnvironment, "settle"> }, options?: HttpServiceOptions) {
    this.service = server.http(options);
    this.#environment = environment;
  }

  /** Makes a request, and does not wait for anything. */
  begin(method: string, url: string, { headers = {}, body = "" }: Asking = {}): FakeExchange {
    const exchange = new FakeExchange();
    this.service.serve(requestOf(method, url, headers, body), exchange);
    return exchange;
  }

  /** Makes a request, and lets everything come to rest. */
  async ask(method: string, url: string, asking?: Asking): Promise<FakeExchange> {
    const exchange = this.begin(method, url, asking);
    await this.#environment.settle();
    return exchange;
  }

  get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<FakeExchange> {
    return this.ask("GET", url, { headers });
  }

  post(url: string, body: Asking["body"], headers: Readonly<Record<string, string>> = {}): Promise<FakeExchange> {
    return this.ask("POST", url, { headers: { "content-type": "application/json", ...headers }, ...(body !== undefined && { body }) });
  }
}

export function requestOf(method: string, url: string, headers: Readonly<Record<string, string>>, body: Asking["body"] = ""): HttpRequest {
  const [path = ""] = url.split("?", 1);
  const lowerCase = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const bytes = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  return { method, url, path, query: new URLSearchParams(url.slice(path.length)), headers: { host: "node.test", ...lowerCase }, body: Buffer.from(bytes), remoteAddress: "192.0.2.1" };
}
