import { TuttiError } from "@tutti/protocol";
import type { ServerOptions } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { HttpGuest, type FakeExchange } from "./support/http-guest.js";
import { rooms } from "./support/rooms.js";
import { retryOf } from "./support/sse-reader.js";
import { World } from "./support/world.js";

const SSE = { accept: "text/event-stream" };
const NDJSON = { accept: "application/x-ndjson" };
const room = "/v1/channels/room:1/events";
const board = "/v1/channels/board:1/events";
const text = (value: string) => ({ text: value });

function setting(options: ServerOptions<typeof rooms> = {}) {
  const world = new World({ contract: rooms, ...options });
  const guest = new HttpGuest(world);
  const handle = world.server.channel("room:{id}", { id: "1" });
  const publish = async (...values: readonly string[]): Promise<void> => {
    for (const value of values) await handle.publish("note:add", text(value));
    await world.settle();
  };
  return { world, guest, handle, publish };
}

type Stage = ReturnType<typeof setting>;

/** The ends that come to readers from the server, and the codes that these are told. */
const endings: readonly (readonly [name: string, code: string, end: (stage: Stage) => void])[] = [
  ["kicked", "KICKED", ({ handle }) => void handle.kick({ user: "ada" }, "enough")],
  ["disconnected", "KICKED", ({ world }) => void world.server.disconnect({ user: "ada" }, "enough")],
  ["in a channel that is closed", "ROOM_NOT_FOUND", ({ handle }) => void handle.close()],
  ["at a node that drains", "SERVER_DRAINING", ({ world }) => void world.server.drain({ withinMs: 0 })],
];

/** The texts of the events that a stream of either kind brought. */
function textsOf(exchange: FakeExchange): readonly string[] {
  const records = exchange.header("content-type") === SSE.accept ? exchange.sse.filter(({ event }) => event === "message").map(({ data }) => Object(JSON.parse(data))) : exchange.lines.filter(({ kind }) => kind === "event");
  return records.map(({ payload }) => String(Object(payload).text));
}

/** The record of a kind that a stream of either kind brought last. */
function last(exchange: FakeExchange, kind: string): Readonly<Record<string, unknown>> | undefined {
  if (exchange.header("content-type") === NDJSON.accept) return exchange.lines.findLast((line) => line["kind"] === kind);
  const found = exchange.sse.findLast(({ event }) => event === kind);
  return found === undefined ? undefined : Object(JSON.parse(found.data));
}

