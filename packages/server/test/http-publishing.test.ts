import { TuttiError } from "@tutti/protocol";
import type { ServerOptions } from "@tutti/server";
import { describe, expect, it, vi } from "vitest";
import { HttpGuest, type FakeExchange } from "./support/http-guest.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "/v1/channels/room:1/events";
const note = (text: string) => ({ type: "note:add", payload: { text } });
const key = (value: string) => ({ "idempotency-key": `"${value}"` });

function setting(options: ServerOptions<typeof rooms> = {}) {
  const world = new World({ contract: rooms, authenticate: ({ token }) => (token === undefined ? undefined : { id: token }), ...options });
  return { world, guest: new HttpGuest(world) };
}

async function logged({ guest }: ReturnType<typeof setting>): Promise<readonly string[]> {
  const { json } = await guest.get(`${room}?rewind=1000`, { authorization: "Bearer reader" });
  return (json["events"] as readonly { readonly payload: { readonly text: string } }[]).map(({ payload }) => payload.text);
}

const resultsOf = ({ json }: FakeExchange) => json["results"] as readonly Readonly<Record<string, unknown>>[];

describe("a POST to a channel's events", () => {
  it("HTTP-10 publishes an event, and answers its position", async () => {
    const stage = setting();
    const peer = await stage.world.peer();
    await peer.subscribe("room:1");
    const exchange = await stage.guest.post(room, note("one"), { authorization: "Bearer ada" });
    expect([exchange.status, exchange.header("cache-control"), exchange.header("content-type")]).toEqual([200, "no-store", "application/json"]);
    expect(exchange.json).toEqual({ position: expect.stringMatching(/-1~/), eventId: expect.any(String) });
    await stage.world.settle();
    expect(peer.eventsOf("room:1")).toMatchObject([{ payload: { text: "one" }, user: "ada", eventId: exchange.json["eventId"] }]);
    expect((await stage.guest.get(`${room}?since=${String(exchange.json["position"])}`)).json).toMatchObject({ events: [] });
  });

  it("HTTP-10 publishes many, in order", async () => {
    const stage = setting();
    const texts = Array.from({ length: 256 }, (_, index) => String(index));
    const exchange = await stage.guest.post(room, texts.map(note));
    expect(resultsOf(exchange).length).toBe(256);
    expect(await logged(stage)).toEqual(texts);
    expect(resultsOf(await stage.guest.post(room, [note("alone")])).length).toBe(1);
    expect(await stage.guest.post(room, [...texts, "x"].map(note))).toMatchObject({ status: 429, json: { code: "LIMIT_EXCEEDED" } });
    expect(await stage.guest.post(room, [])).toMatchObject({ status: 400, json: { code: "FRAME_INVALID" } });
  });

  it("HTTP-10 stops at the first that fails, and says which landed", async () => {
    const stage = setting();
    const exchange = await stage.guest.post(room, [note("one"), note("two"), { type: "note:add", payload: {} }, note("four")]);
    expect(exchange).toMatchObject({ status: 422, json: { code: "PAYLOAD_INVALID", field: "payload.text", index: 2 } });
    expect(resultsOf(exchange).length).toBe(2);
    expect(await logged(stage)).toEqual(["one", "two"]);
  });

  it("HTTP-10 HTTP-2 asks the application as a socket does: whether there is a channel, whether one may, and what becomes of it", async () => {
    const asked: unknown[] = [];
    const stage = setting({
      channels: {
        "room:{id}": {
          exists: ({ channel }) => channel !== "room:404",
          authorize: (request) => {
            asked.push([request.action, request.type, request.user?.id, request.channel]);
            return request.user?.id === "ada" || request.action === "subscribe";
          },
          publish: { "note:add": ({ payload }) => ({ text: payload.text.toUpperCase() }) },
        },
      },
    });
    expect(await stage.guest.post(room, note("x"))).toMatchObject({ status: 403, json: { code: "FORBIDDEN" } });
    expect(await stage.guest.post("/v1/channels/room:404/events", note("x"))).toMatchObject({ status: 404, json: { code: "ROOM_NOT_FOUND" } });
    const exchange = await stage.guest.post(room, note("loud"), { authorization: "Bearer ada" });
    expect(exchange.json).toMatchObject({ payload: { text: "LOUD" } });
    expect(asked).toEqual([["publish", "note:add", undefined, "room:1"], ["publish", "note:add", "ada", "room:1"]]);
    expect(await logged(stage)).toEqual(["LOUD"]);
  });

  it.each([
    ["no type", { payload: {} }, 400, "FRAME_INVALID", "type"],
    ["a type of another kind", { type: 1 }, 400, "FRAME_INVALID", "type"],
    ["a type that the contract does not have", { type: "note:burn" }, 422, "TYPE_UNKNOWN", "type"],
    ["a payload that does not fit", { type: "note:add", payload: { text: 1 } }, 422, "PAYLOAD_INVALID", "payload.text"],
    ["no object", "x", 400, "FRAME_INVALID", "frame"],
    ["an array of what is none", [note("one"), 5], 400, "FRAME_INVALID", "1"],
  ])("HTTP-10 refuses a body with %s", async (_name, body, status, code, field) => {
    const stage = setting();
    expect(await stage.guest.post(room, JSON.stringify(body))).toMatchObject({ status, json: { code, field } });
    expect(await logged(stage)).toEqual([]);
  });

  it.each([
    ["nothing", ""],
    ["half of an object", '{"type":'],
    ["text that is not UTF-8", Buffer.from('{"type":"note:add","payload":{"text":"\xff"}}', "latin1")],
    ["a number without an end", '{"type":"note:add","payload":{"text":1e999}}'],
    ["a key __proto__", '{"type":"note:add","__proto__":{"text":"x"},"payload":{"__proto__":{}}}'],
  ])("HTTP-10 refuses %s", async (_name, body) => {
    expect(await setting().guest.post(room, body)).toMatchObject({ status: 400, json: { code: "MESSAGE_MALFORMED" } });
  });

  it("HTTP-10 refuses what nests too deep, and what is not JSON by its name", async () => {
    const { guest } = setting();
    const deep = `{"type":"note:add","payload":${"[".repeat(10_000)}${"]".repeat(10_000)}}`;
    expect(await guest.post(room, deep)).toMatchObject({ status: 400, json: { code: "MESSAGE_TOO_DEEP" } });
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""]) {
      expect(await guest.post(room, note("x"), { "content-type": type })).toMatchObject({ status: 415 });
    }
    expect((await guest.post(room, note("x"), { "content-type": "Application/JSON; charset=utf-8" })).status).toBe(200);
  });

  it("HTTP-10 says that it cannot know whether an event landed, where it has no key", async () => {
    const stage = setting();
    stage.world.broker.loseAnswerOfNext("append");
    expect(await stage.guest.post(room, note("one"))).toMatchObject({ status: 500, json: { code: "OUTCOME_UNKNOWN" } });
    expect(await logged(stage)).toEqual(["one"]);
  });

  it("HTTP-10 carries bytes, and an event as large as a message may be", async () => {
    const world = new World({ messageBytesMax: 2_000_000 });
    const guest = new HttpGuest(world);
    const large = { type: "blob", payload: { text: "é".repeat(500_000), bytes: { $bytes: "AAEC" } } };
    expect((await guest.post(room, large)).status).toBe(200);
    const { json } = await guest.get(`${room}?rewind=1`);
    expect(json["events"]).toMatchObject([large]);
  });
});

