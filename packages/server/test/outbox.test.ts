import { describe, expect, it } from "vitest";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "room:1";
const kilobyte = { text: "x".repeat(1_000) };

async function crowd(outboxBytesMax: number) {
  const world = new World({ contract: rooms, outboxBytesMax });
  const [stalled, reading] = [await world.peer(), await world.peer()];
  await stalled.subscribe(room);
  await reading.subscribe(room);
  const handle = world.server.channel("room:{id}", { id: "1" });
  const publish = async (): Promise<void> => {
    await handle.publish("note:add", kilobyte);
    await world.settle();
  };
  return { world, stalled, reading, publish };
}

describe("an outbox", () => {
  it("LIM-1 stops at its bound, what the transport holds included, and the connection ends with SLOW_CONSUMER", async () => {
    const { world, stalled, publish } = await crowd(10_000);
    stalled.transport.stall();
    for (let count = 0; count < 50; count++) {
      await publish();
      expect(world.server.stats().outboxBytes).toBeLessThanOrEqual(10_000);
    }
    expect(stalled.transport.closing).toEqual({ closeCode: 4101, reason: "SLOW_CONSUMER" });
    expect(world.server.stats()).toMatchObject({ connections: 1, subscriptions: 1, outboxBytes: 0 });
  });

  it("LIM-1 of one does not hold up the others", async () => {
    const { stalled, reading, publish } = await crowd(10_000);
    stalled.transport.stall();
    for (let count = 0; count < 50; count++) await publish();
    expect(reading.eventsOf(room).length).toBe(50);
    expect(reading.closeCode).toBeUndefined();
  });

  it("LIM-1 of one that was cut off is made up for by its positions", async () => {
    const { world, stalled, publish } = await crowd(10_000);
    await publish();
    const [seen] = stalled.eventsOf(room);
    stalled.transport.stall();
    for (let count = 0; count < 50; count++) await publish();
    const back = await world.peer();
    await back.subscribe(room, { since: { epoch: seen!.epoch, seq: seen!.seq, eventId: seen!.eventId } });
    expect(back.eventsOf(room).map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, index) => index + 2));
  });

  it("LIM-1 of one that reads again in time goes on", async () => {
    const { stalled, publish } = await crowd(10_000);
    for (let round = 0; round < 10; round++) {
      stalled.transport.stall();
      for (let count = 0; count < 6; count++) await publish();
      stalled.transport.drain(stalled.events);
    }
    expect(stalled.closeCode).toBeUndefined();
    expect(stalled.eventsOf(room).length).toBe(60);
  });

  it("LIM-1 writes to a client that is behind when it has taken what it was sent before, and then all in one", async () => {
    const { stalled, publish } = await crowd(10_000);
    const { transport } = stalled;
    transport.stall();
    const before = transport.writes;
    for (let count = 0; count < 6; count++) await publish();
    expect(transport.writes).toBe(before + 1);
    transport.drain(stalled.events);
    expect(transport.writes).toBe(before + 2);
    expect(stalled.eventsOf(room).length).toBe(6);
    await publish();
    expect(transport.writes).toBe(before + 3);
  });

  it("LIM-1 of one that is cut off is dropped but for what the transport holds", async () => {
    const { stalled, publish } = await crowd(10_000);
    stalled.transport.stall();
    for (let count = 0; count < 50; count++) await publish();
    expect(stalled.transport.closing?.reason).toBe("SLOW_CONSUMER");
    expect(stalled.transport.bufferedBytes).toBeLessThan(2_000);
  });

  it("LIM-1 of one that ends otherwise is handed over before, what the transport holds or not", async () => {
    const { world, stalled, publish } = await crowd(10_000);
    stalled.transport.stall();
    for (let count = 0; count < 3; count++) await publish();
    for (const { session } of world.server.connections()) await world.server.disconnect({ session }, "the room is closed");
    await world.settle();
    stalled.transport.drain(stalled.events);
    expect(stalled.eventsOf(room).length).toBe(3);
    expect(stalled.errorCodes).toEqual(["KICKED"]);
  });

  it("LIM-1 counts the server's answers too", async () => {
    const world = new World({ outboxBytesMax: 1_000 });
    const peer = await world.peer();
    peer.transport.stall();
    for (let count = 0; count < 200 && peer.closeCode === undefined; count++) {
      peer.send({ op: "ping" });
      await world.settle();
    }
    expect(peer.closeCode).toBe(4101);
  });

  it("LIM-1 takes a single packet that is larger than the bound, where nothing waits", async () => {
    const { reading, publish } = await crowd(500);
    await publish();
    await publish();
    expect(reading.eventsOf(room).length).toBe(2);
    expect(reading.closeCode).toBeUndefined();
  });
});

