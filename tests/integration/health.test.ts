import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { connect } from "node:net";
import { createServer, memoryBroker, silentLog, type AttachOptions, type Server, type ServerOptions } from "@tutti/server";
import express from "express";
import { afterEach, describe, expect, it } from "vitest";
import { handshake } from "./handshake.js";
import { listen, stopListening, urlOf } from "./loopback.js";
import { nextUpstream } from "./next-upstream.js";
import { Stage, connected, reason } from "./stage.js";

const others = "served by somebody else";
const stage = new Stage();
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await stage.end();
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Node {
  readonly server: Server;
  readonly http: HttpServer;
  readonly port: number;
}

async function node(options: ServerOptions = {}, attach: AttachOptions = {}, http = createHttpServer((_request, response) => void response.end(others))): Promise<Node> {
  const server = createServer({ log: silentLog, ...options });
  server.attach(http, attach);
  const port = await listen(http);
  ends.push(async () => {
    await server.close();
    await stopListening(http);
  });
  return { server, http, port };
}

async function get(port: number, path: string, method = "GET") {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: response.status, body: await response.text(), headers: response.headers };
}

/** Sends bytes as they are. @returns all that comes back until the server ends it, or `until` is there */
function raw(port: number, bytes: string, until = "\0"): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => void socket.write(bytes));
    let text = "";
    const done = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes(until)) done();
    });
    socket.on("error", reject).on("end", done);
  });
}

