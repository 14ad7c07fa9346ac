// A server with subscribers in a few channels, while others come and go in many. It says what it keeps of those.
import { setTimeout as pause } from "node:timers/promises";
import { lmdbBroker } from "@tutti/lmdb";
import { createServer, memoryBroker, silentLog } from "@tutti/server";
import { MemoryLink } from "@tutti/testkit";
import { bytesInUse } from "./heap.js";

export interface ManyChannels {
  /** What the server has open in the end. */
  readonly channels: number;
  /** How much more is in use than before the others came. */
  readonly grownBytes: number;
  /** Of the system's memory, the log's mapped file included. */
  readonly residentBytes: number;
}

const visitors = 20;
const atOnceEach = 50;
const [kind = "", directory = "", all = "", live = ""] = process.argv.slice(2);

const server = createServer({
  broker: kind === "lmdb" ? await lmdbBroker({ directory }) : memoryBroker({ channelsMax: 1e9 }),
  log: silentLog,
  channelIdleMs: 100,
  // The live ones say nothing for as long as the others take.
  silenceMsMax: 3_600_000,
});

/** Comes into a channel, says one thing, and goes. */
async function visit(guest: MemoryLink, channel: string): Promise<void> {
  await guest.request({ op: "subscribe", correlationId: `in ${channel}`, channel });
  await guest.request({ op: "publish", correlationId: `say ${channel}`, channel, n: 1, settled: 0, type: "item:add", payload: { text: channel }, timestamp: 0 });
  await guest.request({ op: "unsubscribe", correlationId: `out ${channel}`, channel });
}

async function visitAll(name: string, count: number): Promise<void> {
  let next = 0;
  const lane = async (guest: MemoryLink): Promise<void> => {
    while (next < count) await visit(guest, `feed:${name}-${next++}`);
  };
  const visitor = async (index: number): Promise<void> => {
    const guest = await MemoryLink.open(server, `visitor ${name} ${index}`.padEnd(32, "-"));
    await Promise.all(Array.from({ length: atOnceEach }, () => lane(guest)));
    guest.leave();
  };
  await Promise.all(Array.from({ length: visitors }, (_, index) => visitor(index)));
  while (server.stats().channels > Number(live)) await pause(20);
}

for (let index = 0; index < Number(live); index++) {
  const guest = await MemoryLink.open(server, `subscriber ${index}`.padEnd(32, "-"));
  await guest.request({ op: "subscribe", correlationId: "in", channel: `feed:live-${index}` });
}
// Once, so that the code is there and compiled.
await visitAll("early", 2_000);
const before = await bytesInUse();
await visitAll("late", Number(all));
const after = await bytesInUse();
const said: ManyChannels = { channels: server.stats().channels, grownBytes: after - before, residentBytes: process.memoryUsage().rss };
process.send?.(said, () => process.exit());
