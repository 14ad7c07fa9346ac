import type { Position } from "@tutti/protocol";
import type { EventRun } from "@tutti/server";
import { brokerContractSuite } from "@tutti/testkit";
import { describe, expect, it, test } from "vitest";
import { durableBroker } from "../src/durable-broker.js";
import { Machine, count, eventsOf, request } from "./support/machine.js";
import { MemoryStore } from "./support/memory-store.js";
import { TestEnvironment, turns } from "./support/test-environment.js";

for (const durability of ["flush", "commit"] as const) {
  brokerContractSuite(
    `the durable log, on a disk in memory, with durability ${durability}`,
    async () => {
      const environment = new TestEnvironment();
      const broker = durableBroker(new MemoryStore(), { environment, durability });
      return { broker, elapse: (ms) => environment.advance(ms), dispose: () => broker.close() };
    },
    { describe, it, expect },
  );
}

/** What a promise has come to by now. */
async function stateOf(promise: Promise<unknown>): Promise<"pending" | "resolved" | "rejected"> {
  const settled = promise.then(() => "resolved" as const, () => "rejected" as const);
  await turns();
  return Promise.race([settled, Promise.resolve("pending" as const)]);
}

describe("what is not flushed", () => {
  test("LOG-1 is neither acknowledged, delivered, read, located nor the head, and all of that once it is", async () => {
    const machine = new Machine();
    const { store } = machine;
    const broker = machine.start();
    await broker.append("room:1", request());
    const before = await broker.head("room:1");
    const runs: EventRun[] = [];
    await broker.subscribe("room:1", (run) => runs.push(run));
    store.hold();
    const ack = broker.append("room:1", request({ publisher: count(1) }));
    const lookup = broker.lookup("room:1", count(1));
    const repeat = broker.append("room:1", request({ publisher: count(1) }));
    expect([await stateOf(ack), await stateOf(lookup), await stateOf(repeat)]).toEqual(["pending", "pending", "pending"]);
    expect(await broker.head("room:1")).toEqual(before);
    expect(await eventsOf(broker, "room:1")).toHaveLength(1);
    expect(await broker.locate("room:1", { count: 0 })).toEqual({ ...before.position, eventId: before.eventId });
    expect(runs).toEqual([]);
    store.release();
    const position: Position = { epoch: before.position.epoch, seq: 2 };
    expect(await ack).toEqual({ outcome: "appended", position });
    expect(await lookup).toEqual({ outcome: "repeat", position });
    expect(await repeat).toEqual({ outcome: "repeat", position });
    expect((await broker.head("room:1")).position).toEqual(position);
    expect(runs.flatMap(({ events }) => events.map(({ seq }) => seq))).toEqual([2]);
  });
});

describe("a snapshot", () => {
  test("BRK-8 is not kept where another event stands than it names: its node has not noticed that the log was rolled back", async () => {
    const broker = new Machine().start();
    await broker.append("room:1", request());
    const { position, eventId = "none" } = await broker.head("room:1");
    expect(await broker.saveSnapshot("room:1", { position, eventId: "what stood there before", version: 1, state: "of another course" })).toBe(false);
    expect(await broker.loadSnapshot("room:1")).toBeUndefined();
    expect(await broker.saveSnapshot("room:1", { position, eventId, version: 1, state: "of this one" })).toBe(true);
    // What was trimmed cannot be compared any more; a newer one is kept then.
    await broker.append("room:1", request());
    const { position: head } = await broker.head("room:1");
    await broker.saveSnapshot("room:1", { position: head, version: 1, state: "newer" });
    await broker.trim("room:1", head);
    expect(await broker.saveSnapshot("room:1", { position, eventId: "what stood there before", version: 1, state: "older" })).toBe(true);
    expect(await broker.loadSnapshot("room:1")).toMatchObject({ position: head, state: "newer" });
  });
});

describe("the head of a channel", () => {
  for (const durability of ["flush", "commit"] as const) {
    test(`LOG-5 names its event, whose id is in memory with the channel, and reads nothing for it (durability ${durability})`, async () => {
      const machine = new Machine();
      const before = machine.start({ durability });
      await before.append("room:1", request());
      await before.close();
      const broker = machine.start({ durability });
      const last = request();
      await broker.append("room:2", request());
      await broker.append("room:2", last);
      const { eventId } = await broker.head("room:1");
      const [event] = await eventsOf(broker, "room:1");
      expect(eventId).toBe(event?.eventId);
      machine.store.readCounts.clear();
      for (const channel of ["room:1", "room:2"]) for (let index = 0; index < 3; index++) await broker.head(channel);
      expect(machine.store.readCounts).toEqual(new Map());
      expect(await broker.head("room:2")).toMatchObject({ eventId: last.event.eventId });
      await broker.trim("room:2", (await broker.head("room:2")).position);
      expect(await broker.head("room:2")).toMatchObject({ eventId: last.event.eventId, floorEventId: last.event.eventId });
      await broker.close();
    });
  }
});

