import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { connect, type Socket } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lmdbBroker } from "@tutti/lmdb";
import type { UntypedContract } from "@tutti/protocol";
import { createServer, silentLog, type AttachOptions, type Server, type ServerOptions } from "@tutti/server";
import express from "express";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Follower, hasCurl } from "./http/follower.js";
import { listen, stopListening } from "./loopback.js";

const patience = { timeout: 20_000, interval: 20 };
const room = "/v1/channels/room:1/events";
const SSE = { Accept: "text/event-stream" };
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Node {
  readonly server: Server<UntypedContract>;
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

async function node(options: ServerOptions<UntypedContract> = {}, attach: AttachOptions = {}, { port = 0, http = createHttpServer() }: { readonly port?: number; readonly http?: HttpServer } = {}): Promise<Node> {
  const server = createServer({ log: silentLog, ...options });
  server.attach(http, attach);
  const bound = await listen(http, port);
  let hasStopped = false;
  const stop = async (): Promise<void> => {
    if (hasStopped) return;
    hasStopped = true;
    await server.close();
    await stopListening(http);
  };
  ends.push(stop);
  return { server, port: bound, url: `http://127.0.0.1:${bound}`, stop };
}

const publish = (server: Server<UntypedContract>, text: unknown) => server.channel("room:{id}", { id: "1" }).publish("note:add", { text });

/** A response's body as far as it has come, and a way to leave. */
async function stream(url: string, headers: Readonly<Record<string, string>>) {
  const leaving = new AbortController();
  const response = await fetch(url, { headers, signal: leaving.signal });
  const read = { text: "", isOver: false };
  const decoder = new TextDecoder();
  const following = (async () => {
    try {
      for await (const chunk of response.body ?? []) read.text += decoder.decode(chunk, { stream: true });
    } catch {
      // Cut, by whichever side.
    }
    read.isOver = true;
  })();
  ends.push(async () => {
    leaving.abort();
    await following;
  });
  return { response, read, leave: () => leaving.abort() };
}

/** The texts of the events in a stream of server-sent events. */
const textsOf = (text: string): readonly unknown[] =>
  [...text.matchAll(/^data: (.*"eventId".*)$/gm)].map(([, data = ""]) => Object(JSON.parse(data)).payload.text);

/** Sends bytes as they are. @returns what comes back until the server ends it, or `until` is there */
function raw(port: number, bytes: string, until = "\0"): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => void socket.write(bytes, "latin1"));
    let text = "";
    const done = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes(until)) done();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => (error.code === "ECONNRESET" || error.code === "EPIPE" ? done() : reject(error))).on("end", done);
  });
}

