import { TuttiError, errorRegistry } from "@tutti/protocol";
import { silentLog } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { CrossOrigin } from "../src/http/cross-origin.js";
import { negotiate } from "../src/http/negotiation.js";
import { problemAnswer } from "../src/http/problem.js";
import { HttpRouter, type HttpHandler } from "../src/http/router.js";
import { FakeExchange, HttpGuest, requestOf } from "./support/http-guest.js";
import { World } from "./support/world.js";

const ok: HttpHandler = (_request, exchange, params) => exchange.answer({ status: 200, headers: {}, body: JSON.stringify([...params]) });

function routerOf(handler: HttpHandler = ok) {
  const routes = [{ path: "/v1/things/{thing}/parts", handlers: { GET: handler, POST: handler } }];
  const router = new HttpRouter({ routes, crossOrigin: new CrossOrigin(undefined), bodyBytesMax: 10, log: silentLog });
  return (method: string, path: string) => {
    const exchange = new FakeExchange();
    router.serve(requestOf(method, path, {}), exchange);
    return exchange;
  };
}

describe("the router", () => {
  it("HTTP-1 finds a path segment by segment, and hands over what stands in its place, decoded", () => {
    const ask = routerOf();
    expect(ask("GET", "/v1/things/board%3A1/parts").json).toEqual([["thing", "board:1"]]);
    expect(ask("GET", "/v1/things/%7Bthing%7D/parts?x=1").json).toEqual([["thing", "{thing}"]]);
    expect(ask("GET", "/v1/things/日本/parts").json).toEqual([["thing", "日本"]]);
  });

  it.each(["/v1/things//parts", "/v1/things/a", "/v1/things/a/parts/", "/v1/things/a/b/parts", "/V1/things/a/parts", "//v1/things/a/parts", "/", ""])(
    "HTTP-1 leaves %s to others",
    (path) => {
      const service = new World().server.http();
      expect(service.takes(path)).toBe(false);
      expect(service.takes(path.replace("things", "channels"))).toBe(false);
    },
  );

  it("HTTP-1 takes no path by a name that every object has", () => {
    const service = new World().server.http();
    for (const path of ["/__proto__", "/constructor", "/v1/channels/__proto__", "/v1/toString"]) expect(service.takes(path)).toBe(false);
    expect(service.takes("/v1/channels/__proto__/events")).toBe(true);
  });

  it("HTTP-1 refuses a method with 405, and says which there are", () => {
    const refused = routerOf()("PUT", "/v1/things/a/parts");
    expect([refused.status, refused.header("allow"), refused.header("content-type")]).toEqual([405, "GET, POST, OPTIONS", "application/problem+json"]);
    for (const method of ["get", "__proto__", "constructor", "HEAD"]) expect(routerOf()(method, "/v1/things/a/parts").status).toBe(405);
  });

  it("HTTP-1 serves another path, where it is told to", async () => {
    const guest = new HttpGuest(new World(), { path: "/rt" });
    expect((await guest.get("/rt/channels/room:1/events")).status).toBe(200);
    expect(guest.service.takes("/v1/channels/room:1/events")).toBe(false);
  });

  it("HTTP-3 refuses a path that is no text", () => {
    for (const path of ["/v1/things/%ff/parts", "/v1/things/%/parts", "/v1/things/%c3%28/parts"]) {
      expect(routerOf()("GET", path)).toMatchObject({ status: 400, json: { code: "MESSAGE_MALFORMED" } });
    }
  });

  it("HTTP-3 answers what a handler throws, or rejects with, as a problem", async () => {
    const error = new TuttiError("FORBIDDEN", { message: "not you", field: "thing", data: { why: "age" } });
    const thrown = routerOf(() => {
      throw error;
    })("GET", "/v1/things/a/parts");
    const rejected = routerOf(() => Promise.reject(error))("GET", "/v1/things/a/parts");
    await Promise.resolve();
    await new Promise(setImmediate);
    for (const exchange of [thrown, rejected]) {
      expect([exchange.status, exchange.header("content-type"), exchange.header("cache-control")]).toEqual([403, "application/problem+json", "no-store"]);
      expect(exchange.json).toEqual({ type: "urn:tutti:error:FORBIDDEN", title: "Forbidden", status: 403, detail: "not you", code: "FORBIDDEN", field: "thing", data: { why: "age" } });
    }
  });

  it("HTTP-3 tells nothing of what failed inside", async () => {
    const exchange = routerOf(() => Promise.reject(new Error("connect ECONNREFUSED 10.0.0.7")))("GET", "/v1/things/a/parts");
    await new Promise(setImmediate);
    expect(exchange).toMatchObject({ status: 500, json: { code: "INTERNAL" } });
    expect(exchange.text).not.toContain("10.0.0.7");
  });

  it("HTTP-3 cuts a stream that fails in the middle", async () => {
    const exchange = routerOf((_request, begun) => {
      begun.begin({ status: 200, headers: {} });
      throw new Error("too late");
    })("GET", "/v1/things/a/parts");
    await new Promise(setImmediate);
    expect([exchange.status, exchange.ending]).toEqual([200, "cut"]);
  });
});

