import { subprotocolOf, TuttiError } from "@tutti/protocol";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { createClient, type Transport } from "../src/index.js";
import { longPollTransport } from "../src/transports/http/long-poll.js";
import { pollTransport } from "../src/transports/http/poll.js";
import { sseTransport } from "../src/transports/http/sse.js";
import { streamTransport } from "../src/transports/http/stream.js";
import { FakeEnvironment } from "./support/fake-environment.js";
import { FakeHttp, rest, Told } from "./support/fake-http.js";

const JSON_SUBPROTOCOL = subprotocolOf("json");
const HELLO = '{"op":"hello"}';
const SSE = "text/event-stream";
const NDJSON = "application/x-ndjson";
const OPENING = { token: "t.s", messageBytesMax: 1_000 };
const PROBLEM = { "Content-Type": "application/problem+json" };

const STREAMS = [
  ["sse", sseTransport, SSE, (name: string, data: string) => (name === "message" ? `data: ${data}\n\n` : `event: ${name}\ndata: ${data}\n\n`)],
  ["stream", streamTransport, NDJSON, (name: string, data: string) => (name === "message" ? `${data}\n` : `{"${name}":${data}}\n`)],
] as const;
const POLLS = [
  ["long-poll", longPollTransport, ""],
  ["poll", pollTransport, "?interval=60"],
] as const;

const ALL = [...STREAMS, ...POLLS].map(([name, make]) => [name, make] as const);

/** A link of a transport, on a clock and a network that the test directs. */
async function begun(make: (options: { readonly fetch: FakeHttp["fetch"]; readonly environment: FakeEnvironment }) => Transport, url = "wss://example.com/v1/connect") {
  const environment = new FakeEnvironment();
  const http = new FakeHttp();
  const told = new Told();
  const link = make({ fetch: http.fetch, environment }).open(url, JSON_SUBPROTOCOL, told);
  await rest();
  link.send(HELLO);
  await rest();
  const pass = async (ms: number): Promise<void> => {
    environment.pass(ms);
    await rest();
  };
  return { environment, http, told, link, pass };
}

/** A link by SSE that was admitted. */
async function admitted() {
  const stage = await begun(sseTransport);
  const downlink = stage.http.last;
  await downlink.stream(SSE);
  await downlink.write(`event: open\ndata: ${JSON.stringify(OPENING)}\n\n`);
  const send = async (...messages: readonly string[]): Promise<void> => {
    for (const message of messages) stage.link.send(message);
    await rest();
  };
  const posts = () => stage.http.of("POST", "/v1/connections/messages");
  return { ...stage, downlink, send, posts };
}

/** A link that polls and was admitted; its first answer was number 1. */
async function polling(make: Parameters<typeof begun>[0] = longPollTransport) {
  const stage = await begun(make);
  await stage.http.last.answer(200, { "Content-Type": "application/json" }, { ...OPENING, number: 1, messages: [{ op: "welcome" }] });
  const polls = () => stage.http.of("GET", "/v1/connections/messages");
  const bring = (number: number, messages: readonly object[], more: object = {}, headers: Readonly<Record<string, string>> = {}): Promise<void> =>
    stage.http.last.answer(200, { "Content-Type": "application/json", ...headers }, { number, messages, ...more });
  return { ...stage, polls, bring };
}

