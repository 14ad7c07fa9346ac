import type { ServerOptions } from "@tutti/server";
import { describe, expect, it, vi } from "vitest";
import { jsonCodec } from "@tutti/protocol";
import { HttpGuest, type FakeExchange } from "./support/http-guest.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "/v1/channels/room:1/events";
const board = "/v1/channels/board:1";
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

const eventsOf = ({ json }: FakeExchange) => json["events"] as readonly Readonly<Record<string, unknown>>[];
const textsOf = (exchange: FakeExchange): readonly string[] => eventsOf(exchange).map(({ payload }) => String(Object(payload).text));
const positionOf = ({ json }: FakeExchange): string => String(json["position"]);
const etagOf = (exchange: FakeExchange): string => exchange.header("etag") ?? "";

describe("a poll", () => {
  it("HTTP-4 HTTP-8 answers the head, and from there on a page of what came", async () => {
    const { guest, publish } = setting();
    await publish("before");
    const first = await guest.get(room);
    expect([first.status, first.header("content-type"), eventsOf(first)]).toEqual([200, "application/json", []]);
    await publish("one", "two");
    const second = await guest.get(`${room}?since=${positionOf(first)}`);
    expect(textsOf(second)).toEqual(["one", "two"]);
    expect(eventsOf(second)[1]).toMatchObject({ position: positionOf(second), type: "note:add", eventId: expect.any(String), timestamp: expect.any(Number) });
    const third = await guest.get(`${room}?since=${positionOf(second)}`);
    expect([positionOf(third), eventsOf(third)]).toEqual([positionOf(second), []]);
  });

  it("HTTP-8 is told 304 where there is nothing new, for which nothing is encoded and nothing is read", async () => {
    const { guest, publish, world } = setting();
    await publish("one");
    const first = await guest.get(`${room}?rewind=10`);
    expect(textsOf(first)).toEqual(["one"]);
    const reads = world.broker.countOf("read");
    const encode = vi.spyOn(jsonCodec, "encode");
    try {
      for (const tag of [etagOf(first), `"a", ${etagOf(first)}`, etagOf(first).slice(2)]) {
        for (const url of [`${room}?rewind=10`, `${room}?since=${positionOf(first)}`]) {
          const again = await guest.get(url, { "if-none-match": tag });
          expect([again.status, again.text, again.header("etag")]).toEqual([304, "", etagOf(first)]);
        }
      }
      expect(encode).not.toHaveBeenCalled();
    } finally {
      encode.mockRestore();
    }
    expect(world.broker.countOf("read")).toBe(reads);
    await publish("two");
    const news = await guest.get(`${room}?since=${positionOf(first)}`, { "if-none-match": etagOf(first) });
    expect([news.status, textsOf(news)]).toEqual([200, ["two"]]);
  });

  it("HTTP-8 is told 304 at a node that follows the channel, of which the broker is not asked either", async () => {
    const { guest, publish, world } = setting();
    await (await world.peer()).subscribe("room:1");
    await publish("one");
    const first = await guest.get(`${room}?rewind=10`);
    const heads = world.broker.countOf("head");
    expect((await guest.get(`${room}?rewind=10`, { "if-none-match": etagOf(first) })).status).toBe(304);
    expect(world.broker.countOf("head")).toBe(heads);
  });

  it("HTTP-8 takes no tag for another's: neither of another place, nor of another event there", async () => {
    const { guest, publish } = setting();
    await publish("one");
    const first = await guest.get(`${room}?rewind=10`);
    for (const tag of ['"x"', "nonsense", "*", 'W/"e-0"', etagOf(first).replace("~", "~other"), ""]) {
      expect((await guest.get(`${room}?rewind=10`, { "if-none-match": tag })).status).toBe(200);
    }
  });

  it("HTTP-8 HTTP-6 brings as many as it is asked for, and names the next page until there is none", async () => {
    const { guest, publish } = setting();
    await publish(...Array.from({ length: 70 }, (_, index) => String(index)));
    const seen: string[] = [];
    let url: string | undefined = `${room}?rewind=70&limit=30`;
    const sizes: number[] = [];
    while (url !== undefined) {
      const page: FakeExchange = await guest.get(url);
      seen.push(...textsOf(page));
      sizes.push(eventsOf(page).length);
      const [, next] = /^<(\?[^>]+)>; rel="next"$/.exec(page.header("link") ?? "") ?? [];
      url = next === undefined ? undefined : new URL(next, `http://node.test${room}`).href.slice("http://node.test".length);
    }
    expect(sizes).toEqual([30, 30, 10]);
    expect(seen).toEqual(Array.from({ length: 70 }, (_, index) => String(index)));
  });

  it("HTTP-8 is about 1 MiB long at most, and has one event at least", async () => {
    const { guest, publish } = setting();
    const large = "x".repeat(400_000);
    await publish(large, large, large, large, "y".repeat(3_000_000), "small");
    const sizes: number[] = [];
    let since = positionOf(await guest.get(`${room}?rewind=6&limit=1`));
    for (sizes.push(1); ; ) {
      const page = await guest.get(`${room}?since=${since}`);
      if (eventsOf(page).length === 0) break;
      sizes.push(eventsOf(page).length);
      since = positionOf(page);
    }
    expect(sizes).toEqual([1, 2, 1, 1, 1]);
  });

  it("HTTP-7 is told of a gap, and of what is there behind it", async () => {
    const { guest, publish } = setting({ namespaces: { room: { history: { countMax: 3, countMin: 3, ageMsMin: 0 } } } });
    const since = positionOf(await guest.get(room));
    await publish("a", "b", "c", "d", "e");
    const exchange = await guest.get(`${room}?since=${since}`);
    expect(exchange.json["gap"]).toEqual({ from: since, to: expect.stringMatching(/-2$/) });
    expect(textsOf(exchange)).toEqual(["c", "d", "e"]);
    const foreign = await guest.get(`${room}?since=other-3`);
    expect(foreign.json["gap"]).toMatchObject({ from: "other-3" });
  });

  it("HTTP-7 is told of a gap where another event stands at its position", async () => {
    const { guest, publish } = setting();
    await publish("one");
    const since = positionOf(await guest.get(room)).replace(/~.*/, "~somebody:1");
    expect((await guest.get(`${room}?since=${since}`)).json).toHaveProperty("gap");
  });

  it("HTTP-7 is given the state with a gap, and at the head, where the channel has one", async () => {
    const { guest, world } = setting();
    await world.server.channel("board:{id}", { id: "1" }).publish("note:add", text("one"));
    expect((await guest.get(`${board}/events`)).json).toMatchObject({ snapshot: { version: 1, state: ["one"] }, events: [] });
    expect((await guest.get(`${board}/events?since=other-3`)).json).toMatchObject({ gap: { from: "other-3" }, snapshot: { state: ["one"] }, events: [] });
  });

  it("HTTP-15 may be kept by a cache that asks each time, and by that of one browser where it depends on who asks", async () => {
    const anonymous = setting();
    expect((await anonymous.guest.get(room)).header("cache-control")).toBe("no-cache");
    const known = setting({ authenticate: ({ token }) => (token === undefined ? undefined : { id: token }) });
    const first = await known.guest.get(room, { authorization: "Bearer ada" });
    expect(first.header("cache-control")).toBe("private, no-cache");
    expect((await known.guest.get(room, { authorization: "Bearer ada", "if-none-match": etagOf(first) })).header("cache-control")).toBe("private, no-cache");
    expect(first.header("vary")).toContain("Accept");
  });

  it("HTTP-8 rejects as the broker does", async () => {
    const { guest, world } = setting();
    world.broker.failNext("read");
    expect(await guest.get(`${room}?since=e-1`)).toMatchObject({ status: 503, json: { code: "UNAVAILABLE" } });
  });
});

