import { describe, expect, it } from "vitest";
import type { ServerOptions } from "@tutti/server";
import { clientOf, JSON_TYPE, linkWorld, tokenIn, type Asking } from "./support/links.js";
import { MemoryHttp } from "@tutti/testkit";
import { Neighbours } from "./support/neighbours.js";
import { rooms } from "./support/rooms.js";

const room = "room:1";
const subscribe = { op: "subscribe", correlationId: "s", channel: room } as const;
const note = (text: string) => ({ text });

/** A link that polls, subscribed to a room; the answer to the subscribe was polled, and is number 2. */
async function polled(options: ServerOptions<typeof rooms> = {}, query = "") {
  const link = linkWorld(options);
  const opening = await link.open(JSON_TYPE, { query });
  const token = tokenIn(JSON_TYPE, opening);
  await link.say(token, 1, subscribe);
  await link.poll(token, 1);
  const publish = async (...texts: readonly string[]): Promise<void> => {
    for (const text of texts) {
      await link.world.server.channel("room:{id}", { id: "1" }).publish("note:add", note(text));
      await link.world.settle();
    }
  };
  return { ...link, opening, token, publish };
}

const textsOf = ({ frames }: Asking): unknown[] => frames.flatMap((frame) => (frame.op === "events" ? frame.events.map(({ payload }) => Object(payload).text as unknown) : []));