describe("a channel over a socket", () => {
  it("HTTP-4 HTTP-5 HTTP-8 HTTP-9 HTTP-10 is written once and read in four ways", async () => {
    const { url, server } = await node();
    const events = await stream(url + room, SSE);
    const lines = await stream(url + room, { Accept: "application/x-ndjson" });
    expect([events.response.status, events.response.headers.get("content-type"), events.response.headers.get("x-content-type-options")]).toEqual([200, "text/event-stream", "nosniff"]);
    const { position } = Object(await (await fetch(url + room)).json());
    const waiting = fetch(`${url}${room}?since=${position}&wait=25`);
    await vi.waitFor(() => expect(server.stats().httpReaders).toBe(3), patience);
    const posted = await fetch(url + room, { method: "POST", headers: { "Content-Type": "application/json", "Idempotency-Key": '"k"' }, body: JSON.stringify({ type: "note:add", payload: { text: "héllo 日本 👋" } }) });
    expect(posted.status).toBe(200);
    const page = await waiting;
    expect(Object(await page.json()).events).toMatchObject([{ payload: { text: "héllo 日本 👋" } }]);
    await vi.waitFor(() => {
      expect(textsOf(events.read.text)).toEqual(["héllo 日本 👋"]);
      expect(lines.read.text).toContain("héllo 日本 👋");
    }, patience);
    const tag = page.headers.get("etag") ?? "";
    const known = await fetch(`${url}${room}?rewind=1`, { headers: { "If-None-Match": tag } });
    expect([known.status, await known.text()]).toEqual([304, ""]);
    expect((await fetch(`${url}${room}?rewind=1`, { method: "HEAD" })).headers.get("etag")).toBe(tag);
  });

  it("HTTP-18 carries an event of 1 MB, whatever pieces it comes in", async () => {
    const { url, server } = await node();
    const events = await stream(url + room, SSE);
    const lines = await stream(url + room, { Accept: "application/x-ndjson" });
    const large = "é日👋\r\n".repeat(100_000);
    await publish(server, large);
    await vi.waitFor(() => expect(textsOf(events.read.text).length).toBe(1), patience);
    expect(textsOf(events.read.text)[0] === large).toBe(true);
    await vi.waitFor(() => expect(lines.read.text.split("\n").length).toBe(3), patience);
    expect(Object(JSON.parse(lines.read.text.split("\n")[1] ?? "")).payload.text === large).toBe(true);
    const { events: polled } = Object(await (await fetch(`${url}${room}?rewind=1`)).json());
    expect(polled[0].payload.text === large).toBe(true);
  });

  it("HTTP-1 stands before the routes of a framework, and leaves all others to it", async () => {
    const app = express();
    app.get("/v1/other", (_request, response) => void response.send("theirs"));
    const { url } = await node({}, {}, { http: createHttpServer(app) });
    expect((await fetch(url + room)).status).toBe(200);
    expect(await (await fetch(`${url}/v1/other`)).text()).toBe("theirs");
    expect((await fetch(`${url}/v1/channels/room:1`)).status).toBe(404);
    const without = await node({}, { http: false }, { http: createHttpServer((_request, response) => void response.end("theirs")) });
    expect(await (await fetch(without.url + room)).text()).toBe("theirs");
    const elsewhere = await node({}, { http: { path: "/rt" } });
    expect((await fetch(`${elsewhere.url}/rt/channels/room:1/events`)).status).toBe(200);
  });

  it("HTTP-14 lets the pages in that sockets let in", async () => {
    const { url } = await node({}, { origins: ["https://app.test"] });
    const allowed = await fetch(url + room, { headers: { Origin: "https://app.test" } });
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([200, "https://app.test"]);
    expect((await fetch(url + room, { headers: { Origin: "https://evil.test" } })).status).toBe(403);
    const preflight = await fetch(url + room, { method: "OPTIONS", headers: { Origin: "https://app.test", "Access-Control-Request-Method": "POST" } });
    expect([preflight.status, preflight.headers.get("access-control-allow-methods")]).toEqual([204, "GET, HEAD, POST, OPTIONS"]);
  });

  it("HTTP-13 gives a ticket that a browser would send back", async () => {
    const { url } = await node({ authenticate: ({ token }) => (token === "ada" ? { id: token } : Promise.reject(new Error("who?"))) });
    const given = await fetch(`${url}/v1/tickets`, { method: "POST", headers: { Authorization: "Bearer ada" } });
    const [cookie = ""] = (given.headers.getSetCookie()[0] ?? "").split(";");
    const events = await stream(url + room, { ...SSE, Cookie: cookie });
    expect(events.response.status).toBe(200);
  });
});

