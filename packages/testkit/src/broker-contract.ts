import type { AppendRequest, Broker, EventRun, LoggedEvent, Outcome, PublisherCount } from "@tutti/server";
import type { Position } from "@tutti/protocol";

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
const DELIVERY_MS = 200;

let madeCount = 0;

/** An event whose id and payload are its own. */
function request(fields: Omit<AppendRequest, "event"> & { readonly payload?: unknown } = {}): AppendRequest {
  const { payload = `payload ${++madeCount}`, ...rest } = fields;
  return { event: { eventId: `event-${++madeCount}`, type: "note:add", payload, timestamp: 1_700_000_000_000 }, ...rest };
}

function count(n: number, settled = 0, session = "session-1"): PublisherCount {
  return { session, n, settled };
}

function landedAt(outcome: Outcome): Position {
  if (outcome.outcome === "appended" || outcome.outcome === "repeat") return outcome.position;
  throw new Error(`nothing landed: ${JSON.stringify(outcome)}`);
}

async function appendMany(broker: Broker, channel: string, total: number): Promise<Position[]> {
  const positions: Position[] = [];
  for (let index = 0; index < total; index++) positions.push(landedAt(await broker.append(channel, request())));
  return positions;
}

/** All events after `after`, read page by page. */
async function readAll(broker: Broker, channel: string, after: Position, countMax = 100): Promise<LoggedEvent[]> {
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

/**
 * The promises of a broker, as tests. Every broker runs them: the ones of the project, the simulated one, and yours.
 *
 * @param create makes an empty broker for one test
 * @example
 * import { describe, expect, it } from "vitest";
 * brokerContractSuite("my broker", createMyBroker, { describe, it, expect });
 */
export function brokerContractSuite(name: string, create: () => Promise<BrokerUnderTest>, { describe, it, expect }: TestFramework): void {
  const withBroker = (title: string, body: (broker: Broker, elapse: (ms: number) => Promise<void>) => Promise<void>): void => {
    it(title, async () => {
      const subject = await create();
      try {
        await body(subject.broker, (ms) => subject.elapse(ms));
      } finally {
        await subject.dispose();
      }
    });
  };
  const suite: Suite = { withBroker, expect };
  describe(`the contract of a broker, kept by ${name}`, () => {
    logSuite(suite);
    publisherSuite(suite);
    readSuite(suite);
    trimSuite(suite);
    busSuite(suite);
  });
}

interface Suite {
  readonly withBroker: (title: string, body: (broker: Broker, elapse: (ms: number) => Promise<void>) => Promise<void>) => void;
  readonly expect: (actual: unknown) => Expectation;
}

function logSuite({ withBroker: it, expect }: Suite): void {
  it("BRK-1 assigns rising positions, each with the one before it", async (broker) => {
    const { position: start } = await broker.head("room:1");
    const positions = await appendMany(broker, "room:1", 5);
    const events = await readAll(broker, "room:1", start);
    expect(events.map(({ seq }) => seq)).toEqual(positions.map(({ seq }) => seq));
    let before = start.seq;
    for (const { seq, prev } of events) {
      expect(prev).toBe(before);
      expect(seq).toBeGreaterThan(prev);
      before = seq;
    }
  });

  it("BRK-1 keeps events as they were given, each channel by itself", async (broker) => {
    const first = request({ payload: { text: "one", bytes: [1, 2, 3], nothing: null } });
    const second = request();
    const start = (await broker.head("room:1")).position;
    const otherStart = (await broker.head("room:2")).position;
    await broker.append("room:1", first);
    await broker.append("room:2", second);
    const [event, ...others] = await readAll(broker, "room:1", start);
    expect(event).toMatchObject(first.event);
    expect(others).toEqual([]);
    expect((await readAll(broker, "room:2", otherStart)).map(({ eventId }) => eventId)).toEqual([second.event.eventId]);
  });

  it("BRK-1 appends in the order in which it was asked, and delivers in that order", async (broker, elapse) => {
    const heard: LoggedEvent[] = [];
    const start = (await broker.head("room:1")).position;
    const end = await broker.subscribe("room:1", ({ events }) => heard.push(...events));
    const requests = Array.from({ length: 20 }, () => request());
    await Promise.all(requests.map((one) => broker.append("room:1", one)));
    await elapse(DELIVERY_MS);
    const ids = requests.map(({ event }) => event.eventId);
    expect((await readAll(broker, "room:1", start)).map(({ eventId }) => eventId)).toEqual(ids);
    expect(heard.map(({ eventId }) => eventId)).toEqual(ids);
    let before = start.seq;
    for (const { seq, prev } of heard) {
      expect(prev).toBe(before);
      before = seq;
    }
    await end();
  });

  it("BRK-4 answers a repeated idempotency key with the first position", async (broker) => {
    const key = { principal: "user-1", key: "order-7" };
    expect(await broker.lookup("room:1", key)).toBeUndefined();
    const first = landedAt(await broker.append("room:1", request({ key })));
    await appendMany(broker, "room:1", 2);
    expect(await broker.append("room:1", request({ key }))).toEqual({ outcome: "repeat", position: first });
    expect(await broker.lookup("room:1", key)).toEqual({ outcome: "repeat", position: first });
  });

  it("BRK-4 keeps the keys of principals and channels apart", async (broker) => {
    const key = { principal: "user-1", key: "order-7" };
    await broker.append("room:1", request({ key }));
    expect(await broker.append("room:2", request({ key }))).toMatchObject({ outcome: "appended" });
    expect(await broker.append("room:1", request({ key: { ...key, principal: "user-2" } }))).toMatchObject({ outcome: "appended" });
    expect(await broker.append("room:1", request({ key: { principal: "user", key: "-1order-7" } }))).toMatchObject({ outcome: "appended" });
  });

  it("BRK-5 appends conditionally at the expected head alone", async (broker) => {
    const empty = (await broker.head("room:1")).position;
    const first = landedAt(await broker.append("room:1", request({ expected: empty })));
    expect(await broker.append("room:1", request({ expected: empty }))).toEqual({ outcome: "conflict", head: first });
    expect(await broker.append("room:1", request({ expected: first }))).toMatchObject({ outcome: "appended" });
    expect(await broker.append("room:1", request({ expected: { epoch: "foreign", seq: first.seq } }))).toMatchObject({ outcome: "conflict" });
  });

  it("BRK-5 lets one of many at the same head land", async (broker) => {
    const head = (await broker.head("room:1")).position;
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => broker.append("room:1", request({ expected: head }))));
    expect(outcomes.filter(({ outcome }) => outcome === "appended").length).toBe(1);
    expect(outcomes.filter(({ outcome }) => outcome === "conflict").length).toBe(7);
  });
}