describe("a link over HTTP", () => {
  it.each([
    ["sse", sseTransport, SSE, ""],
    ["stream", streamTransport, NDJSON, ""],
    ["long-poll", longPollTransport, "application/json", ""],
    ["poll", pollTransport, "application/json", "?interval=60"],
  ] as const)("LNK-1, LNK-2: is opened by a request with the hello as its body (%s)", async (name, make, accept, query) => {
    const { http, told } = await begun(make);
    expect(told.openings).toBe(1);
    expect(http.requests).toHaveLength(1);
    expect(http.last.path).toBe(`/v1/connections${query}`);
    expect(http.last.init).toMatchObject({ method: "POST", body: HELLO, headers: { Accept: accept } });
    expect(make().name).toBe(name);
  });

  it.each([
    ["wss://example.com/v1/connect", "https://example.com/v1/connections"],
    ["ws://localhost:8080/v1/connect?x=1#y", "http://localhost:8080/v1/connections"],
    ["https://example.com/app/live/v1/connect", "https://example.com/app/live/v1/connections"],
  ])("LNK-1: of %s is opened at %s", async (url, expected) => {
    const { http } = await begun(sseTransport, url);
    expect(http.last.url).toBe(expected);
  });

  it("LNK-1: of a page's path is opened at the page's host", async () => {
    vi.stubGlobal("location", { href: "https://example.com/app/page?x#y" });
    const { http } = await begun(sseTransport, "/v1/connect");
    vi.unstubAllGlobals();
    expect(http.last.url).toBe("https://example.com/v1/connections");
  });

  it("LNK-1: speaks JSON, and ends a client that does not", async () => {
    const [http, told] = [new FakeHttp(), new Told()];
    sseTransport({ fetch: http.fetch, environment: new FakeEnvironment() }).open("ws://example.com/", subprotocolOf("msgpack"), told);
    await rest();
    expect([told.openings, told.closing?.closeCode, http.requests.length]).toEqual([0, 4204, 0]);
  });

  it("LNK-1: needs fetch", () => {
    vi.stubGlobal("fetch", undefined);
    expect(() => sseTransport()).toThrow(TypeError);
    vi.unstubAllGlobals();
  });

  it.each(ALL)("LNK-14: that the server refuses ends as the server says (%s)", async (_name, make) => {
    const { http, told } = await begun(make);
    await http.last.answer(503, PROBLEM, { type: "x", status: 503, code: "SERVER_DRAINING", detail: "about to stop", retryAfterMs: 3_000 });
    expect(told.messages.map((message) => JSON.parse(message) as unknown)).toEqual([{ op: "error", error: { code: "SERVER_DRAINING", message: "about to stop", retryAfterMs: 3_000 } }]);
    expect(told.closing).toEqual({ closeCode: 4102, reason: "about to stop" });
  });

  it.each([
    [403, { "Content-Type": "text/html" }, "<h1>no</h1>"],
    [500, PROBLEM, "{"],
    [502, {}, null],
    [404, { "Content-Type": "application/json" }, '{"code":"KICKED"}'],
    [200, { "Content-Type": "text/html" }, "accept our terms"],
  ])("LNK-14: that somebody else answers with %i is a lost connection", async (status, headers, body) => {
    const { http, told } = await begun(sseTransport);
    await http.last.answer(status, headers, body);
    expect([told.messages, told.closing?.closeCode]).toEqual([[], 1006]);
    expect(http.requests).toHaveLength(1);
  });

  it("LNK-14: that somebody else answers with a page that has no end is a lost connection, at once", async () => {
    const { http, told } = await begun(sseTransport);
    await http.last.stream("text/html");
    expect([told.closing?.closeCode, http.last.isAborted]).toEqual([1006, true]);
  });

  it("LNK-14: makes a client wait as long as it is asked to, also by a proxy", async () => {
    const environment = new FakeEnvironment();
    const http = new FakeHttp();
    const client = createClient({ url: "ws://example.com/v1/connect", environment, transport: sseTransport({ fetch: http.fetch, environment }), lifecycle: { watch: () => () => {} } });
    const counts: number[] = [];
    client.connect();
    await rest();
    await http.last.answer(429, { "Retry-After": "7" });
    for (const ms of [6_900, 200]) {
      environment.pass(ms);
      await rest();
      counts.push(http.requests.length);
    }
    expect(counts).toEqual([1, 2]);
    await http.last.answer(403, PROBLEM, { code: "ORIGIN_FORBIDDEN" });
    environment.pass(600_000);
    await rest();
    expect(http.requests).toHaveLength(2);
    expect(client.connection.getSnapshot()).toMatchObject({ status: "disconnected", reason: { code: "ORIGIN_FORBIDDEN" } });
  });

  it("LNK-13: cannot be opened by a request that fails, and is not tried again by itself", async () => {
    const { http, told, pass, environment } = await begun(streamTransport);
    await http.last.fail();
    await pass(60_000);
    expect([http.requests.length, told.closing?.closeCode, environment.timerCount]).toEqual([1, 1006, 0]);
  });
});

