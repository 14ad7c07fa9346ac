import { describe, expect, it } from "vitest";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "room:1";
const text = (value: string) => ({ text: value });
const byToken = ({ token }: { readonly token: string | undefined }) => (token === undefined ? undefined : { id: token });

describe("a heartbeat", () => {
  it("HB-1 is answered", async () => {
    const world = new World();
    const peer = await world.peer();
    peer.send({ op: "ping" });
    await world.settle();
    expect(peer.of("pong")).toEqual([{ op: "pong" }]);
  });

  it("HB-2 that stays out for 35 s is death", async () => {
    const world = new World();
    const peer = await world.peer();
    await world.advance(35_000);
    expect(peer.closeCode).toBeUndefined();
    await world.advance(1_000);
    expect(peer.closeCode).toBe(4100);
    expect(peer.errorCodes).toEqual(["HEARTBEAT_TIMEOUT"]);
    expect(world.server.stats().connections).toBe(0);
  });

  it.each([
    ["a ping", '{"op":"ping"}'],
    ["a frame that is none", '{"op":"dance"}'],
  ])("HB-2 is any bytes: %s", async (_, message) => {
    const world = new World();
    const peer = await world.peer();
    for (let passed = 0; passed < 120_000; passed += 30_000) {
      await world.advance(30_000);
      peer.raw(message);
    }
    expect(peer.closeCode).toBeUndefined();
  });

  it("HB-2 is also what the transport answers by itself", async () => {
    const world = new World();
    const peer = await world.peer();
    await world.advance(30_000);
    peer.events.alive();
    await world.advance(30_000);
    expect(peer.closeCode).toBeUndefined();
  });

  it("HB-2 is nothing that the server sends", async () => {
    const world = new World();
    const peer = await world.peer();
    await peer.subscribe("any:1");
    for (let passed = 0; passed < 40_000; passed += 5_000) {
      await world.server.channel("any:{id}", { id: "1" }).publish("x", 1);
      await world.advance(5_000);
    }
    expect(peer.closeCode).toBe(4100);
  });

  it("HB-3 that could not be read because the event loop stood still is not taken for missing", async () => {
    const world = new World();
    const peer = await world.peer();
    await world.advance(30_000);
    await world.environment.standStill(60_000);
    expect(peer.closeCode).toBeUndefined();
    await world.advance(3_000);
    expect(peer.closeCode).toBeUndefined();
    peer.send({ op: "ping" });
    await world.advance(30_000);
    expect(peer.closeCode).toBeUndefined();
  });

  it("HB-3 that does not come after the standstill either is death", async () => {
    const world = new World();
    const peer = await world.peer();
    await world.environment.standStill(60_000);
    await world.advance(34_000);
    expect(peer.closeCode).toBeUndefined();
    await world.advance(1_000);
    expect(peer.closeCode).toBe(4100);
  });
});

describe("a connection", () => {
  it("SRV-2 has metadata", async () => {
    const world = new World({ authenticate: byToken });
    const peer = await world.peer({ token: "ada", client: { name: "canvas", version: "1.4.0" } });
    const anonymous = await world.peer();
    expect(world.server.connections()).toEqual([
      {
        connection: peer.of("welcome")[0]?.connection,
        session: world.sessionOf(peer),
        user: "ada",
        client: { name: "canvas", version: "1.4.0" },
        transport: "fake",
        remoteAddress: "192.0.2.1",
        since: world.environment.now(),
      },
      expect.objectContaining({ session: world.sessionOf(anonymous), user: undefined, client: undefined }),
    ]);
    peer.drop();
    expect(world.server.connections().length).toBe(1);
  });

  it("SRV-2 is not listed before its hello", () => {
    const world = new World();
    world.connect();
    expect(world.server.connections()).toEqual([]);
    expect(world.server.stats()).toMatchObject({ connections: 1, sessions: 0 });
  });

  it("SRV-3 of a user ends on all devices, with KICKED and the reason", async () => {
    const world = new World({ authenticate: byToken });
    const [phone, laptop, bob] = [await world.peer({ token: "ada" }), await world.peer({ token: "ada" }), await world.peer({ token: "bob" })];
    void world.server.disconnect({ user: "ada" }, "Your account was closed.");
    for (const peer of [phone, laptop]) {
      expect(peer.of("error")).toEqual([{ op: "error", error: { code: "KICKED", message: "Your account was closed." } }]);
      expect(peer.closeCode).toBe(4400);
    }
    expect(bob.closeCode).toBeUndefined();
    void world.server.disconnect({ user: "constructor" }, "nobody");
  });

  it("SRV-3 of a session ends alone", async () => {
    const world = new World({ authenticate: byToken });
    const [phone, laptop] = [await world.peer({ token: "ada" }), await world.peer({ token: "ada" })];
    void world.server.disconnect({ session: world.sessionOf(phone) }, "off");
    expect(phone.closeCode).toBe(4400);
    expect(laptop.closeCode).toBeUndefined();
  });

  it("SRV-3 is told by its close code also where the outbox is full: that of a slow client would bring it back", async () => {
    const world = new World({ authenticate: byToken, outboxBytesMax: 600 });
    const ada = await world.peer({ token: "ada" });
    ada.transport.stall();
    for (let count = 0; count < 40; count++) ada.send({ op: "ping" });
    await world.settle();
    expect(ada.closeCode).toBeUndefined();
    void world.server.disconnect({ user: "ada" }, "r".repeat(500));
    expect(ada.closeCode).toBe(4400);
  });

  it("LIM-6 has no timer of its own, from before its hello on", async () => {
    const world: World = new World({ authenticate: () => ({ id: "ada", expiresAt: world.environment.now() + 60_000 }) });
    const before = world.environment.timerCount;
    world.connect();
    const peer = await world.peer();
    await peer.subscribe(room);
    expect(world.environment.timerCount).toBe(before);
  });

  it("LIM-2 over connectionsMax is turned away with UNAVAILABLE", async () => {
    const world = new World({ connectionsMax: 2 });
    const [first] = [await world.peer(), await world.peer()];
    const third = world.connect();
    await third.hello();
    expect(third.errorCodes).toEqual(["UNAVAILABLE"]);
    expect(third.closeCode).toBe(1011);
    expect(world.server.stats().connections).toBe(2);
    first.drop();
    await world.peer();
  });
});

