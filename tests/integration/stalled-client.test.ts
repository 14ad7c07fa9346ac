import { once } from "node:events";
import { faultProxy, type FaultProxy } from "@tutti/testkit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { Child } from "./child.js";
import { urlOf } from "./loopback.js";
import { Guests, reasonsOf, statusesOf, type RoomClient } from "./sdk.js";

const outboxBytesMax = 1024 * 1024;
/** The headers of WebSocket frames, which the bound leaves out. */
const headerBytesMax = 1024;
/** The kernel takes megabytes before anything waits in the process: 4 to send, 6 to receive. */
const roundsMax = 200;
const patience = { timeout: 10_000, interval: 2 };

let child: Child;
let proxy: FaultProxy;
const guests = new Guests();
const sockets: WebSocket[] = [];

beforeEach(async () => {
  child = await Child.start("room-server", { nodeOptions: ["--expose-gc"] });
  proxy = await faultProxy({ target: { port: child.port } });
});

afterEach(async () => {
  await guests.leave();
  for (const socket of sockets.splice(0)) socket.terminate();
  await proxy.close();
  await child.stop();
});

interface Member {
  readonly client: RoomClient;
  readonly seqs: readonly number[];
  readonly gaps: readonly object[];
}

/** A client of the SDK in the busy room, with the `seq` of everything it heard. */
async function join(url: string): Promise<Member> {
  const client = guests.client(url);
  const feed = client.channel("feed:{id}", { id: "busy" });
  const seqs: number[] = [];
  const gaps: object[] = [];
  feed.on("item:add", ({ position }) => seqs.push(position.seq));
  feed.on("gap", (gap) => gaps.push(gap));
  await feed.subscribe();
  return { client, seqs, gaps };
}

const upTo = (seq: number): readonly number[] => Array.from({ length: seq }, (_, index) => index + 1);

describe("LIM-1: a client that reads nothing, in a busy room", () => {
  it("LIM-1: its outbox stops at its cap; it is cut off with SLOW_CONSUMER, recovers everything, and nobody else waits", async () => {
    const stalled = await join(urlOf(proxy.port));
    const statuses = statusesOf(stalled.client);
    const others = await Promise.all(Array.from({ length: 9 }, () => join(child.url)));
    const round = async (): Promise<number> => {
      const seq = await child.ask("publish", "feed:busy", 8, 32_000);
      await vi.waitFor(() => others.forEach(({ seqs }) => expect(seqs.at(-1)).toBe(seq)), patience);
      return seq;
    };

    proxy.pause();
    let outboxBytes = 0;
    let rounds = 0;
    for (; rounds < roundsMax; rounds++) {
      await round();
      // Everybody else has read everything: what waits, waits for the stalled client.
      const stats = await child.ask("stats");
      outboxBytes = Math.max(outboxBytes, stats.outboxBytes);
      if (stats.connections === others.length) break;
    }
    expect(outboxBytes).toBeGreaterThan(outboxBytesMax / 2);
    expect(outboxBytes).toBeLessThanOrEqual(outboxBytesMax + headerBytesMax);
    expect(await child.ask("stats")).toMatchObject({ connections: others.length, outboxBytes: 0 });

    proxy.resume();
    const last = await round();
    await vi.waitFor(() => expect(stalled.seqs.at(-1)).toBe(last), patience);
    expect(reasonsOf(statuses)).toContain("SLOW_CONSUMER");
    for (const { seqs, gaps } of [stalled, ...others]) {
      expect(seqs).toEqual(upTo(last));
      expect(gaps).toEqual([]);
    }
    console.log(`cut off after ${rounds} rounds of 256 kB, with at most ${outboxBytes} bytes in its outbox; ${await child.ask("outboxPeak")} in all outboxes together`);
  });

  it("LIM-1, INV-6: the memory of the server stays flat, however often a client stalls", async () => {
    const publishedBytes = 320_000_000;
    const roundBytes = 16 * 60_000;
    const growthBytesMax = 64 * 1024 * 1024;
    /** One client after the other stalls: as soon as one was cut off, after this much traffic the next. */
    const roundsBetween = 12;
    const readers = await Promise.all(Array.from({ length: 3 }, () => listenTo(child.url)));
    let stalls = 0;
    let outboxBytes = 0;
    let baseline: number | undefined;
    let growth = 0;
    let roundsAlone = roundsBetween;
    for (let bytes = 0; bytes < publishedBytes; bytes += roundBytes) {
      const stats = await child.ask("stats");
      outboxBytes = Math.max(outboxBytes, stats.outboxBytes);
      roundsAlone = stats.connections === readers.length ? roundsAlone + 1 : 0;
      if (roundsAlone > 0 && stalls > 0) {
        // The cap was reached.
        const { rssBytes } = await child.ask("memory");
        baseline ??= rssBytes;
        growth = Math.max(growth, rssBytes - baseline);
      }
      if (roundsAlone >= roundsBetween) {
        (await listenTo(child.url)).socket.pause();
        stalls++;
      }
      const seq = await child.ask("publish", "flood:busy", 16, 60_000);
      await vi.waitFor(() => readers.forEach(({ count }) => expect(count()).toBe(seq)), patience);
    }
    console.log(`${stalls} stalls in ${publishedBytes / 1e6} MB: outbox at most ${outboxBytes} bytes, resident memory ${baseline} bytes, at most ${growth} more`);
    expect(stalls).toBeGreaterThan(5);
    expect(outboxBytes).toBeLessThanOrEqual(outboxBytesMax + headerBytesMax);
    expect(growth).toBeLessThan(growthBytesMax);
  });
});

let serial = 0;

/** Subscribes to the flood by hand, and counts its events without reading them. */
async function listenTo(url: string) {
  const socket = new WebSocket(url, "tutti.1.json", { perMessageDeflate: false });
  sockets.push(socket);
  let events = 0;
  const answered = (): Promise<unknown> => once(socket, "message");
  await once(socket, "open");
  socket.on("error", () => {});
  socket.send(JSON.stringify({ op: "hello", versions: [1], session: `a-session-that-may-stall-${++serial}` }));
  await answered();
  socket.send(JSON.stringify({ op: "subscribe", correlationId: "1", channel: "flood:busy" }));
  await answered();
  socket.on("message", (data: Buffer) => {
    for (let at = data.indexOf('"eventId"'); at >= 0; at = data.indexOf('"eventId"', at + 1)) events++;
  });
  return { socket, count: () => events };
}