describe("a turn", () => {
  it("PUB-1 makes one write of all that it brings to a connection", async () => {
    const { world, reading } = await crowd(100_000);
    await reading.subscribe("room:2");
    const before = reading.transport.writes;
    for (const id of ["1", "2", "1"]) await world.server.channel("room:{id}", { id }).publish("note:add", kilobyte);
    reading.send({ op: "ping" });
    await world.environment.tick();
    expect(reading.transport.writes).toBe(before + 1);
    expect(reading.of("events").length).toBe(2);
    expect(reading.of("pong").length).toBe(1);
  });

  it("LIM-1 stops at its bound also where a single turn brings it all", async () => {
    const { world, stalled } = await crowd(4_000);
    const ids = Array.from({ length: 20 }, (_, index) => `${index + 10}`);
    for (const id of ids) await stalled.subscribe(`room:${id}`);
    stalled.transport.stall();
    await Promise.all(ids.map((id) => world.server.channel("room:{id}", { id }).publish("note:add", kilobyte)));
    await world.environment.tick();
    expect(stalled.closeCode).toBe(4101);
    expect(stalled.transport.bufferedBytes).toBeLessThanOrEqual(4_000);
  });

  it("LIM-1 may bring more than the bound to a client that reads", async () => {
    const { world, reading } = await crowd(4_000);
    const ids = ["2", "3", "4", "5", "6", "7"];
    for (const id of ids) await reading.subscribe(`room:${id}`);
    await Promise.all(ids.map((id) => world.server.channel("room:{id}", { id }).publish("note:add", kilobyte)));
    await world.environment.tick();
    expect(reading.closeCode).toBeUndefined();
    expect(reading.of("events").length).toBe(6);
  });

  it("PUB-1 fans out a great many events in frames of a size that can be handled", async () => {
    const { world, reading } = await crowd(10_000_000);
    const handle = world.server.channel("room:{id}", { id: "1" });
    for (let index = 0; index < 3_000; index++) await handle.publish("note:add", { text: "x" });
    await world.settle();
    expect(reading.of("events").map((frame) => frame.events.length)).toEqual([1_024, 1_024, 952]);
  });

  it("PUB-1 does not end with what one channel fails at", async () => {
    const { world, reading } = await crowd(100_000);
    await reading.subscribe("room:2");
    // What no server of this kind would log: a broker shared with another one may hold it.
    await world.broker.inner.append(room, { event: { eventId: "poison", type: "note:add", payload: () => 1, timestamp: 0 } });
    await world.server.channel("room:{id}", { id: "2" }).publish("note:add", kilobyte);
    await world.settle();
    expect(reading.eventsOf("room:2").length).toBe(1);
    expect(world.log.errors).toEqual(["the end of a turn failed"]);
  });

  it("REC-2 a replay that meets such an event ends the subscription, and says so", async () => {
    const world = new World({ contract: rooms });
    const { position } = await world.server.channel("room:{id}", { id: "9" }).publish("note:add", kilobyte);
    await world.broker.inner.append("room:9", { event: { eventId: "poison", type: "note:add", payload: () => 1, timestamp: 0 } });
    const peer = await world.peer();
    await peer.subscribe("room:9", { since: position });
    expect(peer.of("left")).toMatchObject([{ channel: "room:9", error: { code: "INTERNAL" } }]);
    await world.advance(32_000);
    expect(world.server.stats().channels).toBe(0);
  });
});
