import { TuttiError } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import type { Authenticate, Handshake, User } from "@tutti/server";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const secret = "the-secret-of-a-session";

/** The token is the user's name, and after a `|` when it runs out. */
const byToken: Authenticate<User> = ({ token }) => {
  if (token === undefined) throw new TuttiError("AUTHENTICATION_REQUIRED");
  const [id = "", expiresAt] = token.split("|");
  if (id === "nobody") throw new TuttiError("TOKEN_INVALID");
  if (id === "outdated") throw new TuttiError("TOKEN_EXPIRED");
  if (id === "crash") throw new Error("the database is down");
  return { id, ...(expiresAt !== undefined && { expiresAt: Number(expiresAt) }) };
};

describe("hello", () => {
  it("HEL-1 welcomes with the session's public id, the heartbeat and the limits", async () => {
    const { server, environment, connect } = bare();
    const welcome = await connect().hello({ secret, client: { name: "test", version: "1" } });
    expect(welcome).toMatchObject({
      version: 1,
      heartbeat: { intervalMs: 25_000, timeoutMs: 5_000 },
      limits: { messageBytesMax: 65_536 },
      timestamp: environment.now(),
    });
    expect(server.stats().sessions).toBe(1);
  });

  it.each([
    ["a request", '{"op":"subscribe","correlationId":"1","channel":"room:1"}'],
    ["a ping", '{"op":"ping"}'],
    ["a frame that is none", '{"op":"dance"}'],
    ["a request with a wrong field", '{"op":"subscribe","correlationId":"1"}'],
    ["no object", "[17]"],
  ])("HEL-1 closes where the first frame is %s", async (_, message) => {
    const { connect, settle, server } = bare();
    const peer = connect();
    peer.raw(message);
    await settle();
    expect(peer.closeCode).toBe(4202);
    expect(server.stats().connections).toBe(0);
    expect(JSON.stringify(peer.frames)).toContain("HELLO_REQUIRED");
  });

  it("HEL-1 closes where a request comes while the hello is still looked at", async () => {
    const { connect, settle } = bare({ authenticate: () => new Promise(() => {}) });
    const peer = connect();
    peer.send({ op: "hello", versions: [1], session: secret }, { op: "ping" });
    await settle();
    expect(peer.closeCode).toBe(4202);
  });

  it("HEL-1 names the field of a hello that cannot be read, and takes a better one", async () => {
    const { connect, settle } = bare();
    const peer = connect();
    peer.raw('{"op":"hello","versions":[1],"session":"short"}');
    await settle();
    expect(peer.of("error")[0]?.error).toMatchObject({ code: "FRAME_INVALID", field: "session" });
    expect(peer.closeCode).toBeUndefined();
    expect(await peer.hello()).toMatchObject({ version: 1 });
  });

  it("HEL-1 refuses a second hello and goes on", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    peer.send({ op: "hello", versions: [1], session: secret });
    await world.settle();
    expect(peer.errorCodes).toEqual(["FRAME_INVALID"]);
    expect(peer.closeCode).toBeUndefined();
    expect(peer.of("welcome").length).toBe(1);
  });

  it("HEL-1 asks the application once, also where the hello is said again meanwhile", async () => {
    let asked = 0;
    const { connect, settle } = bare({ authenticate: () => new Promise(() => asked++) });
    const peer = connect();
    for (let count = 0; count < 2; count++) peer.send({ op: "hello", versions: [1], session: secret });
    await settle();
    expect(asked).toBe(1);
    expect(peer.errorCodes).toEqual(["FRAME_INVALID"]);
  });

  it("HEL-1 waits no longer for a connection that is gone", async () => {
    const { connect, environment } = bare();
    const before = environment.timerCount;
    connect().drop();
    expect(environment.timerCount).toBe(before);
  });

  it("HEL-1 closes after helloTimeoutMs without a hello, and not before", async () => {
    const { connect, advance, server } = bare();
    const peer = connect();
    await advance(9_999);
    expect(peer.closeCode).toBeUndefined();
    await advance(1);
    expect(peer.errorCodes).toEqual(["HELLO_TIMEOUT"]);
    expect(peer.closeCode).toBe(4203);
    expect(server.stats().connections).toBe(0);
  });

  it("HEL-1 closes after helloTimeoutMs where the application does not come to an answer", async () => {
    const { connect, advance } = bare({ authenticate: () => new Promise(() => {}) });
    const peer = connect();
    await peer.hello({ secret });
    await advance(10_000);
    expect(peer.closeCode).toBe(4203);
  });

  it("HEL-1 keeps a connection whose hello came in time", async () => {
    const world = new World();
    const peer = await world.peer();
    await world.advance(20_000);
    expect(peer.closeCode).toBeUndefined();
  });

  it("HEL-2 picks the version that both know, and closes where there is none", async () => {
    const { connect } = bare();
    expect(await connect().hello({ secret, versions: [7, 1, 0] })).toMatchObject({ version: 1 });
    const newer = connect();
    expect(await newer.hello({ secret, versions: [2, 3] })).toBeUndefined();
    expect(newer.errorCodes).toEqual(["VERSION_UNSUPPORTED"]);
    expect(newer.closeCode).toBe(4204);
  });

  it("HEL-2 names the capabilities that both have", async () => {
    const { connect } = bare();
    expect(await connect().hello({ secret, capabilities: ["calls", "time-travel", "presence"] })).toMatchObject({ capabilities: ["presence", "calls"] });
    expect(await connect().hello({ secret })).toMatchObject({ capabilities: [] });
  });

  it("HEL-3 derives the public id from the secret and the user, and does not tell the secret", async () => {
    const world = new World({ authenticate: ({ token }) => (token === undefined ? undefined : { id: token }) });
    const idOf = async (hello: { secret: string; token?: string }): Promise<string> => world.sessionOf(await world.peer(hello));
    const anonymous = await idOf({ secret });
    const ada = await idOf({ secret, token: "ada" });
    expect(anonymous).not.toContain(secret);
    expect(new Set([anonymous, ada, await idOf({ secret, token: "bob" }), await idOf({ secret: `${secret}2`, token: "ada" })]).size).toBe(4);
    expect(await idOf({ secret, token: "ada" })).toBe(ada);
    expect(await idOf({ secret: ada, token: "ada" })).not.toBe(ada);
  });
});