describe("a problem", () => {
  it("HTTP-3 has a status of its own kind for every code of the registry", () => {
    for (const code of Object.keys(errorRegistry)) {
      const { status, body } = problemAnswer(new TuttiError(code));
      expect(status).toBeGreaterThanOrEqual(400);
      expect(Object(JSON.parse(String(body)))).toMatchObject({ type: `urn:tutti:error:${code}`, code, status });
    }
    const statuses = { AUTHENTICATION_REQUIRED: 401, TOKEN_EXPIRED: 401, FORBIDDEN: 403, ROOM_NOT_FOUND: 404, CHANNEL_INVALID: 400, PAYLOAD_INVALID: 422, RATE_LIMITED: 429, UNAVAILABLE: 503, SERVER_DRAINING: 503, MESSAGE_TOO_LARGE: 413, CONDITION_FAILED: 412, INTERNAL: 500 };
    for (const [code, status] of Object.entries(statuses)) expect(problemAnswer(new TuttiError(code)).status).toBe(status);
    expect(problemAnswer(new TuttiError("OUR_OWN_CODE")).status).toBe(422);
  });

  it("HTTP-3 says when to come back, and how to say who one is", () => {
    expect(problemAnswer(new TuttiError("RATE_LIMITED", { retryAfterMs: 1_200 })).headers).toMatchObject({ "Retry-After": "2" });
    expect(problemAnswer(new TuttiError("TOKEN_INVALID")).headers).toMatchObject({ "WWW-Authenticate": "Bearer" });
    expect(problemAnswer(new TuttiError("FORBIDDEN")).headers).not.toHaveProperty("WWW-Authenticate");
  });
});

describe("Accept", () => {
  const offered = ["application/json", "text/event-stream", "application/x-ndjson"] as const;
  it.each([
    [undefined, "application/json"],
    ["", "application/json"],
    ["*/*", "application/json"],
    ["text/event-stream", "text/event-stream"],
    ["Text/Event-Stream", "text/event-stream"],
    ["text/*", "text/event-stream"],
    ["application/x-ndjson, application/json;q=0.5", "application/x-ndjson"],
    ["*/*;q=0.1, application/x-ndjson", "application/x-ndjson"],
    ["*/*, text/event-stream", "text/event-stream"],
    ["application/json;q=0, */*", "text/event-stream"],
    ["text/event-stream;q=0.9, application/json;q=0.8", "text/event-stream"],
    ["application/json;q=0.2;v=1, application/x-ndjson;charset=utf-8;q=0.3", "application/x-ndjson"],
    ["text/html", undefined],
    ["text/event-stream;q=0", undefined],
    ["nonsense", undefined],
    ["*/*;q=nan", undefined],
    [",;,/,", undefined],
  ])("HTTP-4 %j is %s", (accept, expected) => {
    expect(negotiate(accept === undefined ? {} : { accept }, offered)).toBe(expected);
  });
});

describe("pages of other origins", () => {
  const events = "/v1/channels/room:1/events";
  const page = "https://app.test";

  it("HTTP-14 are refused, whatever they ask for, unless they are of the same host", async () => {
    const guest = new HttpGuest(new World());
    for (const method of ["GET", "POST", "OPTIONS"]) {
      const refused = await guest.ask(method, events, { headers: { origin: "https://evil.test", "access-control-request-method": "POST" } });
      expect([refused.status, refused.json["code"], refused.header("access-control-allow-origin")]).toEqual([403, "ORIGIN_FORBIDDEN", undefined]);
    }
    for (const origin of ["http://node.test", "https://node.test"]) expect((await guest.get(events, { origin })).status).toBe(200);
    for (const origin of ["https://node.test.evil.test", "https://node.test:8443", "null", ""]) expect((await guest.get(events, { origin })).status).toBe(403);
  });

  it("HTTP-14 are let in where they are named, and told so", async () => {
    const guest = new HttpGuest(new World(), { origins: [page] });
    const asked = await guest.get(events, { origin: page });
    expect([asked.status, asked.header("access-control-allow-origin"), asked.header("access-control-allow-credentials")]).toEqual([200, page, "true"]);
    expect(asked.header("access-control-expose-headers")).toContain("ETag");
    expect(asked.header("vary")).toContain("Origin");
    const problem = await guest.get("/v1/channels/nonsense/events", { origin: page });
    expect([problem.status, problem.header("access-control-allow-origin")]).toEqual([400, page]);
    expect((await guest.get(events, { origin: "https://node.test" })).status).toBe(403);
    expect((await guest.get(events)).header("vary")).toContain("Origin");
  });

  it("HTTP-14 ask before, and are told what they may send", async () => {
    const guest = new HttpGuest(new World(), { origins: [page] });
    const preflight = await guest.ask("OPTIONS", events, { headers: { origin: page, "access-control-request-method": "POST", "access-control-request-headers": "idempotency-key" } });
    expect([preflight.status, preflight.text, preflight.header("access-control-allow-methods")]).toEqual([204, "", "GET, HEAD, POST, OPTIONS"]);
    for (const header of ["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID"]) expect(preflight.header("access-control-allow-headers")).toContain(header);
  });

  it("HTTP-14 are all let in where any is, and none of them with what a browser knows of its user", async () => {
    const guest = new HttpGuest(new World(), { origins: "any" });
    const asked = await guest.get(events, { origin: "https://anybody.test" });
    expect([asked.status, asked.header("access-control-allow-origin"), asked.header("access-control-allow-credentials")]).toEqual([200, "*", undefined]);
  });
});