describe("the health paths", () => {
  it("HLT-1 HLT-2 tell whether the node lives, and whether clients should be sent to it", async () => {
    const { server, port } = await node({ connectionsMax: 1 });
    expect(await get(port, "/healthz")).toMatchObject({ status: 200, body: '{"status":"live"}' });
    expect(await get(port, "/readyz?from=probe")).toMatchObject({ status: 200, body: '{"status":"ready"}' });
    await stage.greeted(urlOf(port));
    expect(await get(port, "/readyz")).toMatchObject({ status: 503, body: '{"status":"not-ready","reasons":["full"]}' });
    void server.drain({ noticeMs: 60_000 });
    expect(await get(port, "/readyz")).toMatchObject({ status: 503, body: '{"status":"not-ready","reasons":["draining","full"]}' });
    expect((await get(port, "/healthz")).status).toBe(200);
  });

  it("HLT-5 are never cached, take HEAD, and tell no detail", async () => {
    const health = { status: "unavailable", reason: "connect ECONNREFUSED 10.0.0.7:6379" } as const;
    const { port } = await node({ broker: Object.assign(memoryBroker(), { health: () => health }) });
    for (const method of ["GET", "HEAD"]) {
      const { status, headers, body } = await get(port, "/readyz", method);
      expect([status, headers.get("cache-control"), headers.get("content-type")]).toEqual([503, "no-store", "application/json"]);
      expect(headers.get("content-length")).toBe("55");
      expect(body).toBe(method === "GET" ? '{"status":"not-ready","reasons":["broker-unavailable"]}' : "");
    }
  });

  it.each(["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])("HLT-5 refuse %s with 405", async (method) => {
    const { port } = await node();
    for (const path of ["/healthz", "/readyz"]) {
      const { status, headers } = await get(port, path, method);
      expect([status, headers.get("allow"), headers.get("cache-control")]).toEqual([405, "GET, HEAD", "no-store"]);
    }
  });

  it("HLT-5 may be others, or none", async () => {
    const renamed = await node({}, { health: { live: "/up", ready: "/in" } });
    expect((await get(renamed.port, "/up")).body).toBe('{"status":"live"}');
    expect((await get(renamed.port, "/in")).body).toBe('{"status":"ready"}');
    expect((await get(renamed.port, "/healthz")).body).toBe(others);
    const without = await node({}, { health: false });
    for (const path of ["/healthz", "/readyz"]) expect((await get(without.port, path)).body).toBe(others);
  });

  it("HLT-5 stand before the routes of Express, which answers everything else", async () => {
    const app = express();
    app.get("/hello", (_request, response) => void response.send(others));
    const { port } = await node({}, {}, createHttpServer(app));
    expect((await get(port, "/readyz")).status).toBe(200);
    expect((await get(port, "/hello")).body).toBe(others);
    expect((await get(port, "/nowhere")).status).toBe(404);
  });

  it("HLT-5 SRV-4 are of the server that was attached last, and go with it", async () => {
    const first = await node();
    const second = createServer({ log: silentLog, connectionsMax: 0 });
    const [listener] = first.http.rawListeners("request");
    second.attach(first.http, { path: "/second" });
    expect((await get(first.port, "/readyz")).status).toBe(503);
    await second.close();
    expect(first.http.rawListeners("request")).toEqual([listener]);
    expect((await get(first.port, "/readyz")).status).toBe(200);
  });

  it("HLT-5 SRV-4 leave what was there as it was, also where servers are closed in another order", async () => {
    const { server, http, port } = await node();
    const second = createServer({ log: silentLog });
    second.attach(http, { path: "/second", health: { live: "/live", ready: "/ready" } });
    await server.close();
    expect((await get(port, "/healthz")).body).toBe(others);
    expect((await get(port, "/ready")).status).toBe(200);
    await second.close();
    expect((await get(port, "/ready")).body).toBe(others);
    expect((await get(port, "/readyz")).body).toBe(others);
  });

  it("HLT-5 answer what nobody else can answer with 404", async () => {
    const { http, port } = await node({}, {}, createHttpServer());
    expect((await get(port, "/hello")).status).toBe(404);
    http.on("request", (_request, response) => void response.end(others));
    expect(await get(port, "/hello")).toMatchObject({ status: 200, body: others });
  });

  it.each([
    ["another case", "GET /HEALTHZ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", others],
    ["an encoded letter", "GET /%68ealthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", others],
    ["a slash before", "GET //healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", others],
    ["a slash behind", "GET /healthz/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", others],
    ["a way around", "GET /x/../healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", others],
    ["a prototype's key", "GET __proto__ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400 Bad Request"],
    ["a method of its own", "BREW /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"],
    ["a method's name in small letters", "get /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"],
    ["a body that does not come", "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nx", "405 Method Not Allowed"],
    ["a body without an end", "GET /readyz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "200 OK"],
    ["an expectation", "POST /readyz HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "405 Method Not Allowed"],
    ["HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", '{"status":"live"}'],
    ["no host", "GET /healthz HTTP/1.1\r\n\r\n", "400 Bad Request"],
    ["a header that is split", "GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n", "400 Bad Request"],
    ["endless headers", `GET /healthz HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, "431 Request Header Fields Too Large"],
    ["two lengths", "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400 Bad Request"],
  ])("HLT-5 end a request with %s, and live", async (_, bytes, expected) => {
    const { port } = await node();
    expect(await raw(port, bytes)).toContain(expected);
    expect((await get(port, "/healthz")).status).toBe(200);
  });

  it("HLT-5 answer requests that stand in line, each by itself", async () => {
    const { port } = await node();
    const line = ["GET /healthz", "HEAD /readyz", "GET /hello", "GET /readyz"].map((start) => `${start} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const text = await raw(port, line.join(""), '{"status":"ready"}');
    expect(text.match(/HTTP\/1\.1 200 OK/g)?.length).toBe(4);
    expect([text.indexOf('{"status":"live"}'), text.indexOf(others), text.indexOf('{"status":"ready"}')].every((at, index, all) => at > (all[index - 1] ?? 0))).toBe(true);
  });
});

describe("a handshake", () => {
  it("ADM-3 DRN-1 is refused with 503 and a time to come back while the node drains or is full", async () => {
    const full = await node({ connectionsMax: 0 });
    const draining = await node();
    void draining.server.drain({ noticeMs: 60_000 });
    for (const [port, code] of [[full.port, "UNAVAILABLE"], [draining.port, "SERVER_DRAINING"]] as const) {
      const retries = new Set<number>();
      for (let count = 0; count < 40; count++) {
        const { status, body, headers } = await handshake(port);
        expect([status, body]).toEqual([503, code]);
        retries.add(Number(headers["retry-after"]));
      }
      for (const retry of retries) expect([1, 2, 3, 4, 5]).toContain(retry);
      // Forty that drew the same would be no jitter.
      expect(retries.size).toBeGreaterThan(1);
    }
  });

  it("ADM-3 is looked at before load: a foreign origin is told so", async () => {
    const { port } = await node({ connectionsMax: 0 });
    expect((await handshake(port, { origin: "https://evil.test" })).status).toBe(403);
  });
});

describe("a deploy", () => {
  it("SRV-1 DRN-1 hands clients on to the next node, by the 503 that a load balancer reads", async () => {
    const [old, next] = [await stage.serve(), await stage.serve()];
    const proxy = await nextUpstream([old.port, next.port]);
    ends.push(() => proxy.stop());
    const clients = Array.from({ length: 20 }, () => stage.guests.client(urlOf(proxy.port)));
    await Promise.all(clients.map(connected));
    expect([old.server.stats().sessions, next.server.stats().sessions]).toEqual([20, 0]);
    const reasons = Promise.all(clients.map(reason));
    await old.server.drain({ withinMs: 200 });
    expect(new Set(await reasons)).toEqual(new Set(["SERVER_DRAINING"]));
    await Promise.all(clients.map(connected));
    expect([old.server.stats().connections, next.server.stats().sessions]).toEqual([0, 20]);
    expect(proxy.answers.slice(20).filter(([, status]) => status === 503)).toEqual(Array.from({ length: 20 }, () => [0, 503]));
  });
});
