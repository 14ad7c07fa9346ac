import { join } from "node:path";
import { createServer, silentLog, type Retention } from "@tutti/server";
import { MemoryLink } from "@tutti/testkit";
import { open } from "lmdb";
import { costOf } from "../cost.js";
import { fly } from "../flight.js";
import { eventOf, eventType, openLog, payload } from "../log.js";
import { scenario, type Contender } from "../scenario.js";

/** 64 in flight: so many publishers, each with so many, in so many channels. */
const publishers = 16;
const inFlightEach = 4;
const channels = 4;

const counts = { full: { warmUp: 10_000, measured: 100_000 }, tiny: { warmUp: 0, measured: 640 } };

const channelOf = (publisher: number): string => `feed:${publisher % channels}`;

/** What a server keeps of a channel unless it is told otherwise; an append names it, and old events go. */
const retention: Retention = { countMin: 100, ageMsMin: 60_000, countMax: 100_000, bytesMax: 64 * 1024 * 1024 };

interface DurableLog {
  /** Resolves when the event is flushed. */
  publish(publisher: number): Promise<unknown>;
}

/**
 * The measure of all: each event is one `put`, and is flushed. Flushes that overlap are what `lmdb` does unless it is told otherwise: a
 * transaction is visible before it is flushed. Without them the flush is the one that the log asks for.
 */
const bareLmdb = (options: { readonly overlappingSync: boolean }): Contender<DurableLog> => ({
  async open({ folder }) {
    const database = open({ path: join(folder, "bare"), separateFlushed: true, ...options });
    let seq = 0;
    return {
      async publish(publisher) {
        seq++;
        const { flushed } = database.put([channelOf(publisher), seq], { ...eventOf(`${publisher}:${seq}`), prev: seq - 1 }) as Promise<boolean> & { flushed: Promise<unknown> };
        return flushed;
      },
      close: () => database.close(),
    };
  },
});

/** The log alone, called as a server calls it: with the publisher's count, and with retention. */
const broker: Contender<DurableLog> = {
  async open({ folder }) {
    const log = await openLog(join(folder, "log"));
    const counted = Array.from({ length: publishers }, () => 0);
    return {
      publish(publisher) {
        const n = (counted[publisher] ?? 0) + 1;
        counted[publisher] = n;
        // Appends of a channel resolve in their order, so what is not in flight is settled.
        const count = { session: `session-${publisher}`, n, settled: Math.max(0, n - inFlightEach) };
        return log.append(channelOf(publisher), { event: eventOf(`${count.session}:${n}`), publisher: count, retention });
      },
      close: () => log.close(),
    };
  },
};

/** A whole server on that log, with clients that encode and decode in the same process. */
const server: Contender<DurableLog> = {
  async open({ folder }) {
    const node = createServer({ broker: await openLog(join(folder, "log")), log: silentLog });
    const links = await Promise.all(Array.from({ length: publishers }, (_, index) => MemoryLink.open(node, `session-of-the-benchmark-${index}`)));
    const counted = links.map(() => 0);
    return {
      async publish(publisher) {
        const n = (counted[publisher] ?? 0) + 1;
        counted[publisher] = n;
        const settled = Math.max(0, n - inFlightEach);
        return links[publisher]?.request({ op: "publish", correlationId: String(n), channel: channelOf(publisher), n, settled, type: eventType, payload, timestamp: Date.now() });
      },
      close: () => node.close(),
    };
  },
};

export const durable = scenario<DurableLog>({
  name: "durable",
  what: `events a second that are acknowledged once they are flushed, in one process, ${publishers * inFlightEach} in flight`,
  rounds: 7,
  quantities: [
    { name: "publishes", unit: "1/s" },
    { name: "cpu", unit: "µs each" },
  ],
  contenders: { lmdb: bareLmdb({ overlappingSync: false }), "lmdb-overlapping": bareLmdb({ overlappingSync: true }), broker, server },
  comparisons: [
    { quantity: "publishes", of: "broker", to: "lmdb", goal: { atLeast: 0.5 } },
    { quantity: "publishes", of: "broker", to: "lmdb-overlapping", goal: { atLeast: 0.5 } },
    { quantity: "publishes", of: "server", to: "lmdb" },
    { quantity: "cpu", of: "broker", to: "lmdb" },
  ],
  async load(log, size) {
    const { warmUp, measured } = counts[size];
    const publish = (count: number): Promise<unknown> => {
      const each = Array.from({ length: publishers }, (_, publisher) => fly(count / publishers, inFlightEach, () => log.publish(publisher)));
      return Promise.all(each);
    };
    await publish(warmUp);
    const { cpuMs, elapsedMs } = await costOf(() => publish(measured));
    return { publishes: (measured / elapsedMs) * 1000, cpu: (cpuMs / measured) * 1000 };
  },
});
