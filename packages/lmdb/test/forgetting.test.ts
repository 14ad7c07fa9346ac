import type { Broker } from "@tutti/server";
import { describe, expect, test } from "vitest";
import { Machine, count, key, request } from "./support/machine.js";
import { TestEnvironment, turns } from "./support/test-environment.js";

const DAY_MS = 24 * 3_600_000;

describe("publishers and keys", () => {
  test("LOG-8 are remembered for deduplicationMs after their last use, over a restart, and not longer", async () => {
    const machine = new Machine();
    const before = machine.start();
    await before.append("room:1", request({ publisher: count(1, "a") }));
    await before.append("room:1", request({ key: key("a") }));
    await machine.environment.advance(10 * DAY_MS);
    await before.append("room:1", request({ publisher: count(1, "b") }));
    await before.append("room:1", request({ key: key("b") }));
    await before.close();
    machine.environment = new TestEnvironment(machine.environment.now() + 3.9 * DAY_MS);
    const after = machine.start();
    for (const name of ["a", "b"]) {
      expect(await after.lookup("room:1", count(1, name))).toMatchObject({ outcome: "repeat" });
      expect(await after.lookup("room:1", key(name))).toMatchObject({ outcome: "repeat" });
    }
    await machine.environment.advance(DAY_MS);
    expect(await after.lookup("room:1", count(1, "a"))).toBeUndefined();
    expect(await after.lookup("room:1", key("a"))).toBeUndefined();
    expect(await after.lookup("room:1", count(1, "b"))).toMatchObject({ outcome: "repeat" });
    expect(await after.lookup("room:1", key("b"))).toMatchObject({ outcome: "repeat" });
  });

  test("LOG-8 that were forgotten leave nothing on disk, whatever was used since stays", async () => {
    const machine = new Machine();
    const broker = machine.start();
    const all = Array.from({ length: 400 }, (_, index) => `${index}`);
    for (const channel of ["room:1", "room:2"]) {
      await Promise.all(all.map((name) => broker.append(channel, request({ publisher: count(1, name) }))));
      await Promise.all(all.map((name) => broker.append(channel, request({ key: key(name) }))));
    }
    await machine.environment.advance(10 * DAY_MS);
    // Those that stay stand before those that go.
    await Promise.all(all.map((name) => broker.append("room:1", request({ publisher: count(2, name) }))));
    await broker.append("room:1", request({ key: key("late") }));
    expect([machine.store.count("p"), machine.store.count("k"), machine.store.count("o")]).toEqual([800, 801, 801]);
    await machine.environment.advance(4.5 * DAY_MS);
    expect([machine.store.count("p"), machine.store.count("k"), machine.store.count("o")]).toEqual([400, 1, 1]);
    expect(await broker.append("room:1", request({ publisher: count(1, "0") }))).toMatchObject({ outcome: "repeat" });
    expect(await broker.lookup("room:1", key("late"))).toMatchObject({ outcome: "repeat" });
  });

  for (const order of ["publishes, and then is found", "is found, and then publishes"] as const) {
    test(`LOG-8 a publisher that ${order} by the sweep while the disk is at work is not forgotten`, async () => {
      const machine = new Machine();
      const { environment, store } = machine;
      const broker = machine.start();
      await broker.append("room:1", request({ publisher: count(1) }));
      await environment.advance(14 * DAY_MS + 2);
      const again = (): Promise<unknown> => broker.append("room:1", request({ publisher: count(1) }));
      store.hold();
      const early = order.startsWith("publishes") ? again() : broker.append("room:2", request());
      await turns();
      await environment.advance(DAY_MS);
      const late = order.startsWith("publishes") ? early : again();
      store.release();
      await Promise.all([early, late]);
      await broker.close();
      expect(await machine.start().lookup("room:1", count(1))).toMatchObject({ outcome: "repeat" });
    });
  }

  test("LOG-8 a wall clock that jumps while the process runs makes it forget nothing early", async () => {
    const machine = new Machine();
    const broker = machine.start();
    await broker.append("room:1", request({ publisher: count(1) }));
    machine.environment.jumpWall(400 * DAY_MS);
    await machine.environment.advance(DAY_MS);
    expect(await broker.lookup("room:1", count(1))).toMatchObject({ outcome: "repeat" });
    machine.environment.jumpWall(-800 * DAY_MS);
    await machine.environment.advance(DAY_MS);
    expect(await broker.lookup("room:1", count(1))).toMatchObject({ outcome: "repeat" });
  });

  test("LOG-8 a wall clock that was set back between two processes makes the second forget nothing early", async () => {
    const machine = new Machine();
    const before = machine.start();
    await before.append("room:1", request({ publisher: count(1) }));
    await before.close();
    machine.environment = new TestEnvironment(machine.environment.now() - 400 * DAY_MS);
    const after = machine.start();
    await after.append("room:1", request({ publisher: count(2) }));
    await machine.environment.advance(13 * DAY_MS);
    expect(await after.lookup("room:1", count(1))).toMatchObject({ outcome: "repeat" });
  });

  for (const [wrong, name, wrongMs] of [["first", "behind", -10_000 * DAY_MS], ["second", "ahead", 10_000 * DAY_MS]] as const) {
    test(`LOG-8 a wall clock that was ${name} as the ${wrong} of two processes started, and was set then, makes neither forget early`, async () => {
      const machine = new Machine();
      const startMs = machine.environment.now();
      const start = (at: number, isWrong: boolean): Broker => {
        machine.environment = new TestEnvironment(startMs + at + (isWrong ? wrongMs : 0));
        const broker = machine.start();
        if (isWrong) machine.environment.jumpWall(-wrongMs);
        return broker;
      };
      const before = start(0, wrong === "first");
      await before.append("room:1", request({ publisher: count(1) }));
      await before.append("room:1", request({ key: key("a") }));
      await before.close();
      const after = start(DAY_MS, wrong === "second");
      await machine.environment.advance(12 * DAY_MS);
      expect(await after.lookup("room:1", count(1))).toMatchObject({ outcome: "repeat" });
      expect(await after.lookup("room:1", key("a"))).toMatchObject({ outcome: "repeat" });
    });
  }

  test("BRK-4 of a channel's keys the newest keysMax are remembered", async () => {
    const machine = new Machine();
    const before = machine.start({ keysMax: 3 });
    for (const name of ["a", "b", "c", "d"]) await before.append("room:1", request({ key: key(name) }));
    expect(await before.lookup("room:1", key("a"))).toBeUndefined();
    expect(await before.lookup("room:1", key("b"))).toMatchObject({ outcome: "repeat" });
    await before.close();
    const after = machine.start({ keysMax: 3 });
    await after.append("room:1", request({ key: key("e") }));
    expect(await after.lookup("room:1", key("b"))).toBeUndefined();
    expect(await after.lookup("room:1", key("c"))).toMatchObject({ outcome: "repeat" });
    expect([machine.store.count("k"), machine.store.count("o")]).toEqual([3, 3]);
  });

  test("BRK-2 of a publisher's answers at least the newest answersMax are remembered, refusals among them; of older ones it does not know", async () => {
    const machine = new Machine();
    const broker = machine.start({ answersMax: 5 });
    const error = { code: "NO", message: "line\nbreak" };
    for (let n = 1; n <= 40; n++) {
      if (n % 3 === 0) await broker.refuse("room:1", count(n), error);
      else await broker.append("room:1", request({ publisher: count(n) }));
      if (n % 7 === 0) await broker.append("room:1", request());
    }
    await broker.close();
    const after = machine.start({ answersMax: 5 });
    expect(await after.lookup("room:1", count(36))).toEqual({ outcome: "refused", error });
    for (const n of [37, 38, 40]) {
      // What landed before it: publishes that were not refused, and one more event after every seventh.
      const seq = n - Math.floor(n / 3) + Math.floor((n - 1) / 7);
      expect(await after.lookup("room:1", count(n))).toMatchObject({ outcome: "repeat", position: { seq } });
    }
    expect(await after.lookup("room:1", count(1))).toEqual({ outcome: "unknown" });
  });
});