function publisherSuite({ withBroker: it, expect }: Suite): void {
  it("BRK-2 answers a repeat with the first position and appends nothing", async (broker) => {
    const start = (await broker.head("room:1")).position;
    const first = landedAt(await broker.append("room:1", request({ publisher: count(1) })));
    const second = landedAt(await broker.append("room:1", request({ publisher: count(2) })));
    expect(await broker.append("room:1", request({ publisher: count(1) }))).toEqual({ outcome: "repeat", position: first });
    expect(await broker.append("room:1", request({ publisher: count(2) }))).toEqual({ outcome: "repeat", position: second });
    expect((await readAll(broker, "room:1", start)).length).toBe(2);
  });

  it("BRK-2 refuses a jump as out of order, and takes it once the one before it landed", async (broker) => {
    expect(await broker.append("room:1", request({ publisher: count(2) }))).toEqual({ outcome: "out-of-order", highest: 0 });
    await broker.append("room:1", request({ publisher: count(1) }));
    expect(await broker.append("room:1", request({ publisher: count(3) }))).toEqual({ outcome: "out-of-order", highest: 1 });
    expect(await broker.append("room:1", request({ publisher: count(2) }))).toMatchObject({ outcome: "appended" });
  });

  it("BRK-2 does not wait for what is settled at the client", async (broker) => {
    expect(await broker.append("room:1", request({ publisher: count(8, 7) }))).toMatchObject({ outcome: "appended" });
    expect(await broker.append("room:1", request({ publisher: count(10, 8) }))).toEqual({ outcome: "out-of-order", highest: 8 });
  });

  it("BRK-2 counts each session and channel by itself", async (broker) => {
    await broker.append("room:1", request({ publisher: count(1) }));
    expect(await broker.append("room:1", request({ publisher: count(1, 0, "session-2") }))).toMatchObject({ outcome: "appended" });
    expect(await broker.append("room:2", request({ publisher: count(1) }))).toMatchObject({ outcome: "appended" });
  });

  it("BRK-2 lands one of several that were sent at once with the same count", async (broker) => {
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => broker.append("room:1", request({ publisher: count(1) }))));
    expect(outcomes.filter(({ outcome }) => outcome === "appended").length).toBe(1);
    expect(new Set(outcomes.map((outcome) => landedAt(outcome).seq)).size).toBe(1);
  });

  it("BRK-2 says that it does not know, and never guesses, what a count it no longer has became of", async (broker) => {
    await broker.append("room:1", request({ publisher: count(8, 7) }));
    expect(await broker.append("room:1", request({ publisher: count(3) }))).toEqual({ outcome: "unknown" });
  });

  it("BRK-3 refuses a repeat of what was refused, and takes the next", async (broker) => {
    const error = { code: "CANVAS_LOCKED", message: "somebody is presenting" };
    expect(await broker.refuse("room:1", count(1), error)).toEqual({ outcome: "refused", error });
    expect(await broker.append("room:1", request({ publisher: count(1) }))).toEqual({ outcome: "refused", error });
    expect(await broker.lookup("room:1", count(1))).toEqual({ outcome: "refused", error });
    expect(await broker.append("room:1", request({ publisher: count(2) }))).toMatchObject({ outcome: "appended" });
  });

  it("BRK-3 does not refuse what has landed, or what is out of order", async (broker) => {
    const error = { code: "FORBIDDEN", message: "no" };
    const position = landedAt(await broker.append("room:1", request({ publisher: count(1) })));
    expect(await broker.refuse("room:1", count(1), error)).toEqual({ outcome: "repeat", position });
    expect(await broker.refuse("room:1", count(3), error)).toEqual({ outcome: "out-of-order", highest: 1 });
  });

  it("BRK-2 looks a count up without taking it", async (broker) => {
    expect(await broker.lookup("room:1", count(1))).toBeUndefined();
    const position = landedAt(await broker.append("room:1", request({ publisher: count(1) })));
    expect(await broker.lookup("room:1", count(1))).toEqual({ outcome: "repeat", position });
    expect(await broker.lookup("room:1", count(2))).toBeUndefined();
  });
}