describe("an Idempotency-Key", () => {
  it("HTTP-11 makes a repeat harmless: it lands once, is answered with the first one's position, and says so", async () => {
    const publish = vi.fn();
    const stage = setting({ channels: { "room:{id}": { publish: { "note:add": publish } } } });
    const first = await stage.guest.post(room, note("one"), key("k1"));
    const second = await stage.guest.post(room, note("one"), key("k1"));
    expect(second.json).toEqual({ ...first.json, repeat: true });
    expect(publish).toHaveBeenCalledTimes(1);
    expect(await logged(stage)).toEqual(["one"]);
    // Without its quotes it is the same.
    expect((await stage.guest.post(room, note("one"), { "idempotency-key": "k1" })).json).toMatchObject({ repeat: true });
  });

  it("HTTP-11 is one of a channel and a user", async () => {
    const stage = setting();
    for (const [url, user] of [[room, "ada"], [room, "bob"], ["/v1/channels/room:2/events", "ada"]] as const) {
      expect((await stage.guest.post(url, note(user), { ...key("k"), authorization: `Bearer ${user}` })).json).not.toHaveProperty("repeat");
    }
    expect((await stage.guest.post(room, note("nobody"), key("k"))).json).not.toHaveProperty("repeat");
    expect(await logged(stage)).toEqual(["ada", "bob", "nobody"]);
  });

  it("HTTP-11 tells what became of each of many, also where the first try failed in the middle", async () => {
    const stage = setting();
    const events = ["one", "two", "three"].map(note);
    const { broker } = stage.world;
    // The second one lands, and its answer is lost.
    const append = broker.append.bind(broker);
    let count = 0;
    broker.append = async (...request) => {
      const outcome = await append(...request);
      if (++count === 2) throw new TuttiError("UNAVAILABLE");
      return outcome;
    };
    const first = await stage.guest.post(room, events, key("batch"));
    expect(first).toMatchObject({ status: 503, json: { code: "UNAVAILABLE", index: 1 } });
    const second = await stage.guest.post(room, events, key("batch"));
    expect(resultsOf(second).map((result) => result["repeat"])).toEqual([true, true, undefined]);
    expect(await logged(stage)).toEqual(["one", "two", "three"]);
  });

  it("HTTP-11 is taken one request after the other where two come at once: the handler sees one", async () => {
    const publish = vi.fn();
    const stage = setting({ channels: { "room:{id}": { publish: { "note:add": publish } } } });
    const begin = () => stage.guest.begin("POST", room, { headers: { "content-type": "application/json", ...key("k") }, body: note("one") });
    const [first, second] = [begin(), begin()];
    await stage.world.settle();
    expect([first.json["repeat"], second.json["repeat"]]).toEqual([undefined, true]);
    expect(second.json["position"]).toBe(first.json["position"]);
    expect(publish).toHaveBeenCalledTimes(1);
  });

  it("HTTP-11 tells a repeat with another payload which one is in the log, and refuses one of another type", async () => {
    const stage = setting();
    await stage.guest.post(room, note("one"), key("k"));
    expect((await stage.guest.post(room, note("two"), key("k"))).json).toMatchObject({ repeat: true, payload: { text: "one" } });
    const other = await stage.guest.post(room, { type: "note:at", payload: { at: 1 } }, key("k"));
    expect(other).toMatchObject({ status: 422, json: { code: "PAYLOAD_INVALID", field: "Idempotency-Key" } });
    expect(await logged(stage)).toEqual(["one"]);
  });

  it("HTTP-11 is looked up again after what was under way has failed", async () => {
    const stage = setting();
    stage.world.broker.failNext("append");
    expect(await stage.guest.post(room, note("one"), key("k"))).toMatchObject({ status: 503 });
    expect((await stage.guest.post(room, note("one"), key("k"))).json).not.toHaveProperty("repeat");
    stage.world.broker.loseAnswerOfNext("append");
    expect(await stage.guest.post(room, note("two"), key("k2"))).toMatchObject({ status: 503, json: { code: "UNAVAILABLE" } });
    expect((await stage.guest.post(room, note("two"), key("k2"))).json).toMatchObject({ repeat: true });
    expect(await logged(stage)).toEqual(["one", "two"]);
  });

  it.each([`"${"x".repeat(300)}"`, '""', '"a"b"', '"é"', "a, b", '"\\"'])("HTTP-11 is not %s", async (header) => {
    expect(await setting().guest.post(room, note("x"), { "idempotency-key": header })).toMatchObject({ status: 400, json: { code: "FRAME_INVALID", field: "Idempotency-Key" } });
  });
});
