import type { Position } from "@tutti/protocol";
import type { AppendRequest, Broker, LoggedEvent, Outcome, PublisherCount } from "@tutti/server";

/** What the suite needs of a test framework; vitest's and jest's own functions fit. */
export interface TestFramework {
  readonly describe: (title: string, body: () => void) => unknown;
  readonly it: (title: string, body: () => Promise<void>) => unknown;
  readonly expect: (actual: unknown) => Expectation;
}

export interface Expectation {
  toBe(expected: unknown): unknown;
  toEqual(expected: unknown): unknown;
  toMatchObject(expected: object): unknown;
  toBeUndefined(): unknown;
  toBeGreaterThan(than: number): unknown;
}

/** A broker for one test. */
export interface BrokerUnderTest {
  readonly broker: Broker;
  /** Lets this much of the broker's time pass, and with it everything that it still had to deliver. */
  elapse(ms: number): Promise<void>;
  /** Frees what the broker holds. */
  dispose(): Promise<void>;
}

/** Long enough for every broker to deliver what it has. */
export const DELIVERY_MS = 200;

let madeCount = 0;

/** An event whose id and payload are its own. */
export function request(fields: Omit<AppendRequest, "event"> & { readonly payload?: unknown } = {}): AppendRequest {
  const { payload = `payload ${++madeCount}`, ...rest } = fields;
  return { event: { eventId: `event-${++madeCount}`, type: "note:add", payload, timestamp: 1_700_000_000_000 }, ...rest };
}

export function count(n: number, settled = 0, session = "session-1"): PublisherCount {
  return { session, n, settled };
}

export function landedAt(outcome: Outcome): Position {
  if (outcome.outcome === "appended" || outcome.outcome === "repeat") return outcome.position;
  throw new Error(`nothing landed: ${JSON.stringify(outcome)}`);
}

export async function appendMany(broker: Broker, channel: string, total: number): Promise<Position[]> {
  const positions: Position[] = [];
  for (let index = 0; index < total; index++) positions.push(landedAt(await broker.append(channel, request())));
  return positions;
}

/** All events after `after`, read page by page. */
export async function readAll(broker: Broker, channel: string, after: Position, countMax = 100): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  for (let from = after; ; ) {
    const page = await broker.read(channel, from, { countMax });
    if (page.outcome === "gap") throw new Error(`a gap above ${page.floor.seq}`);
    const last = page.run.events.at(-1);
    if (last === undefined) return events;
    events.push(...page.run.events);
    from = { epoch: page.run.epoch, seq: last.seq };
  }
}

/** The id of the event at a position of `room:1`, which the log still has. */
export async function idAt(broker: Broker, { epoch, seq }: Position): Promise<string> {
  const { floor } = await broker.head("room:1");
  const event = (await readAll(broker, "room:1", { epoch, seq: floor })).find((each) => each.seq === seq);
  if (event === undefined) throw new Error(`nothing stands at ${seq}`);
  return event.eventId;
}

export function placeOf({ epoch, seq }: Position): Position {
  return { epoch, seq };
}

/** One suite of one broker. */
export interface Suite {
  readonly withBroker: (title: string, body: (broker: Broker, elapse: (ms: number) => Promise<void>) => Promise<void>) => void;
  readonly expect: (actual: unknown) => Expectation;
}