describe("the bounds of HTTP", () => {
  it("HTTP-16 cut a stream whose client reads nothing, and harm nobody else", async () => {
    const { port, url, server } = await node({ outboxBytesMax: 256 * 1024 });
    const stalled: Socket = connect(port, "127.0.0.1", () => void stalled.write(`GET ${room} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`));
    stalled.on("error", () => {});
    stalled.pause();
    ends.push(() => Promise.resolve(stalled.destroy()));
    const other = await stream(url + room, SSE);
    await vi.waitFor(() => expect(server.stats().httpReaders).toBe(2), patience);
    const large = "x".repeat(100_000);
    for (let count = 0; server.stats().httpReaders === 2; count++) {
      expect(count).toBeLessThan(2_000);
      await publish(server, large);
      await new Promise(setImmediate);
    }
    expect(server.stats()).toMatchObject({ httpReaders: 1, subscriptions: 1 });
    await publish(server, "last");
    await vi.waitFor(() => expect(textsOf(other.read.text).at(-1)).toBe("last"), patience);
  });

  it("HTTP-16 HTTP-5 let a stream go on whose client reads again, with all that it missed meanwhile", async () => {
    const { port, server } = await node({ outboxBytesMax: 256 * 1024 * 1024 });
    const slow: Socket = connect(port, "127.0.0.1", () => void slow.write(`GET ${room} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`));
    ends.push(() => Promise.resolve(slow.destroy()));
    slow.pause();
    await vi.waitFor(() => expect(server.stats().httpReaders).toBe(1), patience);
    for (let count = 0; count < 30; count++) {
      await publish(server, `${count} ${"x".repeat(1_000_000)}`);
      await new Promise(setImmediate);
    }
    await publish(server, "last");
    const seen: string[] = [];
    slow.setEncoding("latin1").on("data", (chunk: string) => seen.push(...[...chunk.matchAll(/"text":"(\d+|last)/g)].map(([, text = ""]) => text)));
    slow.resume();
    await vi.waitFor(() => expect(seen.at(-1)).toBe("last"), patience);
    expect(server.stats().httpReaders).toBe(1);
  });

  it("HTTP-16 refuse a body that is too long, told or not", async () => {
    const { port, url } = await node({ messageBytesMax: 1_000 });
    const long = await fetch(url + room, { method: "POST", headers: { "Content-Type": "application/json" }, body: "x".repeat(1_001) });
    expect([long.status, Object(await long.json()).code]).toEqual([413, "MESSAGE_TOO_LARGE"]);
    const endless = `POST ${room} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${`100\r\n${"x".repeat(256)}\r\n`.repeat(10)}`;
    expect(await raw(port, endless)).toContain("413 Payload Too Large");
    expect((await fetch(url + room)).status).toBe(200);
  });

  it("HTTP-16 refuse what is more than all requests together may hold, and go on", async () => {
    const { url } = await node({ httpBytesMax: 10_000, messageBytesMax: 1_000_000 });
    const post = (length: number) => fetch(url + room, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ type: "x", payload: "x".repeat(length) }) });
    const refused = await post(50_000);
    expect([refused.status, Object(await refused.json()).code]).toEqual([503, "UNAVAILABLE"]);
    await vi.waitFor(async () => expect((await post(5_000)).status).toBe(200), patience);
  });

  it("HTTP-16 wait for no body that does not come, and for no client that takes nothing of its answer", async () => {
    const http = createHttpServer();
    const { port, server } = await node({ httpTimeoutMs: 100 }, {}, { http });
    expect(await raw(port, `POST ${room} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`)).toContain("408 Request Timeout");
    await publish(server, "x".repeat(20_000_000));
    const stalled: Socket = connect(port, "127.0.0.1", () => void stalled.write(`GET ${room}?rewind=1 HTTP/1.1\r\nHost: a\r\n\r\n`));
    stalled.on("error", () => {});
    stalled.pause();
    ends.push(() => Promise.resolve(stalled.destroy()));
    const connections = () => new Promise<number>((resolve, reject) => void http.getConnections((error, count) => (error === null ? resolve(count) : reject(error))));
    await vi.waitFor(async () => expect(await connections()).toBe(1), patience);
    await vi.waitFor(async () => expect(await connections()).toBe(0), patience);
  });

  it("HTTP-16 refuse requests beyond those that may be under way, and take others when these are through", async () => {
    const { url } = await node({ httpRequestsMax: 2 });
    const [first] = [await stream(url + room, SSE), await stream(url + room, SSE)];
    const refused = await fetch(url + room);
    expect([refused.status, Object(await refused.json()).code, refused.headers.get("retry-after")]).toEqual([503, "UNAVAILABLE", "1"]);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    first.leave();
    await vi.waitFor(async () => expect((await fetch(url + room)).status).toBe(200), patience);
  });

  it("HTTP-16 forget a client that goes while it waits, or while its body comes", async () => {
    const { port, url, server } = await node({ httpRequestsMax: 3 });
    const { position } = Object(await (await fetch(url + room)).json());
    const waiting = await new Promise<Socket>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.write(`GET ${room}?since=${position}&wait=25 HTTP/1.1\r\nHost: a\r\n\r\n`, () => resolve(socket)));
    });
    const halfway = await new Promise<Socket>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.write(`POST ${room} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`, () => resolve(socket)));
    });
    await vi.waitFor(() => expect(server.stats().httpReaders).toBe(1), patience);
    waiting.destroy();
    halfway.destroy();
    await vi.waitFor(() => expect(server.stats()).toMatchObject({ httpReaders: 0, subscriptions: 0 }), patience);
    const three = await Promise.all([1, 2, 3].map(() => stream(url + room, SSE)));
    expect(three.map(({ response }) => response.status)).toEqual([200, 200, 200]);
  });

  it("HTTP-1 HTTP-8 answer requests that stand in line, each by itself, a stream last", async () => {
    const { port } = await node();
    const line = [`GET ${room}`, `HEAD ${room}`, `PUT ${room}`, "GET /v1/channels/x/events", `GET ${room}`].map((start) => `${start} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const text = await raw(port, `${line.join("")}GET ${room} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`, "event: start");
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(["200", "200", "405", "400", "200", "200"]);
  });

  it.each([
    ["a position of another kind", `GET ${room}?since=x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, "FRAME_INVALID"],
    ["a position in raw bytes", `GET ${room}?since=%ff%fe-1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, "FRAME_INVALID"],
    ["a name that is none", "GET /v1/channels/%00:1/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "CHANNEL_INVALID"],
    ["a line's end in a name", "GET /v1/channels/room:%0d%0a/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "CHANNEL_INVALID"],
    ["a name of Tutti's own", "GET /v1/channels/$commands/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "CHANNEL_INVALID"],
    ["a path in a name", "GET /v1/channels/..%2f..%2fetc:passwd/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "CHANNEL_INVALID"],
    ["half an escape", "GET /v1/channels/room:%e/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "MESSAGE_MALFORMED"],
    ["a Last-Event-ID in raw bytes", `GET ${room} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nLast-Event-ID: \xff\xfe\r\nConnection: close\r\n\r\n`, "FRAME_INVALID"],
    ["a wait for ever", `GET ${room}?wait=99999999999999 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, "FRAME_INVALID"],
    ["a limit below nothing", `GET ${room}?limit=-5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, "FRAME_INVALID"],
    ["Accept of nonsense", `GET ${room} HTTP/1.1\r\nHost: a\r\nAccept: ;;;,=\r\nConnection: close\r\n\r\n`, "406 Not Acceptable"],
    ["a method of its own", `PROPFIND ${room} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, "405 Method Not Allowed"],
    ["two keys", `POST ${room} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{"type":"x"}`, "FRAME_INVALID"],
    ["a body that is none", `POST ${room} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 3\r\nConnection: close\r\n\r\nxyz`, "MESSAGE_MALFORMED"],
    ["no body", `POST ${room} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n`, "MESSAGE_MALFORMED"],
    ["a body in a GET", `GET ${room} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nx`, "200 OK"],
    ["a body too long by its length", `POST ${room} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\nx`, "413 Payload Too Large"],
    ["an expectation", `POST ${room} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 12\r\n\r\n{"type":"x"}`, "200 OK"],
    ["a cookie of nonsense", `GET ${room} HTTP/1.1\r\nHost: a\r\nCookie: tutti-ticket=x; =; ;;\r\nConnection: close\r\n\r\n`, "TOKEN_INVALID"],
    ["an origin of nobody", `GET ${room} HTTP/1.1\r\nHost: a\r\nOrigin: null\r\nConnection: close\r\n\r\n`, "ORIGIN_FORBIDDEN"],
    ["HTTP/1.0", `GET ${room} HTTP/1.0\r\n\r\n`, '"events":[]'],
  ])("HTTP-3 HTTP-6 answer %s, and live", async (_name, bytes, expected) => {
    const { port, url } = await node();
    expect(await raw(port, bytes)).toContain(expected);
    expect((await fetch(url + room)).status).toBe(200);
  });

  it("HTTP-5 stream to a client of HTTP/1.0, which knows no chunks", async () => {
    const { port, server } = await node();
    const text = raw(port, `GET ${room} HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n`, "hello");
    await vi.waitFor(() => expect(server.stats().httpReaders).toBe(1), patience);
    await publish(server, "hello");
    expect(await text).toMatch(/\r\n\r\nretry: 2000\nid: \S+\nevent: start\ndata: .*\n\nid: \S+\ndata: .*hello/);
  });
});

