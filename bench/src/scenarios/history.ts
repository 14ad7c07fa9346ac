import { channel, defineContract, type AnySchema } from "@tutti/protocol";
import { createServer, silentLog, type Broker, type Retention } from "@tutti/server";
import { MemoryLink, boundBroker } from "@tutti/testkit";
import { costOf } from "../cost.js";
import { fly } from "../flight.js";
import { copyLog, eventType, fill, openLog, payload } from "../log.js";
import { scenario, type Contender, type Size } from "../scenario.js";

const lengths = { short: 100, middle: 10_000, long: 1_000_000 } as const;
/** Instead of the long one, where it is only to be seen that it runs. */
const tinyLength = 1_000;

/** How far behind the head the newest snapshot is: the same for all, and less than a server would leave. */
const tail = 50;
const inFlight = 64;

const counts = { full: { warmUp: 8_000, publishes: 8_000, subscribes: 300 }, tiny: { warmUp: 0, publishes: 64, subscribes: 2 } };

const anything: AnySchema = { "~standard": { version: 1, vendor: "bench", validate: (value: unknown) => ({ value }) } };

/** A board has a state, which does not grow with its history; a feed has none. */
const contract = defineContract({
  channels: {
    "board:{id}": channel({ events: { [eventType]: anything }, state: { version: 1, initial: 0, reduce: (count: number) => count + 1 } }),
    "feed:{id}": channel({ events: { [eventType]: anything } }),
  },
});

const everything: Retention = { countMin: 1e9, ageMsMin: 0, countMax: 1e9, bytesMax: Number.MAX_SAFE_INTEGER };
const namespaces = { board: { history: everything }, feed: { history: everything } };

interface Channels {
  /** Publishes to a channel that is there, and resolves when it is acknowledged. */
  publish(channel: string): Promise<unknown>;
  /** Subscribes to a channel that the server has not opened yet. @returns how long the answer took, ms */
  subscribe(channel: string): Promise<number>;
}

/** A log that outlives the servers on it. */
const kept = (broker: Broker): Broker => ({ ...boundBroker(broker), close: async () => {} });

async function makeHistory(broker: Broker, length: number): Promise<void> {
  await fill(broker, "feed:one", length);
  await fill(broker, "board:one", length);
  const { position } = await broker.head("board:one");
  const seq = position.seq - tail;
  await broker.saveSnapshot("board:one", { position: { epoch: position.epoch, seq }, version: 1, state: seq });
}

function withHistory(length: number): Contender<Channels> {
  const lengthOf = (size: Size): number => (size === "full" ? length : Math.min(length, tinyLength));
  return {
    async prepare({ folder, size }) {
      const broker = await openLog(folder);
      await makeHistory(broker, lengthOf(size));
      await broker.close();
    },
    async open({ prepared, folder }) {
      await copyLog(prepared, folder);
      const broker = await openLog(folder);
      let serial = 0;
      const link = async () => {
        const server = createServer({ contract, namespaces, broker: kept(broker), log: silentLog });
        return { server, client: await MemoryLink.open(server, `session-of-the-benchmark-${++serial}`) };
      };
      const publishing = await link();
      const counted = new Map<string, number>();
      return {
        async publish(name) {
          const n = (counted.get(name) ?? 0) + 1;
          counted.set(name, n);
          const settled = Math.max(0, n - inFlight);
          await publishing.client.request({ op: "publish", correlationId: `${name} ${n}`, channel: name, n, settled, type: eventType, payload, timestamp: Date.now() });
        },
        async subscribe(name) {
          const { server, client } = await link();
          const startedAt = performance.now();
          await client.request({ op: "subscribe", correlationId: "1", channel: name });
          const elapsedMs = performance.now() - startedAt;
          await server.close();
          return elapsedMs;
        },
        async close() {
          await publishing.server.close();
          await broker.close();
        },
      };
    },
  };
}

async function medianSubscribe(channels: Channels, name: string, count: number): Promise<number> {
  const times: number[] = [];
  while (times.length < count) times.push(await channels.subscribe(name));
  return times.toSorted((a, b) => a - b)[Math.floor(count / 2)] ?? NaN;
}

const quantities = [
  { name: "publish cpu", unit: "µs" },
  { name: "publish", unit: "µs" },
  { name: "subscribe", unit: "µs" },
  { name: "subscribe with state", unit: "µs" },
];

export const history = scenario<Channels>({
  name: "history",
  what: `a publish and a subscribe in a channel of ${Object.values(lengths).join(", ")} events, whose server has just started`,
  rounds: 7,
  quantities,
  contenders: Object.fromEntries(Object.values(lengths).map((length) => [String(length), withHistory(length)])),
  comparisons: quantities.flatMap(({ name: quantity }) =>
    [lengths.middle, lengths.long].map((length) => ({ quantity, of: String(length), to: String(lengths.short), goal: { atMost: 1.2 } })),
  ),
  async load(channels, size) {
    const { warmUp, publishes, subscribes } = counts[size];
    // Subscribes first: the publishes make a short history longer.
    await medianSubscribe(channels, "feed:one", Math.ceil(subscribes / 3));
    const subscribe = await medianSubscribe(channels, "feed:one", subscribes);
    await medianSubscribe(channels, "board:one", Math.ceil(subscribes / 3));
    const withState = await medianSubscribe(channels, "board:one", subscribes);
    // In another channel, so that the code is warm and the history as long as it was.
    await fly(warmUp, inFlight, () => channels.publish("feed:other"));
    const { cpuMs, elapsedMs } = await costOf(() => fly(publishes, inFlight, () => channels.publish("feed:one")));
    return {
      "publish cpu": (cpuMs / publishes) * 1000,
      publish: (elapsedMs / publishes) * 1000,
      subscribe: subscribe * 1000,
      "subscribe with state": withState * 1000,
    };
  },
});