describe("what goes up", () => {
  it("LNK-13: goes in one request at a time, with all that waits", async () => {
    const { send, posts } = await admitted();
    await send('{"a":1}', '{"a":2}');
    expect(posts().map(({ init, number }) => [number, init.body, init.headers["Tutti-Session"]])).toEqual([["1", '{"a":1}\n{"a":2}', "t.s"]]);
    await send('{"a":3}');
    await send('{"a":4}');
    expect(posts()).toHaveLength(1);
    await posts()[0]!.answer(204);
    expect(posts().map(({ init, number }) => [number, init.body])).toEqual([
      ["1", '{"a":1}\n{"a":2}'],
      ["2", '{"a":3}\n{"a":4}'],
    ]);
  });

  it("LNK-13: takes no more than messageBytesMax and 256 messages in one, and one message whatever its size", async () => {
    const { send, posts } = await admitted();
    const [long, longer] = [`"${"é".repeat(300)}"`, `"${"x".repeat(2_000)}"`];
    await send(long, long, longer, ...Array<string>(300).fill("{}"));
    const sizes: number[] = [];
    for (let index = 0; index < posts().length; index++) {
      sizes.push(posts()[index]!.init.body!.split("\n").length);
      await posts()[index]!.answer(204);
    }
    expect(sizes).toEqual([1, 1, 1, 256, 44]);
  });

  it("LNK-13: waits until the link was admitted", async () => {
    const { http, link } = await begun(sseTransport);
    link.send("{}");
    await rest();
    expect(http.requests).toHaveLength(1);
    const [downlink] = http.requests;
    await downlink!.stream(SSE);
    await downlink!.write(`event: open\ndata: ${JSON.stringify(OPENING)}\n\n`);
    expect(http.of("POST", "/v1/connections/messages")).toHaveLength(1);
  });

  it.each([0, 408, 429, 502, 503, 504])("LNK-13: goes again with its number where it was not answered, or with %i, and the link is lost after that", async (status) => {
    const { send, posts, pass, told, environment, downlink } = await admitted();
    const fail = () => (status === 0 ? posts().at(-1)!.fail() : posts().at(-1)!.answer(status));
    await send("{}");
    await fail();
    await pass(199);
    expect(posts()).toHaveLength(1);
    await pass(1);
    expect(posts().map(({ number }) => number)).toEqual(["1", "1"]);
    await fail();
    await pass(1_000);
    expect(posts().map(({ number }) => number)).toEqual(["1", "1", "1"]);
    expect(told.closing).toBeUndefined();
    await fail();
    expect([told.closing?.closeCode, environment.timerCount, downlink.isAborted]).toEqual([1006, 0, true]);
  });

  it("LNK-13: goes again no sooner than the server asks", async () => {
    const { send, posts, pass } = await admitted();
    await send("{}");
    await posts()[0]!.answer(503, PROBLEM, { code: "UNAVAILABLE", retryAfterMs: 5_000 });
    await pass(4_999);
    expect(posts()).toHaveLength(1);
    await pass(1);
    expect(posts()).toHaveLength(2);
  });

  it.each([
    [410, "SESSION_MOVED", 4104],
    [413, "MESSAGE_TOO_LARGE", 1009],
    [409, "OUT_OF_ORDER", 1006],
    [401, undefined, 1006],
  ])("LNK-13: ends the link at once where it is refused with %i %s", async (status, code, closeCode) => {
    const { send, posts, told } = await admitted();
    await send("{}");
    await posts()[0]!.answer(status, code === undefined ? {} : PROBLEM, code === undefined ? null : { code });
    expect([told.messages, told.closing?.closeCode, posts().length]).toEqual([[], closeCode, 1]);
  });

  it("LNK-16: leaves in a request that outlives the page where it is the last", async () => {
    const { link, posts, downlink, told } = await admitted();
    link.send('{"op":"activity"}');
    link.send('{"op":"bye"}');
    link.close(1000, "");
    await rest();
    expect(posts().map(({ init }) => [init.body, init.keepalive, init.signal?.aborted])).toEqual([['{"op":"activity"}\n{"op":"bye"}', true, false]]);
    // The server is to hear the goodbye before it sees that the stream has ended.
    expect(downlink.isAborted).toBe(false);
    await posts()[0]!.answer(204);
    expect([downlink.isAborted, told.closing]).toEqual([true, undefined]);
  });

  it("LNK-16: is waited for no longer than 5 s", async () => {
    const { link, send, posts, downlink, pass, environment } = await admitted();
    await send("{}");
    link.close(1000, "");
    await pass(4_999);
    expect([posts()[0]!.isAborted, downlink.isAborted]).toEqual([false, false]);
    await pass(1);
    expect([posts()[0]!.isAborted, downlink.isAborted, environment.timerCount]).toEqual([true, true, 0]);
  });

  it("LNK-16: leaves after what is under way, once, and not again", async () => {
    const { send, link, posts, pass, environment } = await admitted();
    await send("{}");
    link.send('{"op":"bye"}');
    link.close(1000, "");
    await rest();
    expect(posts()).toHaveLength(1);
    await posts()[0]!.answer(204);
    expect(posts().map(({ init }) => [init.body, init.keepalive ?? false])).toEqual([
      ["{}", false],
      ['{"op":"bye"}', true],
    ]);
    await posts()[1]!.fail();
    await pass(60_000);
    expect([posts().length, environment.timerCount]).toEqual([2, 0]);
  });
});

