import { describe, expect, it } from "vitest";
import { TuttiError } from "@tutti/protocol";
import { framesIn, framesOf, hello, JSON_TYPE, linkWorld, NDJSON, read, SSE, tokenIn, type Asking } from "./support/links.js";

const STREAMS = [
  ["sse", SSE],
  ["stream", NDJSON],
] as const;
const ALL = [...STREAMS.map(([name, accept]) => [name, accept, ""] as const), ["long-poll", JSON_TYPE, ""] as const, ["poll", JSON_TYPE, "?interval=10"] as const];

const room = "room:1";
const subscribe = { op: "subscribe", correlationId: "s", channel: room } as const;
const note = (text: string) => ({ text });

/** What a client knows of an open link. */
async function opened(accept: string, world: ReturnType<typeof linkWorld>, query = ""): Promise<{ readonly asking: Asking; readonly token: string }> {
  const asking = await world.open(accept, { query });
  return { asking, token: tokenIn(accept, asking) };
}

describe("a link over HTTP", () => {
  it.each(ALL)("LNK-1, LNK-2: is a connection like others, and is called %s", async (name, accept, query) => {
    const link = linkWorld();
    const asking = await link.open(accept, { query });
    expect(asking.status).toBe(200);
    expect(link.world.server.connections()).toMatchObject([{ transport: name, remoteAddress: "192.0.2.1" }]);
    const frames = accept === JSON_TYPE ? asking.frames : framesIn(accept, asking);
    expect(frames.map(({ op }) => op)).toEqual(["welcome"]);
  });

  it.each(ALL)("LNK-1: ends as its hello is refused, before it has a token (%s)", async (_name, accept, query) => {
    const link = linkWorld({ authenticate: () => Promise.reject(new TuttiError("TOKEN_INVALID")) });
    const asking = await link.open(accept, { query });
    expect(asking.ending).toBe("whole");
    if (accept === JSON_TYPE) {
      expect(asking.json).toMatchObject({ number: 1, closed: { code: 4301, reason: "TOKEN_INVALID" } });
      expect(asking.json).not.toHaveProperty("token");
      expect(asking.frames).toMatchObject([{ op: "error", error: { code: "TOKEN_INVALID" } }]);
    } else {
      expect(read(accept, asking.text).map((said) => said.name)).toEqual(["message", "close"]);
      expect(read(accept, asking.text).at(-1)?.value).toEqual({ code: 4301, reason: "TOKEN_INVALID" });
    }
  });

  it.each(ALL)("SES-3: ends an earlier connection of its session, and not for good: the request may have waited in a node that stood still (%s)", async (_name, accept, query) => {
    const link = linkWorld();
    const secret = "s".repeat(22);
    const earlier = await link.world.peer({ secret });
    await link.open(accept, { query, frames: [{ ...hello(), session: secret }] });
    expect([earlier.closeCode, earlier.errorCodes]).toEqual([4104, []]);
    expect(link.world.server.stats().connections).toBe(1);
  });

  it("LNK-1: says who it is with its first request, or is none", async () => {
    const { ask, world } = linkWorld();
    expect(await ask("POST", "", { Accept: SSE }, "")).toMatchObject({ status: 400, json: { code: "HELLO_REQUIRED" } });
    expect(await ask("POST", "", { Accept: SSE }, "{".repeat(65_537))).toMatchObject({ status: 413, json: { code: "MESSAGE_TOO_LARGE" } });
    expect(world.server.connections()).toEqual([]);
  });

  it("LNK-2: is what Accept says, and nothing that is not known", async () => {
    const { ask } = linkWorld();
    const body = JSON.stringify(hello());
    for (const accept of ["text/html", "image/png, text/plain"]) expect((await ask("POST", "", { Accept: accept }, body)).status).toBe(406);
    expect((await ask("POST", "", { Accept: "text/html, Text/Event-Stream;q=0.9" }, body)).header("content-type")).toBe(SSE);
    expect((await ask("POST", "", {}, JSON.stringify(hello()))).header("content-type")).toBe(JSON_TYPE);
    for (const interval of ["0", "121", "-1", "1.5", "x"]) {
      expect(await ask("POST", `?interval=${interval}`, { Accept: JSON_TYPE }, body)).toMatchObject({ status: 400, json: { code: "FRAME_INVALID", field: "interval" } });
    }
  });

  it("LNK-2: is refused before it costs anything where the node takes no newcomers", async () => {
    const { world, open } = linkWorld();
    await world.peer();
    void world.server.drain({ noticeMs: 60_000 });
    await world.settle();
    const asking = await open(SSE);
    expect(asking).toMatchObject({ status: 503, json: { code: "SERVER_DRAINING" } });
    expect(Number(asking.header("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(world.server.stats().connections).toBe(1);
  });

  it.each(ALL)("LNK-2: is refused where there are httpLinksMax of them, and taken again when one has ended (%s)", async (_name, accept, query) => {
    const link = linkWorld({ httpLinksMax: 2 });
    const tokens = [(await opened(accept, link, query)).token, (await opened(accept, link, query)).token];
    const asking = await link.open(accept, { query });
    expect(asking).toMatchObject({ status: 503, json: { code: "UNAVAILABLE" } });
    expect(Number(asking.header("retry-after"))).toBeGreaterThanOrEqual(1);
    await link.say(tokens[0]!, 1, { op: "bye" });
    await link.world.advance(1_000);
    expect((await link.open(accept, { query })).status).toBe(200);
    expect((await link.open(accept, { query })).status).toBe(503);
  });

  it.each(ALL)("LNK-6: takes what comes up once and in order (%s)", async (_name, accept, query) => {
    const link = linkWorld();
    const { token } = await opened(accept, link, query);
    const told: string[] = [];
    const signals = await link.world.peer();
    await signals.subscribe(room);
    const publish = (n: number) => ({ op: "publish", correlationId: `p${n}`, channel: room, n, settled: n - 1, type: "note:add", payload: note(`${n}`), timestamp: 0 }) as const;
    for (const [number, ...frames] of [[1, publish(1), publish(2)], [1, publish(1), publish(2)], [2, publish(3)], [2, publish(3)]] as const) {
      told.push(String((await link.say(token, number, ...frames)).status));
    }
    expect(told).toEqual(["204", "204", "204", "204"]);
    for (const number of [1, 4, 99]) expect(await link.say(token, number, publish(4))).toMatchObject({ status: 409, json: { code: "OUT_OF_ORDER" } });
    expect(signals.payloadsOf(room)).toEqual([note("1"), note("2"), note("3")]);
    expect((await link.say(token, 3, publish(4))).status).toBe(204);
    expect(signals.payloadsOf(room)).toHaveLength(4);
  });

  it("LNK-6: refuses a number that is none, more than 256 messages, and a body that is not UTF-8, and takes nothing of them", async () => {
    const link = linkWorld();
    const { token } = await opened(SSE, link);
    for (const number of ["", "0", "-1", "1.5", "1e3", "9".repeat(17)]) {
      const asking = await link.ask("POST", "/messages", { "Tutti-Session": token, "Tutti-Number": number }, '{"op":"ping"}');
      expect(asking).toMatchObject({ status: 400, json: { code: "FRAME_INVALID" } });
    }
    const pings = Array.from({ length: 257 }, () => ({ op: "ping" }) as const);
    expect(await link.say(token, 1, ...pings)).toMatchObject({ status: 429, json: { code: "LIMIT_EXCEEDED" } });
    expect((await link.say(token, 1, ...pings.slice(1))).status).toBe(204);
  });

  it.each(ALL)("LNK-9: is not reached with a token that is none, or of a link that is over (%s)", async (_name, accept, query) => {
    const link = linkWorld();
    const { token } = await opened(accept, link, query);
    for (const other of ["", "x", `${token}x`]) {
      expect(await link.say(other, 1, { op: "ping" })).toMatchObject({ status: 410, json: { code: "SESSION_MOVED" } });
      expect(await link.poll(other, 1)).toMatchObject({ status: 410, json: { code: "SESSION_MOVED" } });
    }
    expect((await link.say(token, 1, { op: "bye" })).status).toBe(204);
    expect(link.world.server.connections()).toEqual([]);
    expect(await link.say(token, 2, { op: "ping" })).toMatchObject({ status: 410, json: { code: "SESSION_MOVED" } });
  });
});

describe("a stream", () => {
  it.each(STREAMS)("LNK-3: shows itself before the hello is looked at, then tells its token, and last how it ended (%s)", async (_name, accept) => {
    let admit = (): void => {};
    const { open, world, say } = linkWorld({ authenticate: () => new Promise((resolve) => (admit = () => resolve(undefined))) });
    const asking = await open(accept);
    expect(asking.header("content-type")).toBe(accept);
    expect(asking.header("cache-control")).toBe("no-store, no-transform");
    expect(asking.header("x-accel-buffering")).toBe("no");
    expect(asking.text.length).toBeGreaterThan(2_048);
    expect(read(accept, asking.text)).toEqual([]);
    admit();
    await world.settle();
    expect(read(accept, asking.text).map(({ name }) => name)).toEqual(["open", "message"]);
    expect(read(accept, asking.text)[0]?.value).toEqual({ token: expect.any(String), messageBytesMax: 65_536 });
    await say(tokenIn(accept, asking), 1, { op: "bye" });
    expect(read(accept, asking.text).map(({ name }) => name)).toEqual(["open", "message", "close"]);
    expect(read(accept, asking.text).at(-1)?.value).toEqual({ code: 1000, reason: "bye" });
    expect(asking.ending).toBe("whole");
  });

  it.each(STREAMS)("LNK-4: says that it is there after 15 s in which nothing was written (%s)", async (_name, accept) => {
    const link = linkWorld();
    const { asking, token } = await opened(accept, link);
    const before = asking.slices.length;
    await link.world.advance(14_000);
    expect(asking.slices).toHaveLength(before);
    await link.world.advance(3_000);
    expect(asking.slices.slice(before)).toEqual([accept === SSE ? ":\n\n" : "\n"]);
    await link.say(token, 1, { op: "ping" });
    await link.world.advance(14_000);
    expect(asking.slices).toHaveLength(before + 2);
    expect(framesIn(accept, asking).map(({ op }) => op)).toEqual(["welcome", "pong"]);
  });

  it("LNK-4: there is one timer for all links, and none without", async () => {
    const link = linkWorld();
    const { environment } = link.world;
    const bare = environment.timerCount;
    const { token } = await opened(SSE, link);
    await opened(NDJSON, link);
    expect(environment.timerCount).toBe(bare + 1);
    await link.say(token, 1, { op: "bye" });
    link.http.cut();
    await link.world.advance(3_000);
    expect(environment.timerCount).toBe(bare);
  });

  it.each(STREAMS)("LNK-5: gets one write for all that a turn brings (%s)", async (_name, accept) => {
    const link = linkWorld();
    const { asking, token } = await opened(accept, link);
    await link.say(token, 1, subscribe, { op: "subscribe", correlationId: "t", channel: "room:2" });
    const before = asking.slices.length;
    for (const id of ["1", "2"]) void link.world.server.channel("room:{id}", { id }).publish("note:add", note(id));
    await link.world.settle();
    expect(asking.slices).toHaveLength(before + 1);
    expect(framesIn(accept, asking).filter(({ op }) => op === "events")).toHaveLength(2);
  });

  it.each(STREAMS)("LNK-11, LNK-16: ends its connection when its client goes, soon, so that a goodbye which comes behind is taken (%s)", async (_name, accept) => {
    const link = linkWorld();
    const watcher = await link.world.peer();
    await watcher.subscribe(room, { presence: true });
    // By then it knows that there are no others to ask.
    await link.world.advance(1_000);
    const enter = async (): Promise<string> => {
      const { token } = await opened(accept, link);
      await link.say(token, 1, { ...subscribe, member: { name: "ada" } });
      watcher.forget();
      link.http.cut();
      await link.world.settle();
      return token;
    };
    const token = await enter();
    expect((await link.say(token, 2, { op: "bye" })).status).toBe(204);
    expect(watcher.changesOf(room).map(({ type }) => type)).toEqual(["presence:leave"]);
    await enter();
    await link.world.advance(1_000);
    expect(watcher.changesOf(room).map(({ type, member }) => [type, member.away])).toEqual([["presence:update", true]]);
    expect(link.world.server.stats().connections).toBe(1);
  });

  it.each(STREAMS)("LNK-11: that its client leaves before it is admitted ends at once (%s)", async (_name, accept) => {
    const link = linkWorld({ authenticate: () => new Promise(() => {}) });
    await link.open(accept);
    expect(link.world.server.stats().connections).toBe(1);
    link.http.cut();
    expect(link.world.server.stats().connections).toBe(0);
  });

  it.each(STREAMS)("LIM-1: that is not read ends with SLOW_CONSUMER, and is told so unless there is much more to read (%s)", async (_name, accept) => {
    for (const [characters, ending] of [[40_000, "whole"], [70_000, "cut"]] as const) {
      const link = linkWorld({ outboxBytesMax: 2.5 * characters });
      const { asking, token } = await opened(accept, link);
      await link.say(token, 1, subscribe);
      link.http.stall();
      for (let count = 0; count < 5; count++) {
        await link.world.server.channel("room:{id}", { id: "1" }).publish("note:add", note("x".repeat(characters)));
        await link.world.settle();
      }
      expect(link.world.server.stats()).toMatchObject({ connections: 0, outboxBytes: 0 });
      link.http.resume();
      await link.world.settle();
      expect(asking.ending).toBe(ending);
      const said = read(accept, asking.text).at(-1);
      expect(said).toMatchObject(ending === "cut" ? { name: "message" } : { name: "close", value: { code: 4101, reason: "SLOW_CONSUMER" } });
    }
  });

  it("LNK-7: is not polled", async () => {
    const link = linkWorld();
    const { token } = await opened(SSE, link);
    expect(await link.poll(token, 0)).toMatchObject({ status: 400, json: { code: "FRAME_INVALID" } });
  });

  it("LNK-3: carries messages as they were encoded for all", async () => {
    const link = linkWorld();
    const { asking, token } = await opened(NDJSON, link);
    await link.say(token, 1, { op: "ping" });
    expect(framesOf(asking.slices.at(-1)!.trim())).toEqual([{ op: "pong" }]);
  });
});