describe.each([SSE, NDJSON])("a stream ($accept)", (headers) => {
  it("HTTP-4 HTTP-5 HTTP-15 begins at once with the position from which its events follow, for no cache and no proxy to hold", async () => {
    const { guest, publish } = setting();
    await publish("before");
    const exchange = await guest.get(room, headers);
    expect([exchange.status, exchange.phase, exchange.header("content-type")]).toEqual([200, "streaming", headers.accept]);
    expect([exchange.header("cache-control"), exchange.header("x-accel-buffering")]).toEqual(["no-store, no-transform", "no"]);
    const start = last(exchange, "start");
    expect(start?.["position"]).toMatch(/-1~/);
    await publish("one", "two");
    expect(textsOf(exchange)).toEqual(["one", "two"]);
    const again = await guest.get(`${room}?since=${String(start?.["position"])}`, headers);
    expect(textsOf(again)).toEqual(["one", "two"]);
  });

  it("HTTP-5 brings what was missed and what comes meanwhile, each once and in order", async () => {
    const { guest, publish, world, handle } = setting();
    const first = await guest.get(room, headers);
    const since = String(last(first, "start")?.["position"]);
    const missed = Array.from({ length: 300 }, (_, index) => `missed ${index}`);
    await publish(...missed);
    const goOn = world.broker.holdAnswerOfNext("read");
    const exchange = guest.begin("GET", `${room}?since=${since}`, { headers });
    await world.settle();
    await publish("meanwhile");
    goOn();
    await world.settle();
    await handle.publish("note:add", text("after"));
    await world.settle();
    expect(textsOf(exchange)).toEqual([...missed, "meanwhile", "after"]);
    expect(textsOf(first)).toEqual([...missed, "meanwhile", "after"]);
  });

  it("HTTP-5 writes what a turn brings once, and encodes it once for all", async () => {
    const { guest, handle, world } = setting();
    const exchanges = await Promise.all([1, 2, 3].map(() => guest.get(room, headers)));
    const before = exchanges.map(({ writes }) => writes);
    await Promise.all(["a", "b", "c"].map((value) => handle.publish("note:add", text(value))));
    await world.settle();
    for (const [index, exchange] of exchanges.entries()) {
      expect(textsOf(exchange)).toEqual(["a", "b", "c"]);
      expect(exchange.writes - before[index]!).toBe(1);
    }
  });

  it("HTTP-5 brings no signals", async () => {
    const { guest, handle, world } = setting();
    const exchange = await guest.get(room, headers);
    const { writes } = exchange;
    await handle.signal("cursor:move", { x: 1 });
    await world.settle();
    expect(exchange.writes).toBe(writes);
  });

  it("HTTP-5 says that it is there after a silence, and not while it brings something", async () => {
    const { guest, world, publish } = setting({ httpHeartbeatMs: 15_000 });
    const exchange = await guest.get(room, headers);
    const length = exchange.text.length;
    await world.advance(14_000);
    expect(exchange.text.length).toBe(length);
    await publish("something");
    const known = exchange.text.length;
    await world.advance(14_000);
    expect(exchange.text.length).toBe(known);
    await world.advance(2_000);
    expect(exchange.text.slice(known)).toBe(headers === SSE ? ":\n\n" : "\n");
    expect(textsOf(exchange)).toEqual(["something"]);
  });

  it("HTTP-6 begins behind the head by so many events, or so much time", async () => {
    const { guest, publish, world } = setting();
    await publish("old");
    await world.advance(60_000);
    await publish("a", "b", "c");
    expect(textsOf(await guest.get(`${room}?rewind=2`, headers))).toEqual(["b", "c"]);
    expect(textsOf(await guest.get(`${room}?rewind=30s`, headers))).toEqual(["a", "b", "c"]);
    expect(await guest.get(`${board}?rewind=2`, headers)).toMatchObject({ status: 422, json: { code: "REWIND_UNSUPPORTED" } });
  });

  it("HTTP-7 tells of a gap before it goes on, where the log does not reach back", async () => {
    const { guest, publish } = setting({ namespaces: { room: { history: { countMax: 3, countMin: 3, ageMsMin: 0 } } } });
    const since = String(last(await guest.get(room, headers), "start")?.["position"]);
    await publish("a", "b", "c", "d", "e");
    const exchange = await guest.get(`${room}?since=${since}`, headers);
    expect(last(exchange, "start")).toMatchObject({ gap: { from: since, to: expect.stringMatching(/-2$/) }, position: expect.stringMatching(/-2~/) });
    expect(textsOf(exchange)).toEqual(["c", "d", "e"]);
  });

  it("HTTP-7 tells of a gap with the state, where the channel has one", async () => {
    const { guest, world } = setting();
    const handle = world.server.channel("board:{id}", { id: "1" });
    await handle.publish("note:add", text("one"));
    const exchange = await guest.get(`${board}?since=other-7`, headers);
    expect(last(exchange, "start")).toMatchObject({ gap: { from: "other-7" }, snapshot: { version: 1, state: ["one"] } });
    expect(last(await guest.get(board, headers), "start")).toMatchObject({ snapshot: { version: 1, state: ["one"] } });
  });

  it("HTTP-7 tells of a gap in the middle, where the log lost what was not read yet", async () => {
    const { guest, world, publish } = setting();
    const exchange = await guest.get(room, headers);
    await publish("one");
    world.broker.inner = new World({ contract: rooms }).broker.inner;
    await world.advance(60_000);
    expect(last(exchange, "gap")).toMatchObject({ gap: { from: expect.stringMatching(/-1$/) } });
  });

  it("HTTP-16 is cut where its client takes nothing, and nobody else is harmed", async () => {
    const { guest, publish, world } = setting({ outboxBytesMax: 20_000 });
    const [stalled, other] = [await guest.get(room, headers), await guest.get(room, headers)];
    stalled.stall();
    for (let count = 0; count < 30; count++) await publish("x".repeat(1_000));
    expect([stalled.ending, other.ending]).toEqual(["cut", undefined]);
    expect(textsOf(other).length).toBe(30);
    expect(world.server.stats()).toMatchObject({ httpReaders: 1, subscriptions: 1 });
  });

  it("HTTP-16 goes on where its client takes what it missed in time", async () => {
    const { guest, publish } = setting({ outboxBytesMax: 1_000_000 });
    const exchange = await guest.get(room, headers);
    exchange.stall();
    await publish("one", "two");
    exchange.drain();
    await publish("three");
    expect(textsOf(exchange)).toEqual(["one", "two", "three"]);
  });

  it("HTTP-16 says nothing of being there to who takes nothing: it would only be more that waits", async () => {
    const { guest, publish, world } = setting();
    const exchange = await guest.get(room, headers);
    exchange.stall();
    await publish("one");
    await world.advance(60_000);
    exchange.drain();
    await world.settle();
    expect(exchange.text.match(headers === SSE ? /^:$/gm : /^$/gm)?.length ?? 0).toBe(headers === SSE ? 0 : 1);
    expect(textsOf(exchange)).toEqual(["one"]);
  });

  it("HTTP-17 keeps no node from taking leave, where it has not begun", async () => {
    const { guest, world } = setting();
    const open = world.broker.holdNext("subscribe");
    const exchange = guest.begin("GET", room, { headers });
    await world.settle();
    let isOver = false;
    void world.server.drain({ withinMs: 0 }).then(() => (isOver = true));
    await world.advance(100);
    expect(isOver).toBe(true);
    open();
    await world.settle();
    expect(exchange.text).toContain("SERVER_DRAINING");
  });

  it("HTTP-16 has no timer of its own, and leaves nothing behind", async () => {
    const { guest, world } = setting();
    await guest.get(room, headers);
    const { timerCount } = world.environment;
    const more = await Promise.all([1, 2, 3].map(() => guest.get(room, headers)));
    expect(world.environment.timerCount).toBe(timerCount);
    expect(world.server.stats()).toMatchObject({ httpReaders: 4, subscriptions: 4 });
    for (const exchange of more) exchange.leave();
    expect(world.server.stats()).toMatchObject({ httpReaders: 1, subscriptions: 1 });
  });

  it("HTTP-16 is one of httpReadersMax, and one of another channel counts too", async () => {
    const { guest, world } = setting({ httpReadersMax: 2 });
    const [first] = [await guest.get(room, headers), await guest.get(board, headers)];
    expect(world.server.stats().httpReaders).toBe(2);
    const refused = await guest.get(room, headers);
    if (headers === NDJSON) expect(refused).toMatchObject({ status: 503, json: { code: "UNAVAILABLE" } });
    else expect(last(refused, "end")).toMatchObject({ code: "UNAVAILABLE" });
    first.leave();
    expect((await guest.get(room, headers)).phase).toBe("streaming");
  });

  it("HTTP-2 HTTP-17 begins for nobody who may not subscribe, and ends for who may not any more", async () => {
    const authorize = ({ user }: { readonly user: { readonly id: string } | undefined }) => user?.id === "ada";
    const { guest, world, publish, handle } = setting({
      authenticate: ({ token }) => (token === undefined ? undefined : { id: token }),
      channels: { "room:{id}": { authorize } },
    });
    expect(await guest.get(room, headers)).toMatchObject({ status: 403, json: { code: "FORBIDDEN" } });
    const exchange = await guest.get(room, { ...headers, authorization: "Bearer ada" });
    const other = await guest.get(room, { ...headers, authorization: "Bearer ada" });
    await publish("one");
    void handle.revoke({ user: "ada" });
    await world.settle();
    for (const each of [exchange, other]) {
      expect([last(each, "end")?.["code"], each.ending]).toEqual(["SUBSCRIPTION_REVOKED", "whole"]);
      expect(textsOf(each)).toEqual(["one"]);
    }
    await publish("two");
    expect(textsOf(exchange)).toEqual(["one"]);
    expect(world.server.stats()).toMatchObject({ httpReaders: 0, subscriptions: 0 });
  });

  it.each(endings)("HTTP-17 ends where its reader is %s", async (_name, code, end) => {
    const stage = setting({ authenticate: ({ token }) => (token === undefined ? undefined : { id: token }) });
    const exchange = await stage.guest.get(room, { ...headers, authorization: "Bearer ada" });
    const other = await stage.guest.get(board, { ...headers, authorization: "Bearer bob" });
    end(stage);
    await stage.world.advance(100);
    expect([last(exchange, "end")?.["code"], exchange.ending]).toEqual([code, "whole"]);
    if (code !== "SERVER_DRAINING") expect(other.phase).toBe("streaming");
  });

  it("HTTP-17 ends when its token runs out", async () => {
    const { guest, world } = setting({ authenticate: () => ({ id: "ada", expiresAt: 1_700_000_000_000 + 10_000 }) });
    const exchange = await guest.get(room, headers);
    await world.advance(8_000);
    expect(exchange.phase).toBe("streaming");
    await world.advance(3_000);
    expect([last(exchange, "end")?.["code"], exchange.ending]).toEqual(["TOKEN_EXPIRED", "whole"]);
  });

  it("HTTP-17 does not begin where its reader is kicked on its way", async () => {
    const { guest, world, handle } = setting({ authenticate: () => ({ id: "ada" }) });
    const open = world.broker.holdNext("subscribe");
    const exchange = guest.begin("GET", room, { headers });
    await world.settle();
    void handle.kick({ user: "ada" }, "enough");
    await world.settle();
    open();
    await world.settle();
    expect(exchange.text).toContain("KICKED");
    expect(exchange.phase).toBe("over");
    expect(world.server.stats()).toMatchObject({ httpReaders: 0, subscriptions: 0 });
  });

  it("HTTP-16 leaves nothing where its client goes before it begins", async () => {
    const { guest, world } = setting();
    const open = world.broker.holdNext("subscribe");
    const exchange = guest.begin("GET", room, { headers });
    await world.settle();
    exchange.leave();
    open();
    await world.settle();
    expect(exchange.text).toBe("");
    expect(world.server.stats()).toMatchObject({ httpReaders: 0, subscriptions: 0 });
  });

  it("HTTP-4 is told of, and not begun, for a HEAD", async () => {
    const { guest, world } = setting();
    const exchange = await guest.ask("HEAD", room, { headers });
    expect([exchange.status, exchange.header("content-type"), exchange.ending]).toEqual([200, headers.accept, "whole"]);
    expect(world.server.stats().httpReaders).toBe(0);
  });
});