function readSuite({ withBroker: it, expect }: Suite): void {
  it("BRK-6 reads in pages that follow each other", async (broker) => {
    const start = (await broker.head("room:1")).position;
    const positions = await appendMany(broker, "room:1", 7);
    const page = await broker.read("room:1", start, { countMax: 3 });
    expect(page.outcome === "page" && page.run.events.map(({ seq }) => seq)).toEqual(positions.slice(0, 3).map(({ seq }) => seq));
    expect(page.head).toEqual(positions[6]);
    expect((await readAll(broker, "room:1", start, 3)).map(({ seq }) => seq)).toEqual(positions.map(({ seq }) => seq));
  });

  it("BRK-6 reads nothing after the head, and says that it is no gap", async (broker) => {
    const positions = await appendMany(broker, "room:1", 2);
    const head = positions[1];
    if (head === undefined) throw new Error("nothing was appended");
    const page = await broker.read("room:1", head, { countMax: 10 });
    expect(page).toMatchObject({ outcome: "page", head, run: { events: [] } });
    expect((await broker.head("room:1")).position).toEqual(head);
  });

  it("BRK-6 tells a gap for a foreign epoch, a position from the future, and another event at the position", async (broker) => {
    const positions = await appendMany(broker, "room:1", 3);
    const [first, , head] = positions;
    if (first === undefined || head === undefined) throw new Error("nothing was appended");
    const gap = { outcome: "gap", head };
    expect(await broker.read("room:1", { epoch: "foreign", seq: 1 }, { countMax: 10 })).toMatchObject(gap);
    expect(await broker.read("room:1", { ...head, seq: head.seq + 1 }, { countMax: 10 })).toMatchObject(gap);
    expect(await broker.read("room:1", { ...first, eventId: "another" }, { countMax: 10 })).toMatchObject(gap);
    const known = await readAll(broker, "room:1", first);
    expect(known.length).toBe(2);
  });

  it("BRK-6 has a head for a channel that nobody wrote to, and reads nothing there", async (broker) => {
    const { position, floor } = await broker.head("room:1");
    expect(position.seq).toBe(0);
    expect(floor).toBe(0);
    expect(await broker.read("room:1", position, { countMax: 10 })).toMatchObject({ outcome: "page", head: position, run: { events: [] } });
  });

  it("BRK-8 loads the snapshot that was saved, with its position", async (broker) => {
    expect(await broker.loadSnapshot("room:1")).toBeUndefined();
    const positions = await appendMany(broker, "room:1", 3);
    const [older, newer] = positions;
    if (older === undefined || newer === undefined) throw new Error("nothing was appended");
    await broker.saveSnapshot("room:1", { position: newer, version: 2, state: { notes: ["a", "b"] } });
    expect(await broker.loadSnapshot("room:1")).toEqual({ position: newer, version: 2, state: { notes: ["a", "b"] } });
    await broker.saveSnapshot("room:1", { position: older, version: 2, state: { notes: ["a"] } });
    expect(await broker.loadSnapshot("room:1")).toMatchObject({ position: newer });
    await broker.saveSnapshot("room:1", { position: { epoch: "foreign", seq: 99 }, version: 2, state: {} });
    expect(await broker.loadSnapshot("room:1")).toMatchObject({ position: newer });
    expect(await broker.loadSnapshot("room:2")).toBeUndefined();
  });
}

