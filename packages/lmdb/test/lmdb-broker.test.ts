import { brokerContractSuite } from "@tutti/testkit";
import type { Broker } from "@tutti/server";
import { describe, expect, it, test } from "vitest";
import { lmdbBroker } from "../src/lmdb-broker.js";
import { freshDirectory } from "./support/directory.js";
import { count, eventsOf, key, request } from "./support/machine.js";
import { TestEnvironment } from "./support/test-environment.js";

for (const durability of ["flush", "commit"] as const) {
  brokerContractSuite(
    `the durable log, in LMDB, with durability ${durability}`,
    async () => {
      const environment = new TestEnvironment();
      const broker = await lmdbBroker({ directory: freshDirectory(), environment, durability });
      return { broker, elapse: (ms) => environment.advance(ms), dispose: () => broker.close() };
    },
    { describe, it, expect },
  );
}

describe("what LMDB keeps", () => {
  test("LOG-2 is what was given: bytes, halves of characters, names in all scripts, keys of any length, and large states", async () => {
    const directory = freshDirectory();
    const before = await lmdbBroker({ directory });
    const payload = { bytes: new Uint8Array([0, 128, 255]), half: "\ud800 and \udc00", text: "käse 🧀 \0 \u2028", "": [null, true, -0.5, 1e300], none: {} };
    const made = request({ payload, key: key(`${"long".repeat(2_000)}\0\ud800`) });
    const channel = `räume:${"間".repeat(120)}`;
    const state = { rows: Array.from({ length: 20_000 }, (_, index) => ({ index, text: "x".repeat(50) })) };
    await before.append(channel, made);
    const { position } = await before.head(channel);
    await before.saveSnapshot(channel, { position, version: 3, state });
    await before.close();
    const after = await lmdbBroker({ directory });
    expect(await eventsOf(after, channel)).toEqual([{ ...made.event, seq: 1, prev: 0 }]);
    expect(await after.append(channel, made)).toEqual({ outcome: "repeat", position });
    expect(await after.loadSnapshot(channel)).toEqual({ position, version: 3, state });
    await after.close();
  });

  test("BRK-13 is there again: heads, floors, refusals, repeats and keys", async () => {
    const directory = freshDirectory();
    const before = await lmdbBroker({ directory });
    const error = { code: "CANVAS_LOCKED", message: "somebody is presenting" };
    for (let n = 1; n <= 3; n++) await before.append("room:1", request({ publisher: count(n) }));
    await before.refuse("room:1", count(4), error);
    await before.append("room:1", request({ key: key("order-7") }));
    const { position, eventId } = await before.head("room:1");
    expect(eventId).toBeDefined();
    const second = (await eventsOf(before, "room:1"))[1]?.eventId;
    await before.trim("room:1", { ...position, seq: 2 });
    await before.close();
    const after = await lmdbBroker({ directory });
    expect(await after.head("room:1")).toEqual({ position, eventId, floor: 2, floorEventId: second });
    expect(await after.append("room:1", request({ publisher: count(1) }))).toMatchObject({ outcome: "repeat", position: { seq: 1 } });
    expect(await after.append("room:1", request({ publisher: count(4) }))).toEqual({ outcome: "refused", error });
    expect(await after.append("room:1", request({ key: key("order-7") }))).toEqual({ outcome: "repeat", position });
    expect(await after.append("room:1", request({ publisher: count(5) }))).toEqual({ outcome: "appended", position: { ...position, seq: 5 } });
    await after.close();
  });

  test("LOG-5 a trim of many events leaves room for other writes, and all of them are gone after it", async () => {
    const broker = await lmdbBroker({ directory: freshDirectory() });
    await Promise.all(Array.from({ length: 5_000 }, () => broker.append("room:1", request())));
    const { position } = await broker.head("room:1");
    let isTrimmed = false;
    const trimming = broker.trim("room:1", position).then(() => (isTrimmed = true));
    await broker.append("room:2", request());
    expect(isTrimmed).toBe(false);
    await trimming;
    expect(await broker.head("room:1")).toMatchObject({ position, floor: 5_000 });
    await broker.close();
  });
});

describe("a broker that is closed", () => {
  test("LOG-1 has flushed what was appended, and refuses everything after it with UNAVAILABLE", async () => {
    const directory = freshDirectory();
    const broker = await lmdbBroker({ directory });
    const { position } = await broker.head("room:1");
    const end = await broker.subscribe("room:1", () => {});
    const last = broker.append("room:1", request());
    const closed = broker.close();
    expect(await last).toMatchObject({ outcome: "appended" });
    await closed;
    await broker.close();
    await end();
    const calls: Record<string, (closed: Broker) => Promise<unknown>> = {
      append: (each) => each.append("room:1", request()),
      refuse: (each) => each.refuse("room:1", count(1), { code: "NO", message: "no" }),
      lookup: (each) => each.lookup("room:1", count(1)),
      read: (each) => each.read("room:1", position, { countMax: 1 }),
      head: (each) => each.head("room:1"),
      heads: (each) => each.heads(["room:1"]),
      locate: (each) => each.locate("room:1", { count: 1 }),
      trim: (each) => each.trim("room:1", position),
      subscribe: (each) => each.subscribe("room:1", () => {}),
      broadcast: (each) => each.broadcast("topic", "message"),
      listen: (each) => each.listen("topic", () => {}),
      saveSnapshot: (each) => each.saveSnapshot("room:1", { position, version: 1, state: 1 }),
      loadSnapshot: (each) => each.loadSnapshot("room:1"),
    };
    for (const call of Object.values(calls)) await expect(call(broker)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    const again = await lmdbBroker({ directory });
    expect(await eventsOf(again, "room:1")).toHaveLength(1);
    await again.close();
  });
});
