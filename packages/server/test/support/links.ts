import { jsonCodec, limits, readServerFrame, type ClientFrame, type ServerFrame } from "@tutti/protocol";
import type { ServerOptions } from "@tutti/server";
import { MemoryHttp } from "@tutti/testkit";
import { rooms } from "./rooms.js";
import { World } from "./world.js";

type FetchResponse = Awaited<ReturnType<MemoryHttp["fetch"]>>;

export const SSE = "text/event-stream";
export const NDJSON = "application/x-ndjson";
export const JSON_TYPE = "application/json";

/** A request, and what has come of it until now. */
export class Asking {
  status: number | undefined;
  readonly slices: string[] = [];
  ending: "whole" | "cut" | undefined;
  #headers: FetchResponse["headers"] | undefined;

  constructor(asked: Promise<FetchResponse>) {
    void this.#follow(asked);
  }

  get text(): string {
    return this.slices.join("");
  }

  header(name: string): string | null | undefined {
    return this.#headers?.get(name);
  }

  /** The body as an object. */
  get json(): Readonly<Record<string, unknown>> {
    return Object(JSON.parse(this.text));
  }

  /** What a poll brought, as frames of the protocol. */
  get frames(): readonly ServerFrame[] {
    const { messages = [] } = this.json as { readonly messages?: readonly unknown[] };
    return messages.flatMap((message) => framesOf(JSON.stringify(message)));
  }

  async #follow(asked: Promise<FetchResponse>): Promise<void> {
    try {
      const { status, headers, body } = await asked;
      this.status = status;
      this.#headers = headers;
      const reader = body!.getReader();
      for (let slice = await reader.read(); slice.value !== undefined; slice = await reader.read()) this.slices.push(Buffer.from(slice.value).toString());
      this.ending = "whole";
    } catch {
      this.ending = "cut";
    }
  }
}

/** What a stream said: records by their name, and messages. */
export function read(accept: string, text: string): readonly { readonly name: string; readonly value: unknown }[] {
  if (accept === NDJSON) return text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [lineOf(line)]));
  return text.split("\n\n").flatMap((block) => {
    const fields = new Map(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)] as const));
    const data = fields.get("data");
    return data === undefined ? [] : [{ name: fields.get("event") ?? "message", value: JSON.parse(data) as unknown }];
  });
}

function lineOf(line: string): { readonly name: string; readonly value: unknown } {
  const value = JSON.parse(line) as object;
  const [name = ""] = Object.keys(value);
  return name === "open" || name === "close" ? { name, value: (value as Record<string, unknown>)[name] } : { name: "message", value };
}

export function framesOf(message: string): readonly ServerFrame[] {
  return jsonCodec.decode(message, limits.serverDepthMax).map(readServerFrame);
}

/** The frames that a stream brought. */
export function framesIn(accept: string, { text }: Asking): readonly ServerFrame[] {
  return read(accept, text).flatMap(({ name, value }) => (name === "message" ? framesOf(JSON.stringify(value)) : []));
}

/** The session token that a stream, or the first answer to polls, told. */
export function tokenIn(accept: string, asking: Asking): string {
  const opening = accept === JSON_TYPE ? asking.json : read(accept, asking.text).find(({ name }) => name === "open")?.value;
  return String(Object(opening).token);
}

let secrets = 0;

/** What a client says first. */
export const hello = (): ClientFrame => ({ op: "hello", versions: [1], session: `link-${++secrets}`.padEnd(22, "-") });

const bodyOf = (...frames: readonly object[]): string => frames.map((frame) => JSON.stringify(frame)).join("\n");

/** Makes requests to services, and lets everything come to rest after each. */
export function clientOf(http: MemoryHttp, settle: () => Promise<void>) {
  const begin = (method: "GET" | "POST", path: string, headers: Readonly<Record<string, string>>, body?: string): Asking =>
    new Asking(http.fetch(`http://node.test/v1/connections${path}`, { method, headers, cache: "no-store", ...(body !== undefined && { body }) }));
  const ask = async (...request: Parameters<typeof begin>): Promise<Asking> => {
    const asking = begin(...request);
    await settle();
    return asking;
  };
  return {
    ask,
    open: (accept: string, { query = "", frames = [hello()] }: { readonly query?: string; readonly frames?: readonly object[] } = {}) =>
      ask("POST", query, { Accept: accept }, bodyOf(...frames)),
    say: (token: string, number: number, ...frames: readonly ClientFrame[]) =>
      ask("POST", "/messages", { "Tutti-Session": token, "Tutti-Number": String(number) }, bodyOf(...frames)),
    poll: (token: string, after: number, waitS = 0) => ask("GET", `/messages?after=${after}&wait=${waitS}`, { "Tutti-Session": token }),
  };
}

/** A server, and clients that speak to it over HTTP by hand. */
export function linkWorld(options: ServerOptions<typeof rooms> = {}) {
  const world = new World({ contract: rooms, ...options });
  const http = new MemoryHttp(world.server.http());
  return { world, http, ...clientOf(http, () => world.settle()) };
}
