import type { EventRun } from "@tutti/server";
import { describe, expect, test } from "vitest";
import { Machine, count, eventsOf, key, request } from "./support/machine.js";

describe("a log that is opened again", () => {
  test("BRK-13 answers refusals, repeats and keys as before, and goes on counting", async () => {
    const machine = new Machine();
    const error = { code: "CANVAS_LOCKED", message: "somebody is presenting", data: { until: new Uint8Array([1, 2]) } };
    const before = machine.start();
    const first = await before.append("room:1", request({ publisher: count(1) }));
    await before.refuse("room:1", count(2), error);
    await before.append("room:1", request({ publisher: count(3) }));
    const keyed = await before.append("room:1", request({ key: key("order-7") }));
    await before.close();
    const after = machine.start();
    if (first.outcome !== "appended" || keyed.outcome !== "appended") throw new Error("nothing was appended");
    expect(await after.append("room:1", request({ publisher: count(1) }))).toEqual({ outcome: "repeat", position: first.position });
    expect(await after.append("room:1", request({ publisher: count(2) }))).toEqual({ outcome: "refused", error });
    expect(await after.lookup("room:1", count(3))).toMatchObject({ outcome: "repeat", position: { seq: 2 } });
    expect(await after.append("room:1", request({ publisher: count(5) }))).toEqual({ outcome: "out-of-order", highest: 3 });
    expect(await after.append("room:1", request({ key: key("order-7") }))).toEqual({ outcome: "repeat", position: keyed.position });
    expect(await after.append("room:1", request({ publisher: count(4) }))).toMatchObject({ outcome: "appended", position: { ...keyed.position, seq: 4 } });
  });

  test("BRK-13 has its events, floors and snapshots as before, also where all was trimmed", async () => {
    const machine = new Machine();
    const before = machine.start();
    const empty = (await before.head("room:3")).position;
    for (let n = 1; n <= 5; n++) for (const channel of ["room:1", "room:2"]) await before.append(channel, request({ payload: n }));
    const { position: head, eventId } = await before.head("room:1");
    const third = (await eventsOf(before, "room:1")).find(({ seq }) => seq === 3)?.eventId ?? "none";
    await before.saveSnapshot("room:1", { position: { ...head, seq: 3 }, eventId: third, version: 2, state: ["a"] });
    await before.trim("room:1", { ...head, seq: 3 });
    const last = (await eventsOf(before, "room:2")).at(-1)?.eventId;
    await before.trim("room:2", head);
    await before.close();
    const after = machine.start();
    expect(await after.head("room:1")).toEqual({ position: head, eventId, floor: 3, floorEventId: third });
    expect((await eventsOf(after, "room:1")).map(({ seq, prev, payload }) => [seq, prev, payload])).toEqual([[4, 3, 4], [5, 4, 5]]);
    expect(await after.loadSnapshot("room:1")).toEqual({ position: { ...head, seq: 3 }, eventId: third, version: 2, state: ["a"] });
    expect(await after.head("room:2")).toEqual({ position: head, eventId: last, floor: 5, floorEventId: last });
    expect(await after.append("room:2", request())).toMatchObject({ position: { seq: 6 } });
    expect((await after.head("room:3")).position).toEqual(empty);
  });

  test("BRK-15 knows the event at its floor as before, and none at a floor that was written before floors had one", async () => {
    const machine = new Machine();
    const before = machine.start();
    for (let n = 1; n <= 3; n++) await before.append("room:1", request());
    const { position, eventId } = await before.head("room:1");
    const second = (await eventsOf(before, "room:1"))[1]?.eventId;
    const floor = { ...position, seq: 2 };
    const another = { ...floor, eventId: "another" };
    await before.trim("room:1", floor);
    await before.close();
    const after = machine.start();
    expect(await after.read("room:1", another, { countMax: 1 })).toMatchObject({ outcome: "gap", floor: { ...floor, eventId: second } });
    await after.close();
    const record = JSON.parse(machine.store.get(["channel", "room:1"]) ?? "[]") as readonly unknown[];
    expect(record).toHaveLength(6);
    await machine.store.write([{ put: ["channel", "room:1"], value: JSON.stringify(record.slice(0, 5)) }]);
    const old = machine.start();
    expect(await old.head("room:1")).toEqual({ position, eventId, floor: 2 });
    expect(await old.read("room:1", another, { countMax: 1 })).toMatchObject({ outcome: "page" });
    await old.trim("room:1", position);
    expect(await old.head("room:1")).toEqual({ position, eventId, floor: 3, floorEventId: eventId });
  });

  test("BRK-13 counts what events take from before on", async () => {
    const machine = new Machine();
    const retention = { countMin: 0, ageMsMin: Number.MAX_SAFE_INTEGER, countMax: 1_000, bytesMax: 10_000 };
    const payload = "x".repeat(1_000);
    const before = machine.start();
    for (let n = 1; n <= 8; n++) await before.append("room:1", request({ payload, retention }));
    await before.close();
    const after = machine.start();
    for (let n = 9; n <= 16; n++) await after.append("room:1", request({ payload, retention }));
    const { position, floor } = await after.head("room:1");
    expect(position.seq).toBe(16);
    expect(floor).toBeGreaterThan(5);
    expect(floor).toBeLessThan(9);
  });

  test("LOG-5 reads nothing but what is asked for", async () => {
    const machine = new Machine();
    const before = machine.start();
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => before.append(`room:${index}`, request({ publisher: count(1) }))));
    await before.close();
    let readCount = 0;
    const range = machine.store.range.bind(machine.store);
    machine.store.range = function* (options) {
      for (const entry of range(options)) {
        readCount++;
        yield entry;
      }
    };
    const after = machine.start();
    expect(await after.append("room:7", request({ publisher: count(2) }))).toMatchObject({ position: { seq: 2 } });
    expect(readCount).toBeLessThan(5);
  });

  test("LOG-5 lets go of channels that are not in use, and knows them when they are asked for", async () => {
    const machine = new Machine();
    const broker = machine.start({ openChannelsMax: 3 });
    const heard: EventRun[] = [];
    await broker.subscribe("room:0", (run) => heard.push(run));
    let opened = 0;
    const get = machine.store.get.bind(machine.store);
    machine.store.get = (entry) => {
      if (entry[0] === "channel") opened++;
      return get(entry);
    };
    for (let round = 1; round <= 2; round++) {
      for (let index = 0; index < 10; index++) await broker.append(`room:${index}`, request({ publisher: count(round) }));
    }
    // The one with a subscriber stays, the nine others are opened once a round.
    expect(opened).toBe(18);
    expect(heard.flatMap(({ events }) => events.map(({ seq }) => seq))).toEqual([1, 2]);
    expect((await broker.head("room:5")).position.seq).toBe(2);
  });

  test("LOG-5 lets go of channels that were but looked at before those that were used", async () => {
    const machine = new Machine();
    const broker = machine.start({ openChannelsMax: 3 });
    for (const channel of ["room:1", "room:2"]) await broker.append(channel, request());
    await broker.heads(["room:1"]);
    await broker.append("room:3", request());
    await broker.append("room:4", request());
    const read: unknown[] = [];
    const get = machine.store.get.bind(machine.store);
    machine.store.get = (entry) => {
      if (entry[0] === "channel") read.push(entry[1]);
      return get(entry);
    };
    await broker.heads(["room:2", "room:3", "room:4"]);
    expect(read).toEqual([]);
    await broker.heads(["room:1"]);
    expect(read).toEqual(["room:1"]);
  });
});
