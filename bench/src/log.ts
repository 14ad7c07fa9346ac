import { cp, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { lmdbBroker } from "@tutti/lmdb";
import type { AppendRequest, Broker, NewEvent } from "@tutti/server";

export const openLog = (directory: string): Promise<Broker> => lmdbBroker({ directory });

/** What every benchmark publishes: an event of everyday size. */
export const payload = { id: "01J9Z3T7K4C8", text: "A line of text as somebody types it, before it is sent to all the others in the room.", x: 120, y: 48 };

export const eventType = "item:add";

export const eventOf = (eventId: string): NewEvent => ({ eventId, type: eventType, payload, timestamp: Date.now() });

const fillInFlight = 4_000;

/** Appends events to a channel, many to a flush. */
export async function fill(broker: Broker, channel: string, count: number): Promise<void> {
  const batch = async (from: number): Promise<void> => {
    const requests = Array.from({ length: Math.min(fillInFlight, count - from) }, (_, index): AppendRequest => ({ event: eventOf(`filled:${from + index}`) }));
    await Promise.all(requests.map((request) => broker.append(channel, request)));
  };
  for (let from = 0; from < count; from += fillInFlight) await batch(from);
}

/** Copies a log, and has it written to the disk: what is flushed later is what is measured. */
export async function copyLog(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  for (const name of await readdir(to)) {
    const file = await open(join(to, name));
    await file.sync();
    await file.close();
  }
}