describe("an EventSource", () => {
  it("HTTP-5 HTTP-6 comes back by its last id and misses nothing, also where it was cut before the first event", async () => {
    const { guest, publish } = setting();
    const first = await guest.get(room, SSE);
    const [, startId = ""] = /^id: (.*)$/m.exec(first.text) ?? [];
    first.leave();
    await publish("one", "two");
    const second = await guest.get(room, { ...SSE, "last-event-id": startId });
    expect(textsOf(second)).toEqual(["one", "two"]);
    const id = second.sse.at(-1)?.id ?? "";
    second.leave();
    await publish("three");
    expect(textsOf(await guest.get(`${room}?rewind=100`, { ...SSE, "last-event-id": id }))).toEqual(["three"]);
  });

  it("HTTP-5 is told how soon to come back", async () => {
    const { guest } = setting();
    expect(retryOf((await guest.get(room, SSE)).text)).toBe(2_000);
  });

  it("HTTP-17 is told when to come back where a node takes nobody, in a stream: at a 503 it would give up", async () => {
    const { guest, world } = setting({ connectionsMax: 0 });
    const exchange = await guest.get(room, SSE);
    expect([exchange.status, exchange.ending]).toEqual([200, "whole"]);
    expect(last(exchange, "end")).toMatchObject({ code: "UNAVAILABLE" });
    expect(retryOf(exchange.text)).toBeGreaterThanOrEqual(1_000);
    expect(exchange.sse.at(-1)?.id).toBe("");
    const lines = await guest.get(room, NDJSON);
    expect([lines.status, lines.json["code"], Number(lines.header("retry-after"))]).toEqual([503, "UNAVAILABLE", expect.any(Number)]);
    expect(world.server.stats().httpReaders).toBe(0);
  });

  it("HTTP-17 is told in a stream where the broker cannot be read, and with a status where asking again is no use", async () => {
    const { guest, world } = setting({ authenticate: ({ token }) => (token === "bad" ? Promise.reject(new TuttiError("TOKEN_INVALID")) : undefined) });
    world.broker.failNext("subscribe");
    expect(last(await guest.get(room, SSE), "end")).toMatchObject({ code: "UNAVAILABLE" });
    expect((await guest.get(room, { ...SSE, authorization: "Bearer bad" })).status).toBe(401);
    expect((await guest.get("/v1/channels/nobody:1/events", SSE)).status).toBe(404);
    expect((await guest.get("/v1/channels/nonsense/events", SSE)).status).toBe(400);
    expect((await guest.get(`${room}?since=5`, SSE)).status).toBe(400);
  });

  it("HTTP-17 is given a moment of its own to come back, where its node drains", async () => {
    const { guest, world } = setting();
    const exchange = await guest.get(room, SSE);
    void world.server.drain({ withinMs: 1_000 });
    await world.advance(2_000);
    expect(retryOf(exchange.text)).toBe(500);
    expect(exchange.ending).toBe("whole");
  });
});

describe("what can be read", () => {
  it("HTTP-4 is refused with 406 in any other form", async () => {
    const { guest } = setting();
    expect(await guest.get(room, { accept: "text/html" })).toMatchObject({ status: 406, json: { code: "FRAME_INVALID", field: "Accept" } });
  });
});
