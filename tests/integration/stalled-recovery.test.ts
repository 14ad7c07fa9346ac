import { once } from "node:events";
import { createServer, silentLog } from "@tutti/server";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { serve } from "./loopback.js";

/** More than the kernel takes on the way, 4 MB to send and 6 to receive. */
const historyBytes = 16_000_000;
const patience = { timeout: 10_000, interval: 5 };

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Frame {
  readonly op: string;
  readonly events?: readonly unknown[];
}

describe("a client that reads nothing while it recovers", () => {
  it.each([
    [100_000, 1024 * 1024],
    // Half of this outbox is less than what Node's sockets take before they ask to be waited for.
    [2_000, 20_000],
  ])("REC-8: gets the rest when it reads again, though it says nothing meanwhile; events of %d bytes, outboxBytesMax: %d", async (eventBytes, outboxBytesMax) => {
    const eventCount = historyBytes / eventBytes;
    const server = createServer({ log: silentLog, outboxBytesMax });
    const loopback = await serve(server);
    ends.push(() => loopback.stop());
    const feed = server.channel("feed:{id}", { id: "one" });
    const { position } = await feed.publish("item:add", "first");
    for (let index = 0; index < eventCount; index++) await feed.publish("item:add", "x".repeat(eventBytes));

    const socket = new WebSocket(loopback.url, "tutti.1.json", { perMessageDeflate: false });
    ends.push(() => socket.terminate());
    let heard = 0;
    socket.on("message", (data: Buffer) => {
      const { events = [] } = JSON.parse(data.toString()) as Frame;
      // It stops with the first of them, and the server with what the kernel takes.
      if (heard === 0 && events.length > 0) socket.pause();
      heard += events.length;
    });
    await once(socket, "open");
    socket.send(JSON.stringify([{ op: "hello", versions: [1], session: "s".repeat(22) }]));
    await once(socket, "message");
    socket.send(JSON.stringify({ op: "subscribe", correlationId: "1", channel: "feed:one", since: position }));
    await vi.waitFor(() => expect(socket.isPaused).toBe(true), patience);
    let before = -1;
    await vi.waitFor(() => {
      const { outboxBytes } = server.stats();
      const isStuck = outboxBytes > 0 && outboxBytes === before;
      before = outboxBytes;
      expect(isStuck).toBe(true);
    }, { timeout: 10_000, interval: 200 });
    expect(heard).toBeLessThan(eventCount);
    socket.resume();
    await vi.waitFor(() => expect(heard).toBe(eventCount), patience);
  });
});
