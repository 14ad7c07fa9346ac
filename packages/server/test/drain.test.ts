import { describe, expect, it } from "vitest";
import { closeOnSignals } from "@tutti/server";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "room:1";
const text = { text: "x" };

describe("a drain", () => {
  it("DRN-1 refuses newcomers from its first moment, and tells who is there noticeMs later", async () => {
    const world = new World();
    const peer = await world.peer();
    const done = world.server.drain({ noticeMs: 5_000 });
    expect(world.server.readiness()).toEqual({ status: "not-ready", reasons: [{ code: "draining" }] });
    const late = world.connect();
    expect(late.of("error")).toMatchObject([{ error: { code: "SERVER_DRAINING", retryAfterMs: 3_000 } }]);
    expect(late.closeCode).toBe(4102);
    await world.advance(4_999);
    expect(peer.closeCode).toBeUndefined();
    expect(await peer.codeOf({ op: "subscribe", channel: "any:1" })).toBeUndefined();
    await world.advance(1);
    expect(peer.closeCode).toBe(4102);
    await done;
  });

  it("DRN-2 closes connections over withinMs, about as many in each part of it", async () => {
    const world = new World();
    const peers = await crowd(world, 2_000);
    const done = world.server.drain({ withinMs: 2_000 });
    const gone = [open(peers)];
    for (let passed = 0; passed < 2_000; passed += 100) {
      await world.advance(100);
      gone.push(open(peers));
    }
    await done;
    const closed = gone.slice(1).map((count, index) => (gone[index] ?? 0) - count);
    expect(gone.at(-1)).toBe(0);
    for (const count of closed.slice(0, -1)) expect(count).toBe(100);
  });

  it("DRN-2 closes the first ones at once, and few of them without a wait", async () => {
    const world = new World();
    const peers = await crowd(world, 40);
    const done = world.server.drain();
    expect(open(peers)).toBe(24);
    await world.advance(20);
    expect(open(peers)).toBe(8);
    await world.advance(20);
    expect(open(peers)).toBe(0);
    await done;
  });

  it("DRN-2 counts those who leave by themselves", async () => {
    const world = new World();
    const peers = await crowd(world, 2_000);
    void world.server.drain({ withinMs: 2_000 });
    for (const peer of peers.slice(-1_000)) peer.drop();
    await world.advance(500);
    // Sixteen each time all the same.
    expect(world.server.stats().connections).toBe(1_000 - 20 - 25 * 16);
  });

  it("DRN-2 lets others go before one that waits for an answer, and then waits 2 s for it", async () => {
    const world = new World({ contract: rooms });
    const writer = await world.peer();
    const peers = await crowd(world, 40);
    const release = world.broker.holdNext("append");
    const id = writer.request(writer.publishing(room, 1, text));
    await world.settle();
    const done = world.server.drain();
    await world.advance(1_500);
    expect(open(peers)).toBe(0);
    expect(writer.closeCode).toBeUndefined();
    release();
    await world.settle();
    await world.advance(20);
    await done;
    expect(writer.replyTo(id)?.success).toBe(true);
    expect(writer.closeCode).toBe(4102);
  });

  it("DRN-2 keeps its pace where nobody is ever answered", async () => {
    const world = new World({ contract: rooms });
    const peers = await crowd(world, 100);
    for (const peer of peers) {
      world.broker.holdNext("append");
      peer.request(peer.publishing(room, 1, text));
    }
    await world.settle();
    void world.server.drain({ withinMs: 100 });
    await world.advance(1_999);
    expect(open(peers)).toBe(100);
    await world.advance(1);
    // By then all are due, and none is waited for.
    expect(open(peers)).toBe(0);
  });

  it("DRN-2 sends away at once who has not been welcomed", async () => {
    const world = new World({ authenticate: () => new Promise(() => {}), hellosAtOnceMax: 1 });
    const peers = Array.from({ length: 60 }, () => world.connect());
    for (const peer of peers.slice(20)) await peer.hello();
    const done = world.server.drain({ withinMs: 60_000 });
    expect(open(peers)).toBe(0);
    expect(world.server.health().hellosWaiting).toBe(0);
    await done;
  });

  it("SRV-1 is one, however often it is asked for: it goes on as it began", async () => {
    const world = new World();
    const peers = await crowd(world, 2_000);
    const first = world.server.drain({ withinMs: 1_000 });
    const second = world.server.drain({ withinMs: 60_000 });
    await world.advance(500);
    expect(open(peers)).toBe(1_000 - 40);
    await world.advance(500);
    expect(open(peers)).toBe(0);
    await Promise.all([first, second]);
  });

  it.each([
    ["gives notice", { noticeMs: 60_000 }],
    ["closes", { withinMs: 60_000 }],
  ])("SRV-1 that %s is over at once where the server is closed", async (_, options) => {
    const world = new World();
    const peers = await crowd(world, 1_000);
    const done = world.server.drain(options);
    await world.advance(100);
    const closed = world.server.close();
    await world.settle();
    expect(open(peers)).toBe(0);
    await closed;
    await done;
    expect(world.environment.timerCount).toBe(0);
  });

  it.each([
    ["withinMs", { withinMs: Number.NaN }],
    ["withinMs", { withinMs: -1 }],
    ["noticeMs", { noticeMs: Number.POSITIVE_INFINITY }],
    ["noticeMs", { noticeMs: 2 ** 31 }],
  ])("SRV-1 does not begin with a %s that is no time", async (field, options) => {
    const world = new World();
    const peer = await world.peer();
    await expect(world.server.drain(options)).rejects.toMatchObject({ code: "CONTRACT_INVALID", field });
    expect(world.server.readiness()).toEqual({ status: "ready" });
    expect(peer.closeCode).toBeUndefined();
  });
});

describe("a process that is told to stop", () => {
  it("SRV-1 drains as it was told, closes, and says so", async () => {
    const world = new World();
    const peer = await world.peer();
    let ended = 0;
    closeOnSignals(world.server, () => ended++, { signals: ["SIGUSR2"], noticeMs: 3_000 });
    process.emit("SIGUSR2", "SIGUSR2");
    await world.advance(2_900);
    expect(world.server.readiness()).toMatchObject({ reasons: [{ code: "draining" }] });
    expect([peer.closeCode, ended]).toEqual([undefined, 0]);
    await world.advance(100);
    expect([peer.closeCode, ended]).toEqual([4102, 1]);
    expect(world.environment.timerCount).toBe(0);
    expect(process.listenerCount("SIGUSR2")).toBe(0);
  });

  it("SRV-1 is told at its start of a time that is none", () => {
    const { server } = new World();
    expect(() => closeOnSignals(server, () => {}, { signals: ["SIGUSR2"], noticeMs: Number.NaN })).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID", field: "noticeMs" }));
    expect(process.listenerCount("SIGUSR2")).toBe(0);
  });
});

async function crowd(world: Pick<World, "connect" | "settle">, count: number): Promise<Peer[]> {
  const peers = Array.from({ length: count }, () => world.connect());
  peers.forEach((peer, index) => peer.send({ op: "hello", versions: [1], session: `one-of-many-${index}`.padEnd(22, "-") }));
  await world.settle();
  return peers;
}

function open(peers: readonly Peer[]): number {
  return peers.filter(({ closeCode }) => closeCode === undefined).length;
}
