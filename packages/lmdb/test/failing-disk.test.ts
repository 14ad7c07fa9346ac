import type { EventRun } from "@tutti/server";
import { describe, expect, test } from "vitest";
import { Machine, count, eventsOf, request } from "./support/machine.js";
import { turns } from "./support/test-environment.js";

describe("a disk that fails", () => {
  for (const keepsFailed of [false, true]) {
    test(`LOG-4 appends end with UNAVAILABLE, nothing acknowledged is lost, and appends go on (${keepsFailed ? "it kept what failed" : "it lost what failed"})`, async () => {
      const machine = new Machine();
      const { store } = machine;
      const broker = machine.start();
      const runs: EventRun[] = [];
      await broker.subscribe("room:1", (run) => runs.push(run));
      for (let n = 1; n <= 3; n++) await broker.append("room:1", request({ payload: n, publisher: count(n) }));
      store.failure = new Error("no space left on the device");
      store.keepsFailed = keepsFailed;
      store.hold();
      const failing = broker.append("room:1", request({ payload: 4, publisher: count(4) }));
      await turns();
      const behind = broker.append("room:1", request({ payload: 5, publisher: count(5) }));
      const other = broker.append("room:2", request());
      const refused = broker.refuse("room:1", count(6), { code: "NO", message: "no" });
      const verdicts = Promise.allSettled([failing, behind, other, refused]);
      await turns();
      store.release();
      for (const verdict of await verdicts) expect(verdict).toMatchObject({ status: "rejected", reason: { code: "UNAVAILABLE" } });
      store.failure = undefined;
      const landed = keepsFailed ? 4 : 3;
      expect((await broker.head("room:1")).position.seq).toBe(landed);
      expect((await eventsOf(broker, "room:1")).map(({ payload }) => payload)).toEqual([1, 2, 3, 4].slice(0, landed));
      const again = await broker.append("room:1", request({ payload: 4, publisher: count(4) }));
      expect(again).toMatchObject({ outcome: keepsFailed ? "repeat" : "appended", position: { seq: 4 } });
      expect(await broker.append("room:1", request({ payload: 5, publisher: count(5) }))).toMatchObject({ outcome: "appended", position: { seq: 5 } });
      expect((await eventsOf(broker, "room:1")).map(({ payload }) => payload)).toEqual([1, 2, 3, 4, 5]);
      expect(runs.flatMap(({ events }) => events.map(({ seq }) => seq))).toEqual(keepsFailed ? [1, 2, 3, 5] : [1, 2, 3, 4, 5]);
    });
  }

  test("LOG-4 a new log begins once there is room, under the epoch that it gave out", async () => {
    const machine = new Machine();
    const { store } = machine;
    store.failure = new Error("no space left on the device");
    const broker = machine.start();
    const { position } = await broker.head("room:1");
    await expect(broker.append("room:1", request())).rejects.toMatchObject({ code: "UNAVAILABLE" });
    store.failure = undefined;
    expect(await broker.append("room:1", request())).toEqual({ outcome: "appended", position: { ...position, seq: 1 } });
    await broker.close();
    expect((await machine.start().head("room:1")).position).toEqual({ ...position, seq: 1 });
  });

  test("INV-1 that cannot be read where an append looks for what to forget: the append is written, and a later one forgets", async () => {
    const machine = new Machine();
    const { store } = machine;
    const before = machine.start();
    for (let n = 1; n <= 80; n++) await before.append("room:1", request({ publisher: count(n) }));
    await before.close();
    const broker = machine.start();
    await broker.lookup("room:1", count(80));
    const retention = { countMin: 0, ageMsMin: 0, countMax: 10, bytesMax: 1_000_000 };
    const { failReads } = store;
    failReads.add("e");
    expect(await broker.append("room:1", request({ payload: "late", publisher: count(81), retention }))).toMatchObject({ position: { seq: 81 } });
    failReads.clear();
    expect(await broker.append("room:1", request({ publisher: count(81), retention }))).toMatchObject({ outcome: "repeat", position: { seq: 81 } });
    expect((await eventsOf(machine.start(), "room:1")).at(-1)?.payload).toBe("late");
    await broker.append("room:1", request({ publisher: count(82), retention }));
    expect((await broker.head("room:1")).floor).toBe(81);
  });

  test("LOG-4 a payload that cannot be stored fails by itself", async () => {
    const broker = new Machine().start();
    const outcomes = await Promise.allSettled([
      broker.append("room:1", request({ publisher: count(1) })),
      broker.append("room:1", request({ payload: () => {}, publisher: count(2) })),
      broker.append("room:1", request({ publisher: count(2) })),
      broker.append("a\0b", request()),
    ]);
    expect(outcomes).toMatchObject([
      { value: { position: { seq: 1 } } },
      { reason: { code: "PAYLOAD_INVALID" } },
      { value: { position: { seq: 2 } } },
      { reason: { code: "CHANNEL_INVALID" } },
    ]);
  });
});