describe("a link that polls", () => {
  it("LNK-7: gets what waits, all of it and once, with a number that goes up by one", async () => {
    const { opening, poll, token, publish } = await polled();
    expect(opening.json).toMatchObject({ number: 1, messageBytesMax: 65_536, token: expect.any(String) });
    await publish("a", "b", "c");
    const third = await poll(token, 2);
    expect([third.json["number"], textsOf(third)]).toEqual([3, ["a", "b", "c"]]);
    const empty = await poll(token, 3);
    expect(empty.json).toEqual({ number: 3, messages: [] });
    await publish("d");
    expect(textsOf(await poll(token, 3))).toEqual(["d"]);
  });

  it("LNK-7: waits for what comes, as long as it says", async () => {
    const { poll, token, publish, world } = await polled();
    const waiting = await poll(token, 2, 25);
    expect(waiting.status).toBeUndefined();
    await publish("a");
    expect([waiting.json["number"], textsOf(waiting)]).toEqual([3, ["a"]]);
    const inVain = await poll(token, 3, 5);
    await world.advance(3_000);
    expect(inVain.status).toBeUndefined();
    await world.advance(2_000);
    expect(inVain.json).toEqual({ number: 3, messages: [] });
    const tooLong = await poll(token, 3, 10_000);
    await world.advance(26_000);
    expect(tooLong.status).toBe(200);
  });

  it("LNK-7: gets an answer that was lost again, word for word, and nothing that is older", async () => {
    const { poll, token, publish } = await polled();
    await publish("a");
    const third = await poll(token, 2);
    await publish("b");
    expect((await poll(token, 2)).text).toBe(third.text);
    expect((await poll(token, 2, 25)).text).toBe(third.text);
    expect(textsOf(await poll(token, 3))).toEqual(["b"]);
    for (const after of [2, 1, 0, 5]) expect(await poll(token, after)).toMatchObject({ status: 410, json: { code: "SESSION_MOVED" } });
    expect((await poll(token, 4)).json).toEqual({ number: 4, messages: [] });
  });

  it.each(["", "x", "-1", "1.5"])('LNK-7: is not asked for what comes after "%s"', async (after) => {
    const { ask, token } = await polled();
    expect(await ask("GET", `/messages?after=${after}`, { "Tutti-Session": token })).toMatchObject({ status: 400, json: { code: "FRAME_INVALID", field: "after" } });
  });

  it("LNK-8: of two polls that wait the older is answered with 409", async () => {
    const { poll, token, publish } = await polled();
    const older = await poll(token, 2, 25);
    const newer = await poll(token, 2, 25);
    expect(older).toMatchObject({ status: 409, json: { code: "SESSION_REPLACED" } });
    await publish("a");
    expect(textsOf(newer)).toEqual(["a"]);
  });

  it("LNK-8: a poll whose client has gone takes nothing with it", async () => {
    const { poll, token, publish, http } = await polled();
    await poll(token, 2, 25);
    http.cut();
    await publish("a");
    expect(textsOf(await poll(token, 2, 25))).toEqual(["a"]);
  });

  it("LNK-7: a client that goes before it knows its token leaves no connection", async () => {
    const link = linkWorld({ authenticate: () => new Promise(() => {}) });
    await link.open(JSON_TYPE);
    expect(link.world.server.stats().connections).toBe(1);
    link.http.cut();
    expect(link.world.server.stats().connections).toBe(0);
  });

  it("LNK-10: holds outboxBytesMax and no more, whether it was polled or not", async () => {
    const { publish, poll, token, world } = await polled({ outboxBytesMax: 100_000 });
    await publish(...Array<string>(2).fill("x".repeat(40_000)));
    // What the client has not said that it has is held for it.
    expect(textsOf(await poll(token, 2))).toHaveLength(2);
    expect(world.server.stats().outboxBytes).toBeGreaterThan(80_000);
    await publish("x".repeat(40_000));
    expect(world.server.stats()).toMatchObject({ connections: 0, outboxBytes: 0 });
    expect((await poll(token, 3)).json).toEqual({ number: 4, messages: [], closed: { code: 4101, reason: "SLOW_CONSUMER" } });
  });

  it("LNK-10: brings about 256 KiB at once, and says that there is more", async () => {
    const { publish, poll, token } = await polled();
    await publish(...Array<string>(6).fill("x".repeat(60_000)));
    const first = await poll(token, 2);
    expect([textsOf(first).length, first.json["more"]]).toEqual([4, true]);
    const rest = await poll(token, 3);
    expect([textsOf(rest).length, rest.json["more"]]).toEqual([2, undefined]);
  });

  it("LNK-11: is closed when its client is not heard of for silenceMsMax", async () => {
    const { world, poll, token } = await polled();
    await world.advance(30_000);
    await poll(token, 2);
    await world.advance(34_000);
    expect(world.server.stats().connections).toBe(1);
    await world.advance(3_000);
    expect(world.server.stats().connections).toBe(0);
  });

  it("LNK-11: is waited for through two and a half of its intervals, and its heartbeat is no faster than they", async () => {
    const { opening, world } = await polled({}, "?interval=60");
    expect(opening.frames).toMatchObject([{ op: "welcome", heartbeat: { intervalMs: 60_000, timeoutMs: 5_000 } }]);
    await world.advance(149_000);
    expect(world.server.stats().connections).toBe(1);
    await world.advance(3_000);
    expect(world.server.stats().connections).toBe(0);
    const short = await polled({}, "?interval=2");
    expect(short.opening.frames).toMatchObject([{ heartbeat: { intervalMs: 25_000 } }]);
    await short.world.advance(34_000);
    expect(short.world.server.stats().connections).toBe(1);
  });

  it("LNK-12: is told how it ended with the last messages, also when the answer was lost, for silenceMsMax", async () => {
    const { poll, token, publish, world } = await polled();
    await publish("a");
    void world.server.disconnect({ session: world.server.connections()[0]!.session }, "enough");
    await world.settle();
    const last = await poll(token, 2);
    expect(last.json).toMatchObject({ number: 3, closed: { code: 4400, reason: "KICKED" } });
    expect(last.frames.map(({ op }) => op)).toEqual(["events", "error"]);
    expect((await poll(token, 2)).text).toBe(last.text);
    await world.advance(37_000);
    expect(await poll(token, 2)).toMatchObject({ status: 410 });
  });

  it("LNK-12: is told why it ends by the poll that waits, and that it has ended by the next", async () => {
    const { poll, token, world } = await polled();
    const waiting = await poll(token, 2, 25);
    void world.server.disconnect({ session: world.server.connections()[0]!.session }, "enough");
    await world.settle();
    expect(waiting.frames).toMatchObject([{ op: "error", error: { code: "KICKED", message: "enough" } }]);
    expect((await poll(token, 3, 25)).json).toEqual({ number: 4, messages: [], closed: { code: 4400, reason: "KICKED" } });
  });

  it("LNK-12: is told without the messages where they are too many", async () => {
    const { poll, token, publish, world } = await polled();
    await publish("x".repeat(60_000), "y".repeat(60_000));
    void world.server.drain();
    await world.settle();
    expect((await poll(token, 2)).json).toEqual({ number: 3, messages: [], closed: { code: 4102, reason: "SERVER_DRAINING" } });
  });

  it("LNK-12: of the links that have closed the latest 1,024 are remembered", async () => {
    const { open, poll, world } = linkWorld();
    const tokens: string[] = [];
    for (let count = 0; count < 1_026; count++) tokens.push(tokenIn(JSON_TYPE, await open(JSON_TYPE)));
    void world.server.drain({ withinMs: 0 });
    await world.settle();
    const statuses = [];
    for (const index of [0, 1, 2, 1_025]) statuses.push((await poll(tokens[index]!, 1)).status);
    expect(statuses).toEqual([410, 410, 200, 200]);
  });

  it("LNK-17: is asked to come less often by a node that takes no newcomers", async () => {
    const { poll, token, world } = await polled();
    expect((await poll(token, 2)).header("retry-after")).toBeNull();
    void world.server.drain({ noticeMs: 60_000 });
    await world.settle();
    expect(Number((await poll(token, 2)).header("retry-after"))).toBeGreaterThanOrEqual(1);
  });
});

