import type { EventRun } from "@tutti/server";
import { describe, expect, test } from "vitest";
import { Machine, count, eventsOf, request } from "./support/machine.js";
import { turns } from "./support/test-environment.js";

const durability = "commit";

describe("a log that acknowledges before the flush", () => {
  test("LOG-6 acknowledges, delivers and reads while the disk is still at it", async () => {
    const machine = new Machine();
    const broker = machine.start({ durability });
    const runs: EventRun[] = [];
    await broker.subscribe("room:1", (run) => runs.push(run));
    await broker.append("room:1", request({ payload: 1 }));
    await turns();
    machine.store.hold();
    await broker.append("room:1", request({ payload: 2 }));
    await turns();
    expect(await broker.append("room:1", request({ payload: 3, publisher: count(1) }))).toMatchObject({ position: { seq: 3 } });
    expect(await broker.append("room:1", request({ publisher: count(1) }))).toMatchObject({ outcome: "repeat", position: { seq: 3 } });
    expect((await broker.head("room:1")).position.seq).toBe(3);
    expect((await eventsOf(broker, "room:1")).map(({ payload }) => payload)).toEqual([1, 2, 3]);
    const epoch = (await broker.head("room:1")).position.epoch;
    expect(await broker.read("room:1", { epoch, seq: 1 }, { countMax: 1 })).toMatchObject({ run: { events: [{ payload: 2 }] } });
    expect(runs.flatMap(({ events }) => events.map(({ seq }) => seq))).toEqual([1, 2, 3]);
    machine.store.release();
    await broker.close();
  });

  test("LOG-6 shows nothing unflushed before the disk says that it may be lost", async () => {
    const machine = new Machine();
    const first = machine.start({ durability });
    await first.append("room:1", request());
    await first.close();
    const { store } = machine;
    store.hold();
    const broker = machine.start({ durability });
    const before = await broker.head("room:1");
    const runs: EventRun[] = [];
    await broker.subscribe("room:1", (run) => runs.push(run));
    let acknowledged = 0;
    const appends = [1, 2, 3].map(async (n) => {
      const outcome = await broker.append("room:1", request({ publisher: count(n) }));
      acknowledged++;
      return outcome;
    });
    await turns();
    expect([acknowledged, runs, await broker.head("room:1")]).toEqual([0, [], before]);
    store.release();
    expect(await Promise.all(appends)).toMatchObject([2, 3, 4].map((seq) => ({ outcome: "appended", position: { seq } })));
    // Killed at that moment.
    expect((await machine.start().head("room:1")).position.epoch).not.toBe(before.position.epoch);
  });

  test("LOG-6 says that it may be lost before it acknowledges, also where a first attempt at that fails", async () => {
    const machine = new Machine();
    const broker = machine.start({ durability });
    machine.store.failure = new Error("no space left on the device");
    await expect(broker.append("room:1", request({ publisher: count(1) }))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(broker.refuse("room:1", count(1), { code: "NO", message: "no" })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    machine.store.failure = undefined;
    const seen = await broker.append("room:1", request({ publisher: count(1) }));
    if (seen.outcome !== "appended") throw new Error("nothing was appended");
    expect((await machine.start().head("room:1")).position.epoch).not.toBe(seen.position.epoch);
  });

  test("LOG-6 begins a new epoch after an end that was not clean, goes on with the positions, and keeps the snapshot", async () => {
    const machine = new Machine();
    const killed = machine.start({ durability });
    await killed.append("room:1", request({ payload: 1 }));
    await turns();
    const { position } = await killed.head("room:1");
    await killed.saveSnapshot("room:1", { position, version: 1, state: "one" });
    const after = machine.start({ durability });
    const head = (await after.head("room:1")).position;
    expect(head.seq).toBe(1);
    expect(head.epoch).not.toBe(position.epoch);
    expect(await after.read("room:1", position, { countMax: 10 })).toMatchObject({ outcome: "gap", head });
    expect(await after.loadSnapshot("room:1")).toEqual({ position: head, version: 1, state: "one" });
    await after.close();
    expect((await machine.start({ durability }).head("room:1")).position).toEqual(head);
  });

  test("LOG-6 begins a new epoch after an end that was not clean also where the next process waits for the flush", async () => {
    const machine = new Machine();
    const killed = machine.start({ durability });
    await killed.append("room:1", request());
    await turns();
    const { position } = await killed.head("room:1");
    const after = machine.start();
    const head = (await after.head("room:1")).position;
    expect(head.epoch).not.toBe(position.epoch);
    await after.append("room:1", request());
    expect((await machine.start().head("room:1")).position).toEqual({ ...head, seq: 2 });
  });

  test("LOG-6 keeps the epoch after a clean end", async () => {
    const machine = new Machine();
    const before = machine.start({ durability });
    await before.append("room:1", request());
    const { position } = await before.head("room:1");
    await before.close();
    expect((await machine.start({ durability }).head("room:1")).position).toEqual(position);
  });

  test("LOG-6 begins a new epoch where the disk fails, since somebody saw what will not be there", async () => {
    const machine = new Machine();
    const broker = machine.start({ durability });
    await broker.append("room:1", request({ payload: 1 }));
    await turns();
    machine.store.failure = new Error("no space left on the device");
    const seen = await broker.append("room:1", request({ payload: 2 }));
    if (seen.outcome !== "appended") throw new Error("nothing was appended");
    await turns();
    machine.store.failure = undefined;
    expect(await broker.read("room:1", seen.position, { countMax: 10 })).toMatchObject({ outcome: "gap" });
    const again = await broker.append("room:1", request({ payload: 3 }));
    expect(again).toMatchObject({ outcome: "appended", position: { seq: 2 } });
    expect((await eventsOf(broker, "room:1")).map(({ payload }) => payload)).toEqual([1, 3]);
    expect((await broker.head("room:1")).position.epoch).not.toBe(seen.position.epoch);
  });

  test("LOG-6 begins a new epoch where the disk failed, also where a clean end is all that comes after it", async () => {
    const machine = new Machine();
    const broker = machine.start({ durability });
    await broker.append("room:1", request());
    await turns();
    machine.store.failure = new Error("no space left on the device");
    const seen = await broker.append("room:1", request());
    await turns();
    machine.store.failure = undefined;
    await broker.close();
    const next = await machine.start({ durability }).append("room:1", request());
    if (seen.outcome !== "appended" || next.outcome !== "appended") throw new Error("nothing was appended");
    expect(next.position.seq).toBe(seen.position.seq);
    expect(next.position.epoch).not.toBe(seen.position.epoch);
  });

  test("LOG-6 does not run ahead of the disk without bound", async () => {
    const machine = new Machine();
    const broker = machine.start({ durability });
    await broker.append("room:1", request());
    machine.store.hold();
    let acknowledged = 0;
    const appends = Array.from({ length: 3_000 }, () => broker.append("room:1", request()).then(() => acknowledged++));
    await turns();
    expect(acknowledged).toBeGreaterThan(0);
    expect(acknowledged).toBeLessThan(2_000);
    machine.store.release();
    await Promise.all(appends);
  });
});