describe("authentication", () => {
  it.each([
    [undefined, "AUTHENTICATION_REQUIRED", 4300],
    ["nobody", "TOKEN_INVALID", 4301],
    ["outdated", "TOKEN_EXPIRED", 4302],
    ["crash", "UNAVAILABLE", 1011],
    ["", "TOKEN_INVALID", 4301],
    ["u".repeat(129), "TOKEN_INVALID", 4301],
    ["ada|NaN", "TOKEN_INVALID", 4301],
    ["ada|1", "TOKEN_EXPIRED", 4302],
  ])("HEL-4 refuses the token %s with %s", async (token, code, closeCode) => {
    const { connect, server, log } = bare({ authenticate: byToken });
    const peer = connect();
    expect(await peer.hello({ secret, ...(token !== undefined && { token }) })).toBeUndefined();
    expect(peer.errorCodes).toEqual([code]);
    expect(peer.closeCode).toBe(closeCode);
    expect(server.stats()).toMatchObject({ connections: 0, sessions: 0 });
    expect(log.errors.length).toBe(code === "UNAVAILABLE" ? 1 : 0);
  });

  it("HEL-4 tells nothing of a crash", async () => {
    const { connect } = bare({ authenticate: byToken });
    const peer = connect();
    await peer.hello({ secret, token: "crash" });
    expect(JSON.stringify(peer.frames)).not.toContain("database");
  });

  it("HEL-4 closes with a code of the application's own", async () => {
    const { connect } = bare({
      authenticate: () => {
        throw new TuttiError("ACCOUNT_FROZEN", { message: "call us" });
      },
    });
    const peer = connect();
    await peer.hello({ secret });
    expect(peer.of("error")[0]?.error).toMatchObject({ code: "ACCOUNT_FROZEN", message: "call us" });
    expect(peer.transport.closing).toEqual({ closeCode: 1011, reason: "ACCOUNT_FROZEN" });
  });

  it("HEL-4 lets in whom the application names, with all that it says of them", async () => {
    const world = new World({
      contract: rooms,
      authenticate: ({ token, handshake }) => ({ id: `${token}@${handshake.remoteAddress}`, role: "editor" }),
      calls: { "room:list": ({ user }) => [JSON.stringify(user)] },
    });
    const peer = await world.peer({ token: "ada" });
    expect(peer.of("welcome")[0]).toMatchObject({ user: "ada@192.0.2.1" });
    const { data } = await peer.ask({ op: "call", type: "room:list", payload: {}, timestamp: 0 });
    expect(data).toEqual([JSON.stringify({ id: "ada@192.0.2.1", role: "editor" })]);
  });

  it("HEL-4 does nothing for a client that went away while the application looked", async () => {
    let admit = (_user: User): void => {};
    const { connect, settle, server, log } = bare({ authenticate: () => new Promise<User>((resolve) => (admit = resolve)) });
    const peer = connect();
    await peer.hello({ secret });
    peer.drop();
    admit({ id: "ada" });
    await settle();
    expect(server.stats()).toMatchObject({ connections: 0, sessions: 0 });
    expect(peer.frames).toEqual([]);
    expect(log.errors).toEqual([]);
  });

  it("HEL-5 ends the first connection of a session when a second one says hello", async () => {
    const world = new World();
    const first = await world.peer({ secret });
    const second = await world.peer({ secret });
    expect(first.errorCodes).toEqual(["SESSION_REPLACED"]);
    expect(first.closeCode).toBe(4103);
    expect(second.closeCode).toBeUndefined();
    expect(world.server.stats()).toMatchObject({ connections: 1, sessions: 1 });
    first.drop();
    expect(world.server.connections().map(({ connection }) => connection)).toEqual([second.of("welcome")[0]?.connection]);
  });

  it("HEL-5 does not end a connection for one that was opened before it, and whose hello came late", async () => {
    const waiting: ((user: User) => void)[] = [];
    const world = new World({ authenticate: () => new Promise<User>((resolve) => waiting.push(resolve)) });
    const [first, second] = [world.connect(), world.connect()];
    await first.hello({ secret });
    await second.hello({ secret });
    waiting[1]?.({ id: "ada" });
    await world.settle();
    waiting[0]?.({ id: "ada" });
    await world.settle();
    expect(first.closeCode).toBe(4103);
    expect(first.of("welcome")).toEqual([]);
    expect(second.closeCode).toBeUndefined();
    expect(world.server.connections().map(({ connection }) => connection)).toEqual([second.of("welcome")[0]?.connection]);
  });

  it("SES-3 ends nobody for good by a hello that came with what opened its connection: the first may be the one that the client has", async () => {
    const world = new World();
    const first = await world.peer({ secret });
    const second = world.connect();
    second.transport.carriesHello = true;
    await second.hello({ secret });
    expect([first.closeCode, first.errorCodes]).toEqual([4104, []]);
    expect(second.closeCode).toBeUndefined();
    expect((await world.peer({ secret })).closeCode).toBeUndefined();
    expect(second.closeCode).toBe(4103);
  });

  it("SES-3 lets a connection come back that was opened before one whose hello came with what opened it", async () => {
    const waiting: ((user: User) => void)[] = [];
    const world = new World({ authenticate: () => new Promise<User>((resolve) => waiting.push(resolve)) });
    const [first, second] = [world.connect(), world.connect()];
    second.transport.carriesHello = true;
    await first.hello({ secret });
    await second.hello({ secret });
    waiting[1]?.({ id: "ada" });
    await world.settle();
    waiting[0]?.({ id: "ada" });
    await world.settle();
    expect(first.closeCode).toBe(4104);
    expect(second.closeCode).toBeUndefined();
  });

  it("HEL-5 leaves another session of the same user alone", async () => {
    const world = new World({ authenticate: () => ({ id: "ada" }) });
    const first = await world.peer();
    await world.peer();
    expect(first.closeCode).toBeUndefined();
    expect(world.server.stats().sessions).toBe(2);
  });
});