describe("a long poll", () => {
  async function waiting(stage: ReturnType<typeof setting>, query = "", headers: Readonly<Record<string, string>> = {}) {
    const since = positionOf(await stage.guest.get(room));
    return { since, exchange: await stage.guest.get(`${room}?since=${since}&wait=25${query}`, headers) };
  }

  it("HTTP-9 is answered when there is something, with all that the turn brought", async () => {
    const stage = setting();
    const { exchange } = await waiting(stage);
    expect(exchange.phase).toBe("unanswered");
    await Promise.all(["one", "two"].map((value) => stage.handle.publish("note:add", text(value))));
    await stage.world.settle();
    expect([exchange.status, textsOf(exchange), exchange.header("cache-control")]).toEqual([200, ["one", "two"], "no-cache"]);
    expect(etagOf(exchange)).toBe(`W/"${positionOf(exchange)}"`);
    expect(positionOf(exchange)).toBe(eventsOf(exchange)[1]?.["position"]);
    expect(stage.world.server.stats()).toMatchObject({ httpReaders: 0, subscriptions: 0 });
  });

  it("HTTP-9 misses nothing that comes between two of them", async () => {
    const stage = setting();
    const { exchange } = await waiting(stage);
    const seen: string[] = [];
    let current = exchange;
    for (let round = 0; round < 20; round++) {
      await stage.publish(`${round} a`);
      seen.push(...textsOf(current));
      const since = positionOf(current);
      if (round % 2 === 0) await stage.publish(`${round} b`, `${round} c`);
      current = await stage.guest.get(`${room}?since=${since}&wait=25`);
      if (round % 2 === 0) {
        seen.push(...textsOf(current));
        current = await stage.guest.get(`${room}?since=${positionOf(current)}&wait=25`);
      }
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, round) => (round % 2 === 0 ? ["a", "b", "c"] : ["a"]).map((letter) => `${round} ${letter}`)).flat());
  });

  it("HTTP-9 is answered at once where there is something already", async () => {
    const stage = setting();
    const since = positionOf(await stage.guest.get(room));
    await stage.publish("one");
    expect(textsOf(await stage.guest.get(`${room}?since=${since}&wait=25`))).toEqual(["one"]);
    expect((await stage.guest.get(`${room}?wait=25`)).status).toBe(200);
  });

  it("HTTP-9 is answered when its time is over: with nothing, or with 304 where it said what it has", async () => {
    const stage = setting();
    const { exchange, since } = await waiting(stage);
    const tagged = await stage.guest.get(`${room}?since=${since}&wait=25`, { "if-none-match": `W/"${since}"` });
    await stage.world.advance(24_000);
    expect([exchange.phase, tagged.phase]).toEqual(["unanswered", "unanswered"]);
    await stage.world.advance(2_000);
    expect([exchange.status, eventsOf(exchange), positionOf(exchange)]).toEqual([200, [], since]);
    expect([tagged.status, tagged.text]).toEqual([304, ""]);
    expect(stage.world.server.stats()).toMatchObject({ httpReaders: 0, subscriptions: 0 });
  });

  it("HTTP-9 waits for another page than it has, where it names no position", async () => {
    const stage = setting();
    await stage.publish("one", "two");
    const first = await stage.guest.get(`${room}?rewind=2&wait=25`);
    expect(textsOf(first)).toEqual(["one", "two"]);
    const second = await stage.guest.get(`${room}?rewind=2&wait=25`, { "if-none-match": etagOf(first) });
    expect(second.phase).toBe("unanswered");
    await stage.publish("three");
    expect(textsOf(second)).toEqual(["two", "three"]);
  });

  it("HTTP-9 brings the page that its URL names, also where its tag is later", async () => {
    const stage = setting();
    const since = positionOf(await stage.guest.get(room));
    await stage.publish("one");
    const first = await stage.guest.get(`${room}?since=${since}`);
    const second = await stage.guest.get(`${room}?since=${since}&wait=25`, { "if-none-match": etagOf(first) });
    expect(second.phase).toBe("unanswered");
    await stage.publish("two");
    expect(textsOf(second)).toEqual(["one", "two"]);
  });

  it("HTTP-9 HTTP-6 brings no more than its limit", async () => {
    const stage = setting();
    const { exchange } = await waiting(stage, "&limit=1");
    await Promise.all(["one", "two"].map((value) => stage.handle.publish("note:add", text(value))));
    await stage.world.settle();
    expect(textsOf(exchange)).toEqual(["one"]);
    expect(exchange.header("link")).toContain('rel="next"');
  });

  it("HTTP-9 shares one encoding with all that wait at the same position", async () => {
    const stage = setting();
    const { since } = await waiting(stage);
    const others = await Promise.all(Array.from({ length: 20 }, () => stage.guest.get(`${room}?since=${since}&wait=25`)));
    const encode = vi.spyOn(jsonCodec, "encode");
    try {
      await stage.publish("one");
      const encodings = encode.mock.calls.length;
      expect(others.map(textsOf)).toEqual(others.map(() => ["one"]));
      // The payload is checked once more where it is published, and nothing depends on how many wait.
      expect(encodings).toBeLessThanOrEqual(4);
    } finally {
      encode.mockRestore();
    }
  });

  it("HTTP-9 is told of a gap that opens while it waits", async () => {
    const stage = setting();
    await stage.publish("one");
    const { exchange } = await waiting(stage);
    stage.world.broker.inner = new World({ contract: rooms }).broker.inner;
    await stage.world.advance(20_000);
    expect(exchange.json).toHaveProperty("gap");
  });

  it("HTTP-9 HTTP-7 is told of a gap that opened before it began to wait", async () => {
    const stage = setting();
    await stage.publish("one");
    const since = positionOf(await stage.guest.get(room));
    const open = stage.world.broker.holdNext("subscribe");
    const exchange = await stage.guest.get(`${room}?since=${since}&wait=25`);
    stage.world.broker.inner = new World({ contract: rooms }).broker.inner;
    open();
    await stage.world.settle();
    expect(exchange.json["gap"]).toMatchObject({ from: since.replace(/~.*/, "") });
    expect(stage.world.server.stats()).toMatchObject({ httpReaders: 0, subscriptions: 0 });
  });

  it("HTTP-16 is bounded, has no timer of its own, and leaves nothing where its client goes", async () => {
    const stage = setting({ httpReadersMax: 3 });
    const { exchange, since } = await waiting(stage);
    const { timerCount } = stage.world.environment;
    const others = await Promise.all([1, 2].map(() => stage.guest.get(`${room}?since=${since}&wait=25`)));
    expect(stage.world.environment.timerCount).toBe(timerCount);
    expect(await stage.guest.get(`${room}?since=${since}&wait=25`)).toMatchObject({ status: 503, json: { code: "UNAVAILABLE" } });
    for (const each of [exchange, ...others]) each.leave();
    expect(stage.world.server.stats()).toMatchObject({ httpReaders: 0, subscriptions: 0 });
    await stage.publish("one");
    expect(exchange.text).toBe("");
  });

  it("HTTP-17 is answered with the problem where its reader is revoked, and as a poll where its node drains", async () => {
    const stage = setting({ authenticate: ({ token }) => (token === undefined ? undefined : { id: token }) });
    const { exchange } = await waiting(stage, "", { authorization: "Bearer ada" });
    const other = (await waiting(stage, "", { authorization: "Bearer bob" })).exchange;
    void stage.handle.revoke({ user: "ada" });
    await stage.world.settle();
    expect(exchange).toMatchObject({ status: 403, json: { code: "SUBSCRIPTION_REVOKED" } });
    expect(other.phase).toBe("unanswered");
    void stage.world.server.drain({ withinMs: 0 });
    await stage.world.advance(100);
    expect([other.status, eventsOf(other)]).toEqual([200, []]);
  });

  it("HTTP-17 is answered with 401 when its token runs out", async () => {
    const stage = setting({ authenticate: () => ({ id: "ada", expiresAt: 1_700_000_000_000 + 10_000 }) });
    const { exchange } = await waiting(stage);
    await stage.world.advance(11_000);
    expect(exchange).toMatchObject({ status: 401, json: { code: "TOKEN_EXPIRED" } });
  });

  it("HTTP-9 waits for nothing in a HEAD", async () => {
    const stage = setting();
    const { since } = await waiting(stage);
    const head = await stage.guest.ask("HEAD", `${room}?since=${since}&wait=25`);
    expect([head.status, head.header("etag")]).toEqual([200, `W/"${since}"`]);
  });
});