describe("a link at another node", () => {
  const keys = ["the key of all nodes, of 32 bytes and more"];

  async function twoNodes(options: ServerOptions<typeof rooms> = {}) {
    const nodes = new Neighbours({ contract: rooms, sessionKeys: keys, ...options });
    const [here, there] = [await nodes.start(), await nodes.start()];
    await nodes.advance(2_000);
    const settle = () => nodes.settle();
    const [holder, other] = [here, there].map(({ server }) => clientOf(new MemoryHttp(server.http()), settle)) as [ReturnType<typeof clientOf>, ReturnType<typeof clientOf>];
    const opening = await holder.open(JSON_TYPE);
    const token = tokenIn(JSON_TYPE, opening);
    await other.say(token, 1, subscribe);
    await other.poll(token, 1);
    const publish = async (text: string): Promise<void> => {
      await there.server.channel("room:{id}", { id: "1" }).publish("note:add", note(text));
      await nodes.settle();
    };
    return { nodes, here, there, holder, other, token, publish };
  }

  it("LNK-9: is asked, and told, by any node, in turn", async () => {
    const { holder, other, token, publish } = await twoNodes();
    await publish("a");
    expect(textsOf(await other.poll(token, 2))).toEqual(["a"]);
    const waiting = await other.poll(token, 3, 25);
    expect(waiting.status).toBeUndefined();
    await publish("b");
    expect(textsOf(waiting)).toEqual(["b"]);
    for (const [number, node] of [[2, holder], [3, other], [3, holder], [4, other]] as const) expect((await node.say(token, number, { op: "ping" })).status).toBe(204);
    const pongs = await holder.poll(token, 4);
    expect(pongs.frames.map(({ op }) => op)).toEqual(["pong", "pong", "pong"]);
    expect((await other.poll(token, 4)).text).toBe(pongs.text);
    expect(await other.poll(token, 2)).toMatchObject({ status: 410, json: { code: "SESSION_MOVED" } });
    expect(await other.say(token, 9, { op: "ping" })).toMatchObject({ status: 409, json: { code: "OUT_OF_ORDER" } });
  });

  it("LNK-8: two polls at two nodes are two polls", async () => {
    const { holder, other, token, publish } = await twoNodes();
    const older = await other.poll(token, 2, 25);
    const newer = await holder.poll(token, 2, 25);
    expect(older).toMatchObject({ status: 409, json: { code: "SESSION_REPLACED" } });
    await publish("a");
    expect(textsOf(newer)).toEqual(["a"]);
  });

  it("LNK-9: is SESSION_MOVED when its node does not answer for 2 s more than the poll waits, and as soon as it is known to be gone", async () => {
    const { nodes, here, other, token } = await twoNodes();
    const waiting = await other.poll(token, 2, 10);
    here.link.cut();
    await nodes.advance(4_000);
    expect(waiting.status).toBeUndefined();
    // It is silent for 5 s: taken for dead before the poll's own time.
    await nodes.advance(4_000);
    expect(waiting).toMatchObject({ status: 410, json: { code: "SESSION_MOVED" } });
    expect(await other.poll(token, 2)).toMatchObject({ status: 410 });
  });

  it("LNK-9: is SESSION_MOVED after its time where the answer is lost", async () => {
    const { nodes, here, other, token } = await twoNodes();
    const said: Asking[] = [];
    here.link.losesBroadcast = (topic) => topic.startsWith("node:");
    said.push(await other.poll(token, 2, 3));
    await nodes.advance(4_900);
    expect(said[0]!.status).toBeUndefined();
    await nodes.advance(200);
    expect(said[0]).toMatchObject({ status: 410, json: { code: "SESSION_MOVED" } });
  });

  it("LNK-12: is told how it ended by any node", async () => {
    const { here, nodes, other, token } = await twoNodes();
    const waiting = await other.poll(token, 2, 25);
    void here.server.drain();
    await nodes.settle();
    expect(waiting.frames).toMatchObject([{ op: "error", error: { code: "SERVER_DRAINING" } }]);
    expect((await other.poll(token, 3, 25)).json).toMatchObject({ closed: { code: 4102, reason: "SERVER_DRAINING" } });
  });
});
