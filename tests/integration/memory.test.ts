import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Child } from "./child.js";
import { RawClient } from "./raw-client.js";

const connections = 2_000;
const atOnce = 100;
/** What is left of a connection, on the average, where nothing leaks: less than its id alone would take. */
const heapBytesLeftMax = 256 * connections;
const patience = { timeout: 10_000, interval: 50 };

let child: Child;

beforeEach(async () => {
  child = await Child.start("room-server", { nodeOptions: ["--expose-gc"] });
});

afterEach(() => child.stop());

let serial = 0;

/** A session in a room of its own, in a room with all others, and present in both. */
async function enter(): Promise<RawClient> {
  const client = await RawClient.open(child.url);
  const id = ++serial;
  client.send({ op: "hello", versions: [1], session: `a-session-of-the-memory-test-${id}` });
  await client.next(({ op }) => op === "welcome");
  for (const channel of [`room:${id}`, "room:all"]) client.send({ op: "subscribe", correlationId: channel, channel, member: { name: `guest ${id}` } });
  const answers = [await client.next(({ correlationId }) => correlationId === `room:${id}`), await client.next(({ correlationId }) => correlationId === "room:all")];
  expect(answers.map((answer) => answer?.success)).toEqual([true, true]);
  return client;
}

/** Everybody comes, and goes again: half of them say goodbye, half are just gone. */
async function wave(): Promise<void> {
  const clients: RawClient[] = [];
  while (clients.length < connections) clients.push(...(await Promise.all(Array.from({ length: atOnce }, enter))));
  expect(await child.ask("stats")).toMatchObject({ connections, sessions: connections, channels: connections + 1, subscriptions: 2 * connections });
  await Promise.all(
    clients.map(async (client, index) => {
      if (index % 2 === 0) return client.close();
      client.send({ op: "bye" });
      await client.closed();
    }),
  );
  await vi.waitFor(async () => expect(await child.ask("stats")).toEqual({ nodes: 1, connections: 0, sessions: 0, channels: 0, subscriptions: 0, httpReaders: 0, outboxBytes: 0, reducerErrors: 0, publishers: 0, prepared: 0 }), patience);
}

describe("memory", () => {
  it(`INV-6, LIM-4: ${connections} connections come and go, and leave nothing behind`, async () => {
    // The first wave compiles code and grows tables that are kept.
    await wave();
    const before = await child.ask("memory");
    await wave();
    const after = await child.ask("memory");
    console.log(`heap ${before.heapBytes} → ${after.heapBytes} bytes, resident ${before.rssBytes} → ${after.rssBytes}`);
    expect(after.heapBytes - before.heapBytes).toBeLessThan(heapBytesLeftMax);
  });
});
