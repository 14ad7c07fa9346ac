import { describe, expect, it } from "vitest";
import { memoryBroker, silentLog, type ServerOptions } from "@tutti/server";
import { ReadinessWatch } from "../src/lifecycle/readiness.js";
import type { Peer } from "./support/peer.js";
import { World } from "./support/world.js";

const ready = { status: "ready" };
const notReady = (...reasons: readonly object[]) => ({ status: "not-ready", reasons });

describe("a node", () => {
  it("HLT-1 says that it lives, under which name, since when, and how late its loop is", async () => {
    const world = await started();
    await world.advance(2_500);
    expect(world.server.health()).toEqual({ status: "live", node: expect.any(String), upMs: 2_500, loopLagMs: 0, hellosWaiting: 0 });
  });

  it("HLT-2 is ready, and not while it is full", async () => {
    const world = await started({ connectionsMax: 1 });
    expect(world.server.readiness()).toEqual(ready);
    const peer = await world.peer();
    expect(world.server.readiness()).toEqual(notReady({ code: "full", connectionsMax: 1 }));
    peer.drop();
    expect(world.server.readiness()).toEqual(ready);
  });

  it("HLT-2 names all of its reasons", async () => {
    const world = await started({ connectionsMax: 0 });
    world.broker.health = () => ({ status: "unavailable", reason: "no connection" });
    void world.server.drain({ noticeMs: 1_000 });
    expect(world.server.readiness()).toEqual(
      notReady({ code: "draining" }, { code: "full", connectionsMax: 0 }, { code: "broker-unavailable", reason: "no connection" }),
    );
  });

  it("HLT-2 is starting until all is there that it waits for, each once", () => {
    const watch = new ReadinessWatch({
      bounds: { connectionsMax: 1, loopLagMsMax: 1 },
      connections: { size: 0 },
      drain: { isUnderWay: false },
      hellos: { isLoaded: false, waiting: 0, longestMs: 0 },
      lag: { ms: 0 },
      broker: { health: () => ({ status: "ready" }) },
      log: silentLog,
      random: () => 0,
    });
    const [one, other] = [watch.starting("memberships"), watch.starting("memberships")];
    expect(watch.now()).toEqual(notReady({ code: "starting", waitsFor: ["memberships", "memberships"] }));
    one();
    one();
    expect(watch.now()).toEqual(notReady({ code: "starting", waitsFor: ["memberships"] }));
    // Who comes now is taken: what it asks for waits, and other nodes may be starting, too.
    expect(watch.refusal()).toBeUndefined();
    other();
    expect(watch.now()).toEqual(ready);
  });

  it("HLT-2 logs a change once, and none where it was told to stop", async () => {
    const world = await started({ connectionsMax: 1 });
    const peer = await world.peer();
    await world.advance(3_000);
    expect(world.log.warnings).toEqual(["not ready"]);
    peer.drop();
    await world.advance(3_000);
    expect(world.log.warnings).toEqual(["not ready", "ready again"]);
    await world.server.drain();
    await world.advance(3_000);
    expect(world.log.warnings.length).toBe(2);
  });
});

describe("a broker that says how it is", () => {
  it("HLT-3 makes the node as ready as it is, and newcomers are taken all the same", async () => {
    const world = await started();
    world.broker.health = () => ({ status: "unavailable", reason: "the subscription is silent" });
    expect(world.server.readiness()).toEqual(notReady({ code: "broker-unavailable", reason: "the subscription is silent" }));
    await world.peer();
    world.broker.health = () => ({ status: "ready" });
    expect(world.server.readiness()).toEqual(ready);
  });

  it("HLT-3 is not believed to be well where it cannot say", async () => {
    const world = await started();
    world.broker.health = () => {
      throw new Error("not connected");
    };
    expect(world.server.readiness()).toEqual(notReady({ code: "broker-unavailable", reason: "it cannot say how it is: Error: not connected" }));
  });
});