describe("a delivery", () => {
  for (const durability of ["flush", "commit"] as const) {
    test(`LOG-10 names the event before it, one that was forgotten too (durability ${durability})`, async () => {
      const machine = new Machine();
      const [first = request(), ...others] = Array.from({ length: 5 }, () => request());
      const before = machine.start({ durability });
      await before.append("room:1", first);
      await before.close();
      const broker = machine.start({ durability });
      const runs: EventRun[] = [];
      await broker.subscribe("room:1", (run) => runs.push(run));
      const last = others.pop() ?? request();
      await Promise.all(others.map((each) => broker.append("room:1", each)));
      await broker.trim("room:1", (await broker.head("room:1")).position);
      await broker.append("room:1", last);
      await turns();
      const chain = runs.flatMap(({ events, before: named }) => events.map((_, index) => events[index - 1]?.eventId ?? named));
      expect(chain).toEqual([first, ...others].map(({ event }) => event.eventId));
      await broker.close();
    });
  }
});

describe("what is forgotten as soon as it is appended", () => {
  test("LOG-1 leaves no floor above the head while it is written", async () => {
    const machine = new Machine();
    const broker = machine.start();
    const runs: EventRun[] = [];
    await broker.subscribe("room:1", (run) => runs.push(run));
    const before = await broker.head("room:1");
    await turns();
    machine.store.hold();
    const retention = { countMin: 0, ageMsMin: 0, countMax: 10, bytesMax: 1_000_000 };
    const appends = Array.from({ length: 200 }, () => broker.append("room:1", request({ retention })));
    await turns();
    expect(await broker.head("room:1")).toEqual(before);
    expect(await broker.read("room:1", before.position, { countMax: 10 })).toMatchObject({ outcome: "page", run: { events: [] } });
    machine.store.release();
    await Promise.all(appends);
    expect(runs.flatMap(({ events }) => events)).toHaveLength(200);
    const { position, floor } = await broker.head("room:1");
    expect(position.seq).toBe(200);
    expect((await eventsOf(broker, "room:1")).map(({ seq }) => seq)).toEqual(Array.from({ length: 200 - floor }, (_, index) => floor + index + 1));
  });
});

describe("appends that come together", () => {
  test("LOG-7 those of a turn share a flush, and those that come while one is written share the next", async () => {
    const machine = new Machine();
    const { store } = machine;
    const broker = machine.start();
    await broker.append("room:1", request());
    store.writeCount = 0;
    store.hold();
    const first = Array.from({ length: 50 }, (_, index) => broker.append(`room:${index % 5}`, request()));
    await turns();
    const second = Array.from({ length: 50 }, (_, index) => broker.append(`room:${index % 5}`, request()));
    await turns();
    store.release();
    await Promise.all([...first, ...second]);
    expect(store.writeCount).toBe(2);
  });

  test("LOG-7 of many publishers each is read once, however many share the flush", async () => {
    const machine = new Machine();
    const { store } = machine;
    const broker = machine.start();
    const publish = (n: number): Promise<unknown> =>
      Promise.all(Array.from({ length: 500 }, (_, index) => broker.append("room:1", request({ publisher: count(n, `session-${index}`) }))));
    await publish(1);
    store.readCounts.clear();
    await publish(2);
    // The last ones are in memory still.
    expect(store.readCounts.get("p")).toBeLessThanOrEqual(500);
    store.readCounts.clear();
    store.hold();
    const third = publish(3);
    await turns();
    const repeats = publish(3);
    expect(store.readCounts.get("p")).toBeLessThanOrEqual(500);
    store.release();
    await Promise.all([third, repeats]);
  });

  test("LOG-7 runs of a flush are delivered joined, and in order", async () => {
    const broker = new Machine().start();
    const runs: EventRun[] = [];
    await broker.subscribe("room:1", (run) => runs.push(run));
    await Promise.all(Array.from({ length: 5 }, () => broker.append("room:1", request())));
    expect(runs.map(({ events }) => events.map(({ seq, prev }) => [prev, seq]))).toEqual([[[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]]);
  });

  test("LOG-7 a listener that throws keeps no other from hearing, nor the append from its ack", async () => {
    const thrown: unknown[] = [];
    class Listening extends TestEnvironment {
      override defer(task: () => void): void {
        super.defer(() => {
          try {
            task();
          } catch (error) {
            thrown.push(error);
          }
        });
      }
    }
    const broker = durableBroker(new MemoryStore(), { environment: new Listening() });
    const heard: EventRun[] = [];
    await broker.subscribe("room:1", () => {
      throw new Error("the listener's own");
    });
    await broker.subscribe("room:1", (run) => heard.push(run));
    expect(await broker.append("room:1", request())).toMatchObject({ outcome: "appended" });
    await turns();
    expect(heard).toHaveLength(1);
    expect(thrown).toEqual([new Error("the listener's own")]);
  });
});