function trimSuite({ withBroker: it, expect }: Suite): void {
  it("BRK-7 raises the floor and not the head; below the floor is a gap", async (broker) => {
    const start = (await broker.head("room:1")).position;
    const positions = await appendMany(broker, "room:1", 6);
    const [, second, third, , , last] = positions;
    if (second === undefined || third === undefined || last === undefined) throw new Error("nothing was appended");
    await broker.trim("room:1", third);
    expect(await broker.head("room:1")).toEqual({ position: last, floor: third.seq });
    expect(await broker.read("room:1", start, { countMax: 10 })).toMatchObject({ outcome: "gap", floor: third, head: last });
    expect(await broker.read("room:1", second, { countMax: 10 })).toMatchObject({ outcome: "gap" });
    const [next, ...others] = await readAll(broker, "room:1", third);
    expect(next).toMatchObject({ prev: third.seq });
    expect(others.length).toBe(2);
  });

  it("BRK-7 trims to the head at most, never lowers the floor, and goes on counting", async (broker) => {
    const [first, second] = await appendMany(broker, "room:1", 2);
    if (first === undefined || second === undefined) throw new Error("nothing was appended");
    await broker.trim("room:1", second);
    await broker.trim("room:1", first);
    expect(await broker.head("room:1")).toEqual({ position: second, floor: second.seq });
    const third = landedAt(await broker.append("room:1", request()));
    expect(third.seq).toBeGreaterThan(second.seq);
    expect((await readAll(broker, "room:1", second))[0]).toMatchObject({ seq: third.seq, prev: second.seq });
  });

  it("BRK-7 forgets nothing for a position of another epoch", async (broker) => {
    await appendMany(broker, "room:1", 2);
    await broker.trim("room:1", { epoch: "foreign", seq: 1 });
    expect((await broker.head("room:1")).floor).toBe(0);
  });

  it("BRK-7 remembers publishers whose events were trimmed", async (broker) => {
    const position = landedAt(await broker.append("room:1", request({ publisher: count(1) })));
    await broker.trim("room:1", position);
    expect(await broker.append("room:1", request({ publisher: count(1) }))).toEqual({ outcome: "repeat", position });
  });

  it("BRK-7 keeps what the retention wants kept, and forgets in time what it does not", async (broker, elapse) => {
    const retention = { countMin: 10, ageMsMin: 1_000, countMax: 1_000, bytesMax: 1_000_000 };
    await Promise.all(Array.from({ length: 300 }, () => broker.append("room:1", request({ retention }))));
    expect((await broker.head("room:1")).floor).toBe(0);
    await elapse(2_000);
    await broker.append("room:1", request({ retention }));
    const { position, floor } = await broker.head("room:1");
    expect(floor).toBeGreaterThan(0);
    expect((await readAll(broker, "room:1", { epoch: position.epoch, seq: floor })).length).toBeGreaterThan(9);
  });

  it("BRK-7 forgets nothing of a channel whose appends name no retention", async (broker, elapse) => {
    await appendMany(broker, "room:1", 300);
    await elapse(2_000);
    await appendMany(broker, "room:1", 1);
    expect((await broker.head("room:1")).floor).toBe(0);
  });
}

function busSuite({ withBroker: it, expect }: Suite): void {
  it("BRK-9 broadcasts to the listeners of the topic, and keeps nothing", async (broker, elapse) => {
    await broker.broadcast("topic-1", "nobody listens");
    const first: string[] = [];
    const second: string[] = [];
    const other: string[] = [];
    const ends = [
      await broker.listen("topic-1", (message) => first.push(message)),
      await broker.listen("topic-1", (message) => second.push(message)),
      await broker.listen("topic-2", (message) => other.push(message)),
    ];
    await broker.broadcast("topic-1", "one");
    await broker.broadcast("topic-1", "two");
    await elapse(DELIVERY_MS);
    expect([first, second, other]).toEqual([["one", "two"], ["one", "two"], []]);
    for (const end of ends) await end();
  });

  it("BRK-10 hears nothing once the end was acknowledged", async (broker, elapse) => {
    const runs: EventRun[] = [];
    const others: EventRun[] = [];
    const messages: string[] = [];
    const endRuns = await broker.subscribe("room:1", (run) => runs.push(run));
    const endOthers = await broker.subscribe("room:1", (run) => others.push(run));
    const endMessages = await broker.listen("topic-1", (message) => messages.push(message));
    await broker.append("room:1", request());
    await elapse(DELIVERY_MS);
    await endRuns();
    await endMessages();
    await broker.append("room:1", request());
    await broker.broadcast("topic-1", "late");
    await elapse(DELIVERY_MS);
    expect([runs.length, others.length, messages.length]).toEqual([1, 2, 0]);
    await endOthers();
  });
}