describe("what comes down a stream", () => {
  it.each(STREAMS)("LNK-3: is told until the stream says that it is over (%s)", async (_name, make, type, said) => {
    const { http, told } = await begun(make);
    const downlink = http.last;
    await downlink.stream(`${type}; charset=utf-8`);
    await downlink.write(said("open", JSON.stringify(OPENING)));
    await downlink.write(said("message", '{"op":"pong"}') + said("message", '[{"op":"pong"}]'));
    expect(told.messages).toEqual(['{"op":"pong"}', '[{"op":"pong"}]']);
    await downlink.write(said("close", '{"code":4102,"reason":"SERVER_DRAINING"}') + said("message", "{}"));
    expect([told.closing, told.messages.length]).toEqual([{ closeCode: 4102, reason: "SERVER_DRAINING" }, 2]);
  });

  it.each(STREAMS)("LNK-3: is cut where it ends without that, or says what cannot be read (%s)", async (_name, make, type, said) => {
    const ends = [
      (downlink: FakeHttp["last"]) => downlink.end(),
      (downlink: FakeHttp["last"]) => downlink.fail(),
      (downlink: FakeHttp["last"]) => downlink.write(said("open", '{"token":1}')),
      (downlink: FakeHttp["last"]) => downlink.write(Uint8Array.of(0xff, 0xfe, 0x0a)),
    ];
    for (const end of ends) {
      const { http, told } = await begun(make);
      const downlink = http.last;
      await downlink.stream(type);
      await end(downlink);
      expect(told.closing?.closeCode).toBe(1006);
    }
  });

  it.each(STREAMS)("LNK-15: is read in whatever slices it comes (%s)", async (_name, make, type, said) => {
    const message = fc.record({ op: fc.constant("x"), value: fc.string({ unit: "binary", maxLength: 30 }), more: fc.json() }).map((value) => JSON.stringify(value));
    const noise = fc.constantFrom("", type === SSE ? ":\n\n" : "\n", type === SSE ? ": padding\n\n" : "   \n");
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(message, noise), { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }), fc.boolean(), async (spoken, sizes, hasReturns) => {
        const text = spoken.map(([each, filler]) => filler + said("message", each)).join("") + said("close", '{"code":4000,"reason":"é"}');
        const bytes = new TextEncoder().encode(hasReturns ? text.replaceAll("\n", "\r\n") : text);
        const slices: Uint8Array[] = [];
        for (let from = 0, turn = 0; from < bytes.length; turn++) {
          const to = from + sizes[turn % sizes.length]!;
          slices.push(bytes.slice(from, to));
          from = to;
        }
        const told = await readAll(make, type, slices);
        expect(told.messages.map((each) => each.trimEnd())).toEqual(spoken.map(([each]) => each));
        expect(told.closing).toEqual({ closeCode: 4000, reason: "é" });
      }),
      { numRuns: 50 },
    );
  });

  it.each(STREAMS)("LNK-15: may be long: a message of 3 MiB, in slices of 1,000 bytes (%s)", async (_name, make, type, said) => {
    const long = JSON.stringify({ op: "x", text: "é日😀".repeat(350_000) });
    const bytes = new TextEncoder().encode(said("message", long));
    const slices = Array.from({ length: Math.ceil(bytes.length / 1_000) }, (_, index) => bytes.slice(index * 1_000, (index + 1) * 1_000));
    const told = await readAll(make, type, slices);
    expect(told.messages[0] === long).toBe(true);
  });
});

/** What a link told of a stream that came in these slices, and ended. */
async function readAll(make: typeof sseTransport, type: string, slices: readonly Uint8Array[]): Promise<Told> {
  const told = new Told();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const slice of slices) controller.enqueue(slice);
      controller.close();
    },
  });
  const over = new Promise<void>((resolve) => {
    const closed = told.closed.bind(told);
    told.closed = (closeCode, reason) => {
      closed(closeCode, reason);
      resolve();
    };
  });
  const link = make({ fetch: () => Promise.resolve(new Response(body, { headers: { "Content-Type": type } })), environment: new FakeEnvironment() }).open("ws://h/v1/connect", JSON_SUBPROTOCOL, told);
  link.send(HELLO);
  await over;
  return told;
}

