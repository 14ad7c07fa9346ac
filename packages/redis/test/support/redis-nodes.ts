import { startRedis, type RedisServer } from "@tutti/cluster";
import type { Position } from "@tutti/protocol";
import type { AppendRequest, Broker, EventRun, Log, LogFields, LoggedEvent, PublisherCount } from "@tutti/server";
import { afterAll, afterEach, beforeAll } from "vitest";
import { redisBroker, type RedisBrokerOptions } from "../../src/index.js";

let serial = 0;

/** A prefix that no other test has. */
export const freshPrefix = (): string => `test-${process.pid}-${++serial}`;

/** What was said, for people. */
export class RecordedLog implements Log {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: LogFields | undefined }[] = [];

  info(message: string, fields?: LogFields): void {
    this.lines.push({ level: "info", message, fields });
  }

  warn(message: string, fields?: LogFields): void {
    this.lines.push({ level: "warn", message, fields });
  }

  error(message: string, fields?: LogFields): void {
    this.lines.push({ level: "error", message, fields });
  }

  has(part: string): boolean {
    return this.lines.some(({ message }) => message.includes(part));
  }
}

/** A Redis of a suite, and brokers on it that are closed after each test. */
export class RedisNodes {
  readonly #config: readonly string[];
  readonly #open: Broker[] = [];
  #server: RedisServer | undefined;

  constructor(config: readonly string[] = []) {
    this.#config = config;
    beforeAll(async () => {
      this.#server = await startRedis({ config: this.#config });
    });
    afterEach(async () => {
      await Promise.all(this.#open.splice(0).map((broker) => broker.close()));
    });
    afterAll(() => this.#server?.remove());
  }

  get server(): RedisServer {
    if (this.#server === undefined) throw new Error("Redis was not started");
    return this.#server;
  }

  async start(options: Partial<Omit<RedisBrokerOptions, "cluster">> = {}): Promise<Broker> {
    const broker = await redisBroker({ url: this.server.url, prefix: freshPrefix(), ...options });
    this.#open.push(broker);
    return broker;
  }

  /** Closes it before the test ends. */
  async stop(broker: Broker): Promise<void> {
    this.#open.splice(this.#open.indexOf(broker), 1);
    await broker.close();
  }
}

let made = 0;

export function request(fields: Partial<AppendRequest> = {}): AppendRequest {
  return { event: { eventId: `event-${++made}`, type: "note:add", payload: { made }, timestamp: 1_700_000_000_000 }, ...fields };
}

export const count = (n: number, settled = 0, session = "session-1"): PublisherCount => ({ session, n, settled });

/** Appends one, and returns where it landed. */
export async function append(broker: Broker, channel: string, fields: Partial<AppendRequest> = {}): Promise<Position> {
  const outcome = await broker.append(channel, request(fields));
  if (outcome.outcome !== "appended") throw new Error(`not appended: ${JSON.stringify(outcome)}`);
  return outcome.position;
}

export async function eventsOf(broker: Broker, channel: string, after?: Position): Promise<readonly LoggedEvent[]> {
  const { position, floor } = await broker.head(channel);
  const page = await broker.read(channel, after ?? { epoch: position.epoch, seq: floor }, { countMax: 1_000 });
  if (page.outcome === "gap") throw new Error(`a gap above ${page.floor.seq}`);
  return page.run.events;
}

/** The ids of all events that were heard, and the runs. */
export async function hear(broker: Broker, channel: string) {
  const runs: EventRun[] = [];
  const end = await broker.subscribe(channel, (run) => runs.push(run));
  return { runs, end, ids: () => runs.flatMap(({ events }) => events.map(({ eventId }) => eventId)), last: () => runs.at(-1) };
}