describe("drain", () => {
  it("SRV-1 tells clients when to come back, and closes with SERVER_DRAINING", async () => {
    const world = new World();
    const [first, second] = [await world.peer(), await world.peer()];
    const done = world.server.drain({ withinMs: 8_000 });
    world.environment.chance = 0.5;
    await world.settle();
    await done;
    for (const peer of [first, second]) {
      expect(peer.of("error")).toMatchObject([{ error: { code: "SERVER_DRAINING", retryAfterMs: 500 } }]);
      expect(peer.closeCode).toBe(4102);
    }
    expect(world.server.stats()).toMatchObject({ connections: 0, sessions: 0 });
  });

  it("SRV-1 gives each client a time of its own", async () => {
    const world = new World();
    const peers = [await world.peer(), await world.peer(), await world.peer()];
    const chances = [0, 0.25, 0.999];
    world.environment.random = () => chances.shift() ?? 0;
    await world.server.drain({ withinMs: 1_000 });
    expect(peers.map((peer) => peer.of("error")[0]?.error.retryAfterMs)).toEqual([0, 250, 999]);
  });

  it("SRV-1 acknowledges what is being appended first, and keeps it", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    const release = world.broker.holdNext("append");
    const id = peer.request(peer.publishing(room, 1, text("x")));
    await world.settle();
    const done = world.server.drain();
    await world.advance(500);
    expect(peer.closeCode).toBeUndefined();
    release();
    await world.advance(100);
    await done;
    const ops = peer.frames.map((frame) => (frame.op === "reply" ? `reply ${frame.success}` : frame.op));
    expect(ops).toEqual(["welcome", "reply true", "error"]);
    expect(peer.replyTo(id)?.data).toMatchObject({ position: { seq: 1 } });
    expect((await world.broker.inner.head(room)).position.seq).toBe(1);
  });

  it("SRV-1 does not wait for ever for an append", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    world.broker.holdNext("append");
    peer.request(peer.publishing(room, 1, text("x")));
    await world.settle();
    const done = world.server.drain();
    await world.advance(2_100);
    await done;
    expect(peer.closeCode).toBe(4102);
  });

  it("SRV-1 turns away who comes meanwhile and after", async () => {
    const world = new World();
    await world.server.drain();
    const late = world.connect();
    await late.hello();
    expect(late.errorCodes).toEqual(["SERVER_DRAINING"]);
    expect(late.closeCode).toBe(4102);
    expect(world.server.stats().connections).toBe(0);
  });

  it("SRV-1 ends also who has not said hello", async () => {
    const world = new World();
    const peer = world.connect();
    await world.server.drain();
    expect(peer.closeCode).toBe(4102);
  });

  it("SRV-1 close leaves no timer and no subscription to the bus behind, and may be called twice", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    await peer.subscribe(room, { presence: true, member: { name: "Ada" } });
    await peer.subscribe("board:1");
    await world.server.close();
    await world.server.close();
    await world.settle();
    expect(world.environment.timerCount).toBe(0);
    expect(world.broker.listenerCount).toBe(0);
    expect(world.server.stats()).toEqual({ nodes: 1, connections: 0, sessions: 0, channels: 0, subscriptions: 0, httpReaders: 0, outboxBytes: 0, reducerErrors: 0, publishers: 0, prepared: 0 });
  });
});