describe("what is polled", () => {
  it("LNK-7: is told once, and each poll names the answer before it", async () => {
    const { polls, bring, told } = await polling();
    expect(polls().map(({ path, init }) => [path, init.headers["Tutti-Session"]])).toEqual([["/v1/connections/messages?after=1&wait=25", "t.s"]]);
    await bring(2, [{ op: "pong" }, [{ op: "pong" }]]);
    expect(told.messages).toEqual(['{"op":"welcome"}', '{"op":"pong"}', '[{"op":"pong"}]']);
    expect(polls().at(-1)!.path).toBe("/v1/connections/messages?after=2&wait=25");
    await bring(3, [], { closed: { code: 4400, reason: "KICKED" } });
    expect([told.closing, polls().length]).toEqual([{ closeCode: 4400, reason: "KICKED" }, 2]);
  });

  it("LNK-13: is asked for again, as it was, where no answer came", async () => {
    const { polls, pass, told, http } = await polling();
    await http.last.fail();
    await pass(200);
    expect(polls().map(({ path }) => path)).toEqual(Array(2).fill("/v1/connections/messages?after=1&wait=25"));
    await http.last.answer(504);
    await pass(1_000);
    await http.last.fail();
    expect([polls().length, told.closing?.closeCode]).toEqual([3, 1006]);
  });

  it("LNK-13: that waits, and is cut, waits half as long from then on", async () => {
    const { polls, pass, http, bring } = await polling();
    await pass(10_000);
    await http.last.answer(504);
    await pass(200);
    expect(polls().at(-1)!.path).toBe("/v1/connections/messages?after=1&wait=5");
    await http.last.fail();
    await pass(1_000);
    await bring(2, [{ op: "pong" }]);
    expect(polls().at(-1)!.path).toBe("/v1/connections/messages?after=2&wait=5");
  });

  it("LNK-13: that an answer which is none brings ends the link", async () => {
    for (const answer of ["<html>", '{"number":-1,"messages":[]}', '{"number":2}', '{"number":2,"messages":{}}']) {
      const { http, told } = await polling();
      await http.last.answer(200, { "Content-Type": "application/json" }, answer);
      expect(told.closing?.closeCode).toBe(1006);
    }
  });

  it.each([
    [410, "SESSION_MOVED"],
    [409, "SESSION_REPLACED"],
  ])("LNK-8: that is refused with %i %s makes the client open anew", async (status, code) => {
    const { http, told } = await polling();
    await http.last.answer(status, PROBLEM, { code });
    expect(told.closing?.closeCode).toBe(4104);
    expect(new TuttiError("CONNECTION_LOST").retry).toBe("reconnect");
  });

  it("LNK-13: is asked for at most once a second where the server brings nothing and does not wait", async () => {
    const { polls, bring, pass } = await polling();
    await bring(1, []);
    await pass(999);
    expect(polls()).toHaveLength(1);
    await pass(1);
    expect(polls()).toHaveLength(2);
    await pass(1_000);
    await bring(1, []);
    expect(polls()).toHaveLength(3);
  });

  it("LNK-17: at intervals, and at once where something went up or there is more", async () => {
    const { polls, bring, pass, link, http } = await polling(pollTransport);
    await pass(9_999);
    expect(polls()).toHaveLength(0);
    await pass(1);
    expect(polls().map(({ path }) => path)).toEqual(["/v1/connections/messages?after=1&wait=0"]);
    await bring(2, [{ op: "pong" }], { more: true });
    expect(polls()).toHaveLength(2);
    await bring(3, [{ op: "pong" }]);
    await pass(100);
    expect(polls()).toHaveLength(2);
    link.send("{}");
    await rest();
    await http.last.answer(204);
    await pass(0);
    expect(polls()).toHaveLength(3);
  });

  it("LNK-17: less often where the server asks for it", async () => {
    const { polls, bring, pass } = await polling(pollTransport);
    await pass(10_000);
    await bring(2, [{ op: "pong" }], {}, { "Retry-After": "30" });
    await pass(29_999);
    expect(polls()).toHaveLength(1);
    await pass(1);
    expect(polls()).toHaveLength(2);
  });

  it.each(POLLS)("LNK-1: no more when the client closes the link (%s)", async (_name, make) => {
    const { link, polls, pass, told, environment, http } = await polling(make);
    const count = polls().length;
    link.close(1000, "");
    link.close(1000, "");
    await pass(600_000);
    expect([polls().length, told.closing, environment.timerCount, http.requests.every(({ isAborted, init }) => isAborted || init.method === "POST")]).toEqual([count, undefined, 0, true]);
  });
});
