import { TuttiError } from "@tutti/protocol";
import type { AuthenticateRequest, ServerOptions } from "@tutti/server";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tickets } from "../src/http/tickets.js";
import { HttpGuest, type FakeExchange } from "./support/http-guest.js";
import { ManualEnvironment } from "./support/manual-environment.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "/v1/channels/room:1/events";
const tickets = "/v1/tickets";
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** A token is the name of its user; "none" is nobody's, and "old" has run out. */
async function authenticate({ token }: AuthenticateRequest) {
  if (token === undefined) throw new TuttiError("AUTHENTICATION_REQUIRED");
  if (token === "none") throw new TuttiError("TOKEN_INVALID");
  if (token === "old") throw new TuttiError("TOKEN_EXPIRED");
  return { id: token };
}

function setting(options: ServerOptions<typeof rooms> = {}, http = {}) {
  const world = new World({ contract: rooms, authenticate, ...options });
  return { world, guest: new HttpGuest(world, http) };
}

describe("a request", () => {
  it("HTTP-2 shows its token in Authorization, and is refused without a good one", async () => {
    const { guest, world } = setting();
    for (const url of [room, "/v1/channels/board:1/state", "/v1/channels/room:1/presence"]) {
      const good = await guest.get(url, bearer("ada"));
      await world.advance(500);
      expect(good.status).toBe(200);
      for (const [headers, code] of [[{}, "AUTHENTICATION_REQUIRED"], [{ authorization: "Basic YTpi" }, "AUTHENTICATION_REQUIRED"], [bearer("none"), "TOKEN_INVALID"], [bearer("old"), "TOKEN_EXPIRED"], [bearer("x".repeat(8_193)), "TOKEN_INVALID"]] as const) {
        const refused = await guest.get(url, headers);
        expect([refused.status, refused.json["code"], refused.header("www-authenticate")]).toEqual([401, code, "Bearer"]);
      }
    }
    expect(await guest.post(room, { type: "note:add", payload: { text: "x" } })).toMatchObject({ status: 401 });
  });

  it("HTTP-2 is asked about with all that a handshake has, and nothing is read before", async () => {
    const asked: AuthenticateRequest[] = [];
    const { guest, world } = setting({
      authenticate: (request) => {
        asked.push(request);
        throw new TuttiError("TOKEN_INVALID");
      },
    });
    await guest.get(`${room}?rewind=5`, { ...bearer("ada"), "x-tenant": "acme" });
    expect(asked).toMatchObject([{ token: "ada", handshake: { remoteAddress: "192.0.2.1", request: { url: `${room}?rewind=5`, headers: { "x-tenant": "acme" } } } }]);
    expect(world.broker.countOf("read") + world.broker.countOf("locate")).toBe(0);
    expect(world.server.stats().channels).toBe(0);
  });

  it("HTTP-2 is UNAVAILABLE where the application failed, which says nothing about the token", async () => {
    const { guest } = setting({ authenticate: () => Promise.reject(new Error("no database")) });
    expect(await guest.get(room, bearer("ada"))).toMatchObject({ status: 503, json: { code: "UNAVAILABLE" } });
  });

  it("HTTP-2 waits for its turn to be authenticated, and not for ever", async () => {
    const { guest, world } = setting({ authenticate: () => new Promise(() => {}), hellosAtOnceMax: 1, hellosWaitingMax: 1, helloTimeoutMs: 10_000 });
    const [begun, waits, noPlace] = [await guest.get(room), await guest.get(room), await guest.get(room)];
    expect(noPlace).toMatchObject({ status: 503, json: { code: "UNAVAILABLE" } });
    expect([begun.phase, waits.phase]).toEqual(["unanswered", "unanswered"]);
    await world.advance(11_000);
    expect([begun.json["code"], waits.json["code"]]).toEqual(["TIMEOUT", "TIMEOUT"]);
  });

  it("HTTP-2 HTTP-17 is refused while the node drains, with a time to come back", async () => {
    const { guest, world } = setting();
    void world.server.drain({ noticeMs: 60_000 });
    const refused = await guest.get(room, bearer("ada"));
    expect([refused.status, refused.json["code"]]).toEqual([503, "SERVER_DRAINING"]);
    expect(Number(refused.header("retry-after"))).toBeGreaterThanOrEqual(1);
  });
});