describe("a broker that fails", () => {
  it("HLT-3 is unavailable once appends have failed for brokerFailingMsMax, and ready again with the first that works", async () => {
    const world = await started({ brokerFailingMsMax: 4_000 });
    const peer = await world.peer();
    await failing(world, peer);
    await world.advance(3_900);
    await failing(world, peer);
    expect(world.server.readiness()).toEqual(ready);
    await world.advance(100);
    await failing(world, peer);
    expect(world.server.readiness()).toEqual(notReady({ code: "broker-unavailable", reason: "append failed for 4000 ms" }));
    await publish(peer);
    expect(world.server.readiness()).toEqual(ready);
  });

  it("HLT-3 is unavailable where the application's own publishes have failed for as long", async () => {
    const world = await started({ brokerFailingMsMax: 4_000 });
    const channel = world.server.channel("any:{id}", { id: "1" });
    for (const waitMs of [0, 2_000, 2_000]) {
      await world.advance(waitMs);
      world.broker.failNext("append");
      await expect(channel.publish("x", 1)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    }
    expect(world.server.readiness()).toMatchObject({ reasons: [{ code: "broker-unavailable" }] });
    await channel.publish("x", 1);
    expect(world.server.readiness()).toEqual(ready);
  });

  it("HLT-3 is well where something worked in between", async () => {
    const world = await started({ brokerFailingMsMax: 4_000 });
    const peer = await world.peer();
    await failing(world, peer);
    await world.advance(3_000);
    await publish(peer);
    await failing(world, peer);
    await world.advance(3_000);
    await failing(world, peer);
    expect(world.server.readiness()).toEqual(ready);
  });

  it("HLT-3 is not meant where the request is wrong", async () => {
    const world = await started({ brokerFailingMsMax: 0, broker: memoryBroker({ channelsMax: 1 }) });
    const peer = await world.peer();
    await publish(peer);
    expect(await publish(peer)).toBe("LIMIT_EXCEEDED");
    expect(world.server.readiness()).toEqual(ready);
  });

  it("HLT-3 is asked by the node itself where nobody asks, until it works", async () => {
    const world = await started({ brokerFailingMsMax: 4_000 });
    const peer = await world.peer();
    await failing(world, peer);
    world.broker.failNext("head");
    world.broker.failNext("head");
    await world.advance(5_000);
    expect(world.server.readiness()).toMatchObject({ reasons: [{ code: "broker-unavailable" }] });
    await world.advance(4_000);
    expect(world.server.readiness()).toMatchObject({ reasons: [{ code: "broker-unavailable" }] });
    await world.advance(4_000);
    expect(world.server.readiness()).toEqual(ready);
    expect(world.broker.countOf("head")).toBe(3);
    await world.advance(20_000);
    expect(world.broker.countOf("head")).toBe(3);
  });

  it("HLT-3 is not asked once more before it has answered", async () => {
    const world = await started({ brokerFailingMsMax: 1_000 });
    const peer = await world.peer();
    await failing(world, peer);
    const release = world.broker.holdNext("head");
    await world.advance(10_000);
    expect(world.broker.countOf("head")).toBe(1);
    release();
    await world.settle();
    expect(world.server.readiness()).toEqual(ready);
  });

  it("HLT-3 is unavailable for appends though heads can be had, as on a full disk", async () => {
    const world = await started({ brokerFailingMsMax: 4_000, headCheckMs: 1_000, heartbeatIntervalMs: 25_000 });
    const peer = await world.peer();
    await peer.subscribe("quiet:1");
    for (let passed = 0; passed <= 4_000; passed += 1_000) {
      await failing(world, peer);
      await world.advance(1_000);
    }
    expect(world.broker.countOf("heads")).toBeGreaterThan(2);
    expect(world.server.readiness()).toMatchObject({ reasons: [{ code: "broker-unavailable" }] });
  });

  it("HLT-3 is unavailable where heads cannot be had for as long, though nobody publishes", async () => {
    const world = await started({ brokerFailingMsMax: 2_000, headCheckMs: 1_000 });
    const peer = await world.peer();
    await peer.subscribe("quiet:1");
    for (let count = 0; count < 8; count++) world.broker.failNext("heads");
    await world.advance(6_000);
    expect(world.server.readiness()).toMatchObject({ reasons: [{ code: "broker-unavailable" }] });
    await world.advance(6_000);
    expect(world.server.readiness()).toEqual(ready);
  });
});

describe("an event loop", () => {
  it("HLT-4 that stood still once is not lagging", async () => {
    const world = await started();
    await world.advance(5_000);
    await world.environment.standStill(30_000);
    expect(world.server.readiness()).toEqual(ready);
    expect(world.connect().closeCode).toBeUndefined();
  });

  it("HLT-4 ADM-3 that comes late look after look is lagging, and newcomers are refused until it does not", async () => {
    const world = await started({ loopLagMsMax: 400 });
    const peer = await world.peer();
    await world.advance(5_000);
    for (let look = 0; look < 2; look++) await world.environment.standStill(1_500);
    expect(world.server.readiness()).toEqual(notReady({ code: "loop-lagging", lagMs: 500, lagMsMax: 400 }));
    expect(world.server.health().loopLagMs).toBe(500);
    expect(world.connect().errorCodes).toEqual(["UNAVAILABLE"]);
    expect(await peer.codeOf(peer.publishing("any:1", 1, 1))).toBeUndefined();
    await world.advance(2_000);
    expect(world.server.readiness()).toEqual(ready);
    expect(world.connect().closeCode).toBeUndefined();
  });
});

/** A node that has all that it waits for at its start. */
async function started(options: ServerOptions = {}): Promise<World> {
  const world = new World(options);
  await world.settle();
  return world;
}

let published = 0;

async function publish(peer: Peer): Promise<string | undefined> {
  const n = ++published;
  return peer.codeOf(peer.publishing(`any:${n}`, 1, n));
}

async function failing(world: World, peer: Peer): Promise<void> {
  world.broker.failNext("append");
  expect(await publish(peer)).toBe("UNAVAILABLE");
}