describe("refresh", () => {
  const start = 1_700_000_000_000;
  const untilIn = (ms: number): string => `ada|${start + ms}`;
  const refreshing = (token: string) => ({ op: "refresh", token }) as const;

  it("HEL-6 asks the application without the request that opened the connection", async () => {
    const asked: Handshake[] = [];
    const world = new World({
      authenticate: ({ handshake }) => {
        asked.push(handshake);
        return { id: "ada" };
      },
    });
    const peer = await world.peer({ token: "first" });
    await peer.ask(refreshing("second"));
    expect(asked).toEqual([
      { remoteAddress: "192.0.2.1", request: { url: "/v1/connect", headers: { cookie: "theme=dark" } } },
      { remoteAddress: "192.0.2.1" },
    ]);
  });

  it("HEL-6 closes with TOKEN_EXPIRED when the token has run out", async () => {
    const world = new World({ authenticate: byToken });
    const peer = await world.peer({ token: untilIn(30_000) });
    expect(peer.of("welcome")[0]?.tokenExpiresMs).toBe(30_000);
    await world.advance(29_000);
    expect(peer.closeCode).toBeUndefined();
    await world.advance(2_000);
    expect(peer.errorCodes).toEqual(["TOKEN_EXPIRED"]);
    expect(peer.closeCode).toBe(4302);
  });

  it("HEL-6 goes by monotonic time, whatever the wall clock does", async () => {
    const world = new World({ authenticate: byToken });
    const peer = await world.peer({ token: untilIn(30_000) });
    world.environment.jumpWall(24 * 3_600_000);
    await world.advance(20_000);
    expect(peer.closeCode).toBeUndefined();
  });

  it("HEL-6 replaces the token of a running connection", async () => {
    const world = new World({ authenticate: byToken });
    const peer = await world.peer({ token: untilIn(30_000) });
    await world.advance(10_000);
    expect(await peer.ask(refreshing(untilIn(90_000)))).toMatchObject({ success: true, data: { tokenExpiresMs: 80_000 } });
    peer.send({ op: "ping" });
    await world.advance(30_000);
    expect(peer.closeCode).toBeUndefined();
  });

  it("HEL-6 forgets when the old token runs out where the new one never does", async () => {
    const world = new World({ authenticate: byToken });
    const peer = await world.peer({ token: untilIn(30_000) });
    expect((await peer.ask(refreshing("ada"))).data).toEqual({});
    await world.advance(33_000);
    expect(peer.closeCode).toBeUndefined();
  });

  it("HEL-6 shows the handlers what the new token says of the user", async () => {
    const world = new World({
      contract: rooms,
      authenticate: ({ token = "" }) => ({ id: "ada", role: token }),
      calls: { "room:list": ({ user }) => [JSON.stringify(user)] },
    });
    const peer = await world.peer({ token: "reader" });
    await peer.ask(refreshing("editor"));
    expect((await peer.ask({ op: "call", type: "room:list", payload: {}, timestamp: 0 })).data).toEqual([JSON.stringify({ id: "ada", role: "editor" })]);
  });

  it.each([
    ["bob", "USER_CHANGED", 4303],
    ["nobody", "TOKEN_INVALID", 4301],
    ["outdated", "TOKEN_EXPIRED", 4302],
  ])("HEL-6 closes at a token of %s with %s", async (token, code, closeCode) => {
    const world = new World({ authenticate: byToken });
    const peer = await world.peer({ token: "ada" });
    peer.request(refreshing(token));
    await world.settle();
    expect(peer.errorCodes).toEqual([code]);
    expect(peer.closeCode).toBe(closeCode);
  });

  it("HEL-6 keeps the connection where the application cannot say now", async () => {
    const world = new World({ authenticate: byToken });
    const peer = await world.peer({ token: "ada" });
    expect(await peer.codeOf(refreshing("crash"))).toBe("UNAVAILABLE");
    expect(peer.closeCode).toBeUndefined();
  });

  it("LIM-2 counts a refresh among the requests that wait", async () => {
    let isAsked = false;
    const world = new World({ requestsMax: 2, authenticate: () => (isAsked ? new Promise<User>(() => {}) : { id: "ada" }) });
    const peer = await world.peer();
    isAsked = true;
    peer.request(refreshing("1"));
    peer.request(refreshing("2"));
    expect(await peer.codeOf(refreshing("3"))).toBe("LIMIT_EXCEEDED");
  });
});

function bare(options: { readonly authenticate?: Authenticate<User> } = {}) {
  const world = new World(options);
  return {
    server: world.server,
    log: world.log,
    environment: world.environment,
    connect: () => world.connect(),
    settle: () => world.settle(),
    advance: (ms: number) => world.advance(ms),
  };
}
