import { once } from "node:events";
import { createServer as createHttpServer, Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { serve as serveHono } from "@hono/node-server";
import { createServer, silentLog, type AttachOptions, type Server } from "@tutti/server";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { handshake } from "./handshake.js";
import { listen, serve, stopListening, urlOf } from "./loopback.js";
import { RawClient } from "./raw-client.js";

const greeting = "served by somebody else";
const ends: (() => Promise<unknown>)[] = [];
let serial = 0;

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

function tutti(): Server {
  const server = createServer({ log: silentLog });
  ends.push(() => server.close());
  return server;
}

function endWithTest<Http extends HttpServer>(http: Http): Http {
  ends.push(() => stopListening(http));
  return http;
}

/** Puts `server` beside the route `/hello` of a framework. @returns the port */
type Framework = (server: Server) => Promise<number>;

const frameworks: readonly (readonly [name: string, start: Framework])[] = [
  [
    "node:http",
    (server) => {
      const http = endWithTest(createHttpServer((request, response) => void response.writeHead(request.url === "/hello" ? 200 : 404).end(greeting)));
      server.attach(http);
      return listen(http);
    },
  ],
  [
    "Express",
    (server) => {
      const app = express();
      app.get("/hello", (_request, response) => void response.send(greeting));
      const http = endWithTest(createHttpServer(app));
      server.attach(http);
      return listen(http);
    },
  ],
  [
    "Fastify",
    async (server) => {
      const app = fastify();
      ends.push(() => app.close());
      app.get("/hello", () => greeting);
      server.attach(app.server);
      await app.listen({ host: "127.0.0.1", port: 0 });
      return (app.server.address() as AddressInfo).port;
    },
  ],
  [
    "Hono on Node",
    async (server) => {
      const app = new Hono();
      app.get("/hello", (context) => context.text(greeting));
      const http = serveHono({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 });
      if (!(http instanceof HttpServer)) throw new TypeError("Hono serves no HTTP/1.1");
      endWithTest(http);
      server.attach(http);
      await once(http, "listening");
      return (http.address() as AddressInfo).port;
    },
  ],
];

/** Says hello, and hears the welcome. */
async function greet(url: string): Promise<RawClient> {
  const client = await RawClient.open(url);
  ends.push(() => client.close());
  client.send({ op: "hello", versions: [1], session: `a-session-of-the-attach-test-${++serial}` });
  expect(await client.next(({ op }) => op === "welcome")).toBeDefined();
  return client;
}

describe("SRV-4: attach", () => {
  it.each(frameworks)("SRV-4: serves WebSockets beside the routes of %s", async (_name, start) => {
    const server = tutti();
    const port = await start(server);
    await greet(urlOf(port));
    const response = await fetch(`http://127.0.0.1:${port}/hello`);
    expect([response.status, await response.text()]).toEqual([200, greeting]);
    expect((await fetch(`http://127.0.0.1:${port}/nowhere`)).status).toBe(404);
    expect(server.connections()).toMatchObject([{ transport: "websocket", remoteAddress: "127.0.0.1" }]);
  });

  it("SRV-4: leaves the paths of another upgrade listener alone, whichever came first", async () => {
    const others = new WebSocketServer({ noServer: true });
    const http = endWithTest(createHttpServer());
    const takeOther = (): unknown =>
      http.on("upgrade", (request, socket, head) => {
        if (request.url === "/other") others.handleUpgrade(request, socket, head, (webSocket) => webSocket.send(JSON.stringify({ op: "other" })));
      });
    const port = await listen(http);

    takeOther();
    const first = createServer({ log: silentLog });
    first.attach(http);
    const other = await RawClient.open(urlOf(port).replace("/v1/connect", "/other"));
    expect(await other.next(({ op }) => op === "other")).toBeDefined();
    await greet(urlOf(port));
    await first.close();

    http.removeAllListeners("upgrade");
    tutti().attach(http);
    takeOther();
    const again = await RawClient.open(urlOf(port).replace("/v1/connect", "/other"));
    expect(await again.next(({ op }) => op === "other")).toBeDefined();
    await greet(urlOf(port));
    for (const webSocket of [other, again]) await webSocket.close();
  });

  it("SRV-4: serves several servers, each at its path", async () => {
    const http = endWithTest(createHttpServer());
    const port = await listen(http);
    const [one, two] = [tutti(), tutti()];
    one.attach(http, { path: "/one" });
    two.attach(http, { path: "/two" });
    await greet(`ws://127.0.0.1:${port}/one`);
    await greet(`ws://127.0.0.1:${port}/two?page=1`);
    expect([one.stats().connections, two.stats().connections]).toEqual([1, 1]);
  });

  it("SRV-4: answers an upgrade that nobody else can take, and none after close", async () => {
    const http = endWithTest(createHttpServer((_request, response) => void response.end(greeting)));
    const server = tutti();
    server.attach(http);
    const port = await listen(http);
    expect(await handshake(port, { path: "/elsewhere" })).toMatchObject({ status: 404, body: "ROOM_NOT_FOUND" });
    await server.close();
    expect(http.listenerCount("upgrade")).toBe(0);
    expect(await (await fetch(`http://127.0.0.1:${port}/hello`)).text()).toBe(greeting);
  });
});

describe("HEL-7: the handshake of a WebSocket", () => {
  /** @returns the port of a server with these options */
  async function attached(options: AttachOptions = {}): Promise<number> {
    const loopback = await serve(createServer({ log: silentLog }), options);
    ends.push(() => loopback.stop());
    return loopback.port;
  }

  it("HEL-7: negotiates the subprotocol, also among others", async () => {
    const port = await attached();
    for (const subprotocols of ["tutti.1.json", "graphql-ws, tutti.1.json", "tutti.9.binary,tutti.1.json"]) {
      const { status, headers } = await handshake(port, { subprotocols });
      expect([status, headers["sec-websocket-protocol"]]).toEqual([101, "tutti.1.json"]);
    }
  });

  it.each(["", "tutti.1", "graphql-ws"])("HEL-7: refuses a client that offers '%s' with VERSION_UNSUPPORTED", async (subprotocols) => {
    expect(await handshake(await attached(), { subprotocols })).toMatchObject({ status: 400, body: "VERSION_UNSUPPORTED" });
  });

  it("HEL-7: refuses a foreign origin with 403, and lets the same host and clients without an origin in", async () => {
    const port = await attached();
    const refused = { status: 403, body: "ORIGIN_FORBIDDEN" };
    for (const origin of ["https://evil.example", `http://127.0.0.1:${port + 1}`, "null", `http://127.0.0.1:${port}.evil.example`]) {
      expect(await handshake(port, { origin })).toMatchObject(refused);
    }
    expect((await handshake(port, { origin: `http://127.0.0.1:${port}` })).status).toBe(101);
    expect((await handshake(port, { origin: "https://app.example", host: "app.example" })).status).toBe(101);
    expect((await handshake(port)).status).toBe(101);
  });

  it("HEL-7: takes the origins of a list alone, compared exactly", async () => {
    const port = await attached({ origins: ["https://app.example"] });
    expect((await handshake(port, { origin: "https://app.example" })).status).toBe(101);
    for (const origin of ["http://app.example", "https://app.example:8443", "https://www.app.example", `http://127.0.0.1:${port}`]) {
      expect(await handshake(port, { origin })).toMatchObject({ status: 403, body: "ORIGIN_FORBIDDEN" });
    }
  });

  it('HEL-7: takes every origin with "any"', async () => {
    const port = await attached({ origins: "any" });
    expect((await handshake(port, { origin: "https://anywhere.example" })).status).toBe(101);
  });
});