describe.skipIf(!hasCurl)("a shell (needs curl)", () => {
  it.each([
    ["curl -N", (url: string) => Follower.streaming(url)],
    ["a loop of curl with If-None-Match", (url: string) => Follower.polling(url)],
  ] as const)("HTTP-5 HTTP-6 HTTP-8 follows a channel with %s through a restart of the server, and misses nothing", async (name, start) => {
    const directory = await mkdtemp(join(tmpdir(), "tutti-http-"));
    ends.push(() => rm(directory, { recursive: true, force: true }));
    const first = await node({ broker: await lmdbBroker({ directory }) });
    const follower = await start(first.url + room);
    ends.push(() => follower.stop());
    const seen = () => follower.lines.flatMap((line) => (Array.isArray(line["events"]) ? (line["events"] as readonly object[]) : [line])).flatMap((event) => ("eventId" in event ? [Object(event).payload.text] : []));
    await vi.waitFor(() => expect(follower.lines.length).toBeGreaterThan(0), patience);
    for (let count = 0; count < 20; count++) await publish(first.server, count);
    await vi.waitFor(() => expect(seen().length).toBeGreaterThan(0), patience);
    // What is published now may or may not reach it before the end.
    for (let count = 20; count < 40; count++) await publish(first.server, count);
    await first.stop();

    const second = await node({ broker: await lmdbBroker({ directory }) }, {}, { port: first.port });
    for (let count = 40; count < 60; count++) await publish(second.server, count);
    await vi.waitFor(() => expect(seen()).toEqual(Array.from({ length: 60 }, (_, count) => count)), patience);
    expect(follower.lines.some((line) => "gap" in line)).toBe(false);
    if (name !== "curl -N") await vi.waitFor(() => expect(follower.lines.at(-1)).toEqual({ status: 304 }), patience);
  });
});
