import { brokerContractSuite } from "@tutti/testkit";
import type { AppendRequest, Broker, EventRun, LoggedEvent } from "@tutti/server";
import type { Position } from "@tutti/protocol";
import { describe, expect, it, test } from "vitest";
import { durableBroker, type DurableBrokerOptions } from "../src/durable-broker.js";
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

type Limits = Omit<DurableBrokerOptions, "environment">;

/** A disk, and the brokers that open it one after the other. */
class Machine {
  readonly store = new MemoryStore();
  readonly environment = new TestEnvironment();

  start(limits: Limits = {}): Broker {
    return durableBroker(this.store, { environment: this.environment, ...limits });
  }
}

let madeCount = 0;

function request(fields: Omit<AppendRequest, "event"> & { readonly payload?: unknown } = {}): AppendRequest {
  const { payload = `payload ${++madeCount}`, ...rest } = fields;
  return { event: { eventId: `event-${++madeCount}`, type: "note:add", payload, timestamp: 0 }, ...rest };
}

const count = (n: number, session = "session-1") => ({ session, n, settled: 0 });
const key = (name: string) => ({ principal: "p", key: name });

async function eventsOf(broker: Broker, channel: string): Promise<readonly LoggedEvent[]> {
  const { position, floor } = await broker.head(channel);
  const page = await broker.read(channel, { epoch: position.epoch, seq: floor }, { countMax: 100_000 });
  if (page.outcome === "gap") throw new Error("the floor is below the floor");
  return page.run.events;
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
    expect(await broker.locate("room:1", { count: 0 })).toEqual(before.position);
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