describe("a ticket", () => {
  /** What the browser keeps of a Set-Cookie. */
  const cookieOf = (exchange: FakeExchange): string => (exchange.header("set-cookie") ?? "").split(";")[0] ?? "";
  const sameSite = { "sec-fetch-site": "same-origin" };

  it("HTTP-13 is a cookie for the channels alone, which no script reads and no other site sends", async () => {
    const { guest } = setting();
    const exchange = await guest.ask("POST", tickets, { headers: bearer("ada") });
    expect([exchange.status, exchange.json, exchange.header("cache-control")]).toEqual([200, { expiresMs: 3_600_000 }, "no-store"]);
    expect(exchange.header("set-cookie")).toMatch(/^tutti-ticket=[\w.-]+; Path=\/v1\/channels; Max-Age=3600; HttpOnly; SameSite=Strict; Secure$/);
    const plain = await guest.ask("POST", tickets, { headers: { ...bearer("ada"), origin: "http://node.test" } });
    expect(plain.header("set-cookie")).toMatch(/SameSite=Strict$/);
  });

  it("HTTP-13 authenticates a page's own EventSource, also when it comes back, and the token in it is asked about each time", async () => {
    let isWithdrawn = false;
    const { guest } = setting({
      authenticate: async (request) => {
        if (isWithdrawn) throw new TuttiError("TOKEN_INVALID");
        return authenticate(request);
      },
    });
    const cookie = cookieOf(await guest.ask("POST", tickets, { headers: bearer("ada") }));
    const headers = { cookie: `theme=dark; ${cookie}; other=1`, accept: "text/event-stream", ...sameSite };
    for (let round = 0; round < 2; round++) expect((await guest.get(room, headers)).phase).toBe("streaming");
    isWithdrawn = true;
    expect((await guest.get(room, headers)).status).toBe(401);
  });

  it("HTTP-13 is good for ticketMs, and never longer than its token", async () => {
    const { guest, world } = setting({ ticketMs: 60_000 });
    const cookie = cookieOf(await guest.ask("POST", tickets, { headers: bearer("ada") }));
    await world.advance(59_000);
    expect((await guest.get(room, { cookie, ...sameSite })).status).toBe(200);
    await world.advance(2_000);
    expect(await guest.get(room, { cookie, ...sameSite })).toMatchObject({ status: 401, json: { code: "TOKEN_EXPIRED" } });
    const short = setting({ authenticate: () => ({ id: "ada", expiresAt: 1_700_000_000_000 + 30_000 }) });
    const exchange = await short.guest.ask("POST", tickets, { headers: bearer("ada") });
    expect(exchange.json).toEqual({ expiresMs: 30_000 });
    expect(exchange.header("set-cookie")).toContain("Max-Age=30;");
  });

  it("HTTP-13 is no other's: one that was changed, or signed by nobody here, is refused", async () => {
    const { guest } = setting();
    const [name = "", value = ""] = cookieOf(await guest.ask("POST", tickets, { headers: bearer("ada") })).split("=");
    const [said = "", signature = ""] = value.split(".");
    const forged = Buffer.from(Buffer.from(said, "base64url").toString().replace("ada", "bob")).toString("base64url");
    const foreign = cookieOf(await setting({ sessionKeys: ["f".repeat(32)] }).guest.ask("POST", tickets, { headers: bearer("ada") })).slice(name.length + 1);
    for (const bad of [`${forged}.${signature}`, `${said}.`, said, `${value}.x`, `${said}.${signature.slice(0, -1)}`, foreign, "x.y", `${"x".repeat(5_000)}.${signature}`]) {
      expect(await guest.get(room, { cookie: `${name}=${bad}`, ...sameSite })).toMatchObject({ status: 401, json: { code: "TOKEN_INVALID" } });
    }
  });

  it("HTTP-13 is good at every node of the same sessionKeys", async () => {
    const sessionKeys = ["k".repeat(32)];
    const cookie = cookieOf(await setting({ sessionKeys }).guest.ask("POST", tickets, { headers: bearer("ada") }));
    const renewed = setting({ sessionKeys: ["n".repeat(32), ...sessionKeys] });
    expect((await renewed.guest.get(room, { cookie, ...sameSite })).status).toBe(200);
  });

  it("HTTP-13 is not given without a token, or with a bad one, and is taken away again", async () => {
    const { guest } = setting();
    expect(await guest.ask("POST", tickets)).toMatchObject({ status: 401, json: { code: "AUTHENTICATION_REQUIRED" } });
    expect((await guest.ask("POST", tickets, { headers: bearer("none") })).header("set-cookie")).toBeUndefined();
    expect(await guest.ask("POST", tickets, { headers: bearer("x".repeat(4_000)) })).toMatchObject({ status: 401, json: { code: "TOKEN_INVALID" } });
    const anonymous = setting({ authenticate: () => undefined });
    expect(await anonymous.guest.ask("POST", tickets)).toMatchObject({ status: 401, json: { code: "AUTHENTICATION_REQUIRED" } });
    const gone = await guest.ask("DELETE", tickets);
    expect([gone.status, gone.header("set-cookie")]).toEqual([204, "tutti-ticket=; Path=/v1/channels; Max-Age=0; HttpOnly; SameSite=Strict; Secure"]);
  });

  it("HTTP-14 counts from a page of the same host or one that is named, and from no other", async () => {
    const page = "https://app.test";
    const { guest, world } = setting({}, { origins: [page] });
    const cookie = cookieOf(await guest.ask("POST", tickets, { headers: { ...bearer("ada"), origin: page } }));
    const status = async (headers: Readonly<Record<string, string>>) => (await guest.get(room, { cookie, ...headers })).status;
    expect(await status({ origin: page, "sec-fetch-site": "cross-site" })).toBe(200);
    expect(await status({ "sec-fetch-site": "same-origin" })).toBe(200);
    expect(await status({ "sec-fetch-site": "none" })).toBe(200);
    expect(await status({})).toBe(200);
    expect(await status({ "sec-fetch-site": "cross-site" })).toBe(401);
    expect(await status({ "sec-fetch-site": "same-site" })).toBe(401);
    expect(await status({ origin: "https://evil.test" })).toBe(403);
    const any = new HttpGuest(world, { origins: "any" });
    expect((await any.get(room, { cookie, origin: "https://evil.test" })).status).toBe(401);
    expect((await any.get(room, { cookie, origin: "https://node.test" })).status).toBe(200);
  });

  it("HTTP-13 brings back the token that it was made of, whatever that is", () => {
    const environment = new ManualEnvironment();
    const issuer = new Tickets({ environment, keys: ["k".repeat(32)], ageMsMax: 1_000 });
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }), (token) => {
        expect(issuer.tokenOf(issuer.issue(token))).toBe(token);
        expect(issuer.issue(token)).toMatch(/^[\w.-]+$/);
      }),
    );
  });
});
