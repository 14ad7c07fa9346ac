import type { AppendRequest, Broker, LoggedEvent } from "@tutti/server";
import { durableBroker, type DurableBrokerOptions } from "../../src/durable-broker.js";
import { MemoryStore } from "./memory-store.js";
import { TestEnvironment } from "./test-environment.js";

type Limits = Omit<DurableBrokerOptions, "environment">;

/** A disk, and the brokers that open it one after the other. */
export class Machine {
  readonly store = new MemoryStore();
  environment = new TestEnvironment();

  start(limits: Limits = {}): Broker {
    return durableBroker(this.store, { environment: this.environment, ...limits });
  }
}

let madeCount = 0;

/** An event whose id and payload are its own. */
export function request(fields: Omit<AppendRequest, "event"> & { readonly payload?: unknown } = {}): AppendRequest {
  const { payload = `payload ${++madeCount}`, ...rest } = fields;
  return { event: { eventId: `event-${++madeCount}`, type: "note:add", payload, timestamp: 0 }, ...rest };
}

export const count = (n: number, session = "session-1") => ({ session, n, settled: 0 });
export const key = (name: string) => ({ principal: "p", key: name });

/** All that a channel keeps. */
export async function eventsOf(broker: Broker, channel: string): Promise<readonly LoggedEvent[]> {
  const { position, floor } = await broker.head(channel);
  const page = await broker.read(channel, { epoch: position.epoch, seq: floor }, { countMax: 100_000 });
  if (page.outcome === "gap") throw new Error("the floor is below the floor");
  return page.run.events;
}