describe("the state over HTTP", () => {
  it("HTTP-12 HTTP-15 is answered with its position, and with 304 to who has it", async () => {
    const { guest, world } = setting();
    const handle = world.server.channel("board:{id}", { id: "1" });
    await handle.publish("note:add", text("one"));
    const first = await guest.get(`${board}/state`);
    expect([first.status, first.header("cache-control")]).toEqual([200, "no-cache"]);
    expect(first.json).toEqual({ position: expect.stringMatching(/-1~/), version: 1, state: ["one"] });
    const encode = vi.spyOn(jsonCodec, "encode");
    try {
      const again = await guest.get(`${board}/state`, { "if-none-match": etagOf(first) });
      expect([again.status, again.text, again.header("etag")]).toEqual([304, "", etagOf(first)]);
      expect(encode).not.toHaveBeenCalled();
    } finally {
      encode.mockRestore();
    }
    await handle.publish("note:add", text("two"));
    await world.settle();
    expect((await guest.get(`${board}/state`, { "if-none-match": etagOf(first) })).json).toMatchObject({ state: ["one", "two"] });
    expect(textsOf(await guest.get(`${board}/events?since=${String(first.json["position"])}`))).toEqual(["two"]);
  });

  it("HTTP-12 is there for channels with state alone, and for who may subscribe", async () => {
    const { guest } = setting({ channels: { "board:{id}": { authorize: ({ action }) => action !== "subscribe" } } });
    expect(await guest.get("/v1/channels/room:1/state")).toMatchObject({ status: 404, json: { code: "ROOM_NOT_FOUND" } });
    expect(await guest.get(`${board}/state`)).toMatchObject({ status: 403 });
    expect(await guest.get(`${board}/presence`)).toMatchObject({ status: 403 });
    expect(await guest.get(`${board}/events`)).toMatchObject({ status: 403 });
  });
});

describe("presence over HTTP", () => {
  it("HTTP-12 HTTP-15 answers who is here, for this moment alone", async () => {
    const { guest, world } = setting();
    const first = await guest.get("/v1/channels/room:1/presence");
    expect(first.phase).toBe("unanswered");
    // Other nodes, if there are any, have had their time to tell of their members.
    await world.advance(500);
    expect(first.json).toEqual({ members: [], complete: true });
    await (await world.peer()).subscribe("room:1", { member: { name: "Ada" } });
    const exchange = await guest.get("/v1/channels/room:1/presence");
    expect(exchange.json).toMatchObject({ members: [{ state: { name: "Ada" }, activity: "active" }], complete: true });
    expect(exchange.header("cache-control")).toBe("no-store");
  });
});
