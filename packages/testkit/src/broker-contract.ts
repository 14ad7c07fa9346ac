import type { Broker, EventRun, LoggedEvent } from "@tutti/server";
import { floorSuite, headsSuite, locateSuite, readSuite, retentionSuite, trimSuite } from "./broker-contract-history.js";
import { DELIVERY_MS, appendMany, count, landedAt, readAll, request, type BrokerUnderTest, type Suite, type TestFramework } from "./broker-contract-tools.js";

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
    headsSuite(suite);
    trimSuite(suite);
    floorSuite(suite);
    locateSuite(suite);
    retentionSuite(suite);
    busSuite(suite);
  });
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

  it("BRK-1 gives an event that was read from another log a place of its own", async (broker, elapse) => {
    const start = (await broker.head("room:1")).position;
    const otherStart = (await broker.head("room:2")).position;
    await appendMany(broker, "room:2", 3);
    const logged = await readAll(broker, "room:2", otherStart);
    const heard: LoggedEvent[] = [];
    const end = await broker.subscribe("room:1", ({ events }) => heard.push(...events));
    const positions: number[] = [];
    for (const event of logged.toReversed()) positions.push(landedAt(await broker.append("room:1", { event })).seq);
    await elapse(DELIVERY_MS);
    expect(heard.map(({ eventId }) => eventId)).toEqual(logged.map(({ eventId }) => eventId).toReversed());
    expect(heard.map(({ seq }) => seq)).toEqual(positions);
    expect(heard.map(({ prev }) => prev)).toEqual([start.seq, ...positions.slice(0, -1)]);
    expect(await readAll(broker, "room:1", start)).toEqual(heard);
    await end();
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
