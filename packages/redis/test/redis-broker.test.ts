import { hasRedis } from "@tutti/cluster";
import type { LastSeen, Position } from "@tutti/protocol";
import { describe, expect, test } from "vitest";
import { digestOf } from "../src/keys.js";
import { RecordedLog, RedisNodes, append, count, eventsOf, freshPrefix, hear, request } from "./support/redis-nodes.js";

const room = "room:1";
const FOR_EVER = { countMin: 0, ageMsMin: Number.MAX_SAFE_INTEGER, countMax: 1_000_000, bytesMax: Number.MAX_SAFE_INTEGER };

describe.skipIf(!hasRedis())("several nodes on a Redis (needs redis)", { timeout: 30_000 }, () => {
  const nodes = new RedisNodes();
  const redis = (...command: readonly string[]): Promise<string> => nodes.server.command(...command);
  const keyOf = (prefix: string, part: string, channel = room): string => `${prefix}:{${channel}}:${part}`;

  test("RDS-1 what two nodes append at once has one order, which both hear", async () => {
    const prefix = freshPrefix();
    const [one, two] = await Promise.all([nodes.start({ prefix }), nodes.start({ prefix })]);
    const [first, second] = await Promise.all([hear(one, room), hear(two, room)]);
    const positions = await Promise.all(Array.from({ length: 200 }, (_, index) => append(index % 2 === 0 ? one : two, room)));
    await expect.poll(() => [first.ids().length, second.ids().length]).toEqual([200, 200]);
    expect(first.ids()).toEqual(second.ids());
    expect((await eventsOf(two, room)).map(({ eventId }) => eventId)).toEqual(first.ids());
    expect(new Set(positions.map(({ epoch, seq }) => `${epoch} ${seq}`)).size).toBe(200);
  });

  test("RDS-1 what Redis has no memory for has not happened: neither the event nor its count nor its delivery", async () => {
    const broker = await nodes.start();
    const heard = await hear(broker, room);
    const head = await append(broker, room, { publisher: count(1) });
    await redis("CONFIG", "SET", "maxmemory", "1");
    await expect(broker.append(room, request({ publisher: count(2) }))).rejects.toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("memory") });
    await redis("CONFIG", "SET", "maxmemory", "0");
    expect((await broker.head(room)).position).toEqual(head);
    expect(await broker.lookup(room, count(2))).toBeUndefined();
    expect(await broker.append(room, request({ publisher: count(2) }))).toMatchObject({ outcome: "appended" });
    await expect.poll(() => heard.runs.length).toBe(2);
  });

  test("RDS-1 numbers that JSON and Lua tell apart, and empty lists, come back as they were", async () => {
    const broker = await nodes.start();
    const payload = { big: 9_007_199_254_740_991, small: 1e-300, none: [], deep: { none: {} }, text: "a\u2028b\ud800\n\0", bytes: new Uint8Array([0, 255]) };
    const event = { ...request().event, eventId: "ä id with spaces\n\ud800", payload, user: "ann" };
    const heard = await hear(broker, room);
    await broker.append(room, { event });
    expect(await eventsOf(broker, room)).toEqual([{ ...event, seq: 1, prev: 0 }]);
    expect((await broker.head(room)).eventId).toBe(event.eventId);
    await expect.poll(() => heard.last()?.events).toEqual([{ ...event, seq: 1, prev: 0 }]);
    const next = await append(broker, room);
    // The chain of ids holds over such an id too.
    await expect.poll(() => heard.last()?.events[0]?.seq).toBe(next.seq);
  });

  test("BRK-15 the event at the floor is known whatever its id, and a snapshot is kept where it names the event that stands there", async () => {
    const broker = await nodes.start();
    const ids = ["plain", "ä id with spaces\n\ud800", 'say "\\"', "\\", '{"eventId":"x"', "last"];
    const landed = [];
    for (const eventId of ids) landed.push({ position: await append(broker, room, { event: { ...request().event, eventId } }), eventId });
    const saves = async (position: Position, eventId: string): Promise<boolean> => broker.saveSnapshot(room, { position, eventId, version: 1, state: {} });
    for (const { position, eventId } of landed) {
      expect(await broker.locate(room, { count: ids.length - position.seq })).toEqual({ ...position, eventId });
      await broker.trim(room, position);
      expect(await broker.head(room)).toMatchObject({ eventId: "last", floor: position.seq, floorEventId: eventId });
      expect(await broker.read(room, { ...position, eventId }, { countMax: 10 })).toMatchObject({ outcome: "page" });
      expect(await broker.read(room, { ...position, eventId: "another" }, { countMax: 10 })).toMatchObject({ outcome: "gap", floor: { ...position, eventId }, head: { eventId: "last" } });
      expect([await saves(position, "another"), await saves(position, eventId)]).toEqual([false, true]);
    }
    const last = await append(broker, room, { event: { ...request().event, eventId: 'say "\\" again' } });
    await append(broker, room);
    expect([await saves(last, "another"), await saves(last, 'say "\\" again')]).toEqual([false, true]);
  });

  test("RDS-5 a channel is heard from Redis once by each node that has subscribers there, and by no other", async () => {
    const prefix = freshPrefix();
    const [one, two] = await Promise.all([nodes.start({ prefix }), nodes.start({ prefix })]);
    const subscribers = async (): Promise<string> => (await redis("PUBSUB", "NUMSUB", keyOf(prefix, "runs"))).split("\n").at(-1) ?? "";
    const silent = await hear(two, "room:2");
    expect(await subscribers()).toBe("0");
    const heard = await Promise.all([hear(one, room), hear(one, room)]);
    expect(await subscribers()).toBe("1");
    await append(two, room);
    await expect.poll(() => heard.map(({ runs }) => runs.length)).toEqual([1, 1]);
    await heard[0].end();
    expect(await subscribers()).toBe("1");
    await heard[1].end();
    expect(await subscribers()).toBe("0");
    expect(silent.runs).toEqual([]);
    // One that goes and comes back in one turn is there.
    const ends = await hear(one, room);
    const [, again] = await Promise.all([ends.end(), hear(one, room)]);
    await append(two, room);
    await expect.poll(() => again.runs.length).toBe(1);
  });

  test("RDS-8 remembers no more publishers than it may, the latest half of them at least, and says where one had to go", async () => {
    const prefix = freshPrefix();
    const broker = await nodes.start({ prefix, publishersMax: 10 });
    for (let index = 1; index <= 5; index++) await append(broker, room, { publisher: count(1, 0, `session-${index}`) });
    expect(await broker.lookup(room, count(1, 0, "stranger"))).toBeUndefined();
    for (let index = 6; index <= 40; index++) await append(broker, room, { publisher: count(1, 0, `session-${index}`) });
    const remembered = async (): Promise<number> => Number(await redis("HLEN", keyOf(prefix, "publishers"))) + Number(await redis("HLEN", keyOf(prefix, "publishers:old")));
    expect(await remembered()).toBeLessThanOrEqual(10);
    for (let index = 36; index <= 40; index++) expect(await broker.lookup(room, count(1, 0, `session-${index}`))).toMatchObject({ outcome: "repeat", position: { seq: index } });
    expect(await broker.lookup(room, count(1, 0, "session-1"))).toEqual({ outcome: "unknown" });
    expect(await broker.lookup(room, count(1, 0, "stranger"))).toEqual({ outcome: "unknown" });
  });

  test("RDS-8 keeps a publisher that goes on, however many others come", async () => {
    const broker = await nodes.start({ publishersMax: 10, answersMax: 4 });
    const positions: number[] = [];
    for (let n = 1; n <= 30; n++) {
      positions.push((await append(broker, room, { publisher: count(n) })).seq);
      await append(broker, room, { publisher: count(1, 0, `session-${n + 1}`) });
    }
    for (let n = 27; n <= 30; n++) expect(await broker.append(room, request({ publisher: count(n) }))).toMatchObject({ outcome: "repeat", position: { seq: positions[n - 1] } });
    // Of its answers it has the latest.
    expect(await broker.lookup(room, count(1))).toEqual({ outcome: "unknown" });
  });

  test("RDS-8 answers refusals and repeats of one publisher in any order, over what it no longer has", async () => {
    const broker = await nodes.start({ answersMax: 3 });
    const error = { code: "NOPE", message: "line\nfeed !" };
    const outcomes: unknown[] = [];
    for (let n = 1; n <= 11; n++) {
      if (n % 3 === 0) outcomes.push(await broker.refuse(room, count(n), error));
      else outcomes.push({ outcome: "repeat", position: await append(broker, room, { publisher: count(n) }) });
      await append(broker, room);
    }
    for (let n = 11; n > 8; n--) expect(await broker.lookup(room, count(n))).toEqual(outcomes[n - 1]);
    expect(await broker.lookup(room, count(2))).toEqual({ outcome: "unknown" });
  });

  test("RDS-8 remembers no more keys than it may, the latest half of them at least", async () => {
    const prefix = freshPrefix();
    const broker = await nodes.start({ prefix, keysMax: 10 });
    const key = (index: number) => ({ principal: "ann", key: `key-${index}` });
    for (let index = 1; index <= 40; index++) await append(broker, room, { key: key(index) });
    expect(Number(await redis("HLEN", keyOf(prefix, "keys"))) + Number(await redis("HLEN", keyOf(prefix, "keys:old")))).toBeLessThanOrEqual(10);
    for (let index = 36; index <= 40; index++) expect(await broker.lookup(room, key(index))).toMatchObject({ outcome: "repeat", position: { seq: index } });
    expect(await broker.lookup(room, key(1))).toBeUndefined();
  });

  test("RDS-8 forgets publishers and keys after their time, and no doubt remains", async () => {
    let aheadMs = 0;
    const broker = await nodes.start({ deduplicationMs: 10_000, publishersMax: 1_000, clockAheadMs: () => aheadMs });
    const key = { principal: "ann", key: "old" };
    await append(broker, room, { publisher: count(1, 0, "old"), key });
    for (const session of ["young", "younger"]) {
      aheadMs += 11_000;
      await append(broker, room, { publisher: count(1, 0, session) });
      await append(broker, room, { key: { principal: "ann", key: session } });
    }
    expect(await broker.lookup(room, count(1, 0, "old"))).toBeUndefined();
    expect(await broker.lookup(room, count(1, 0, "younger"))).toMatchObject({ outcome: "repeat" });
    expect(await broker.lookup(room, key)).toBeUndefined();
  });

  test("RDS-8 a channel that nobody uses goes as a whole, and comes back in another epoch; one with state stays", async () => {
    const prefix = freshPrefix();
    const broker = await nodes.start({ prefix, deduplicationMs: 60_000 });
    const retention = { ...FOR_EVER, ageMsMin: 100 };
    const first = await append(broker, room, { retention, publisher: count(1) });
    await broker.refuse(room, count(2), { code: "NOPE", message: "no" });
    await append(broker, room, { retention, key: { principal: "ann", key: "1" } });
    await broker.saveSnapshot(room, { position: first, version: 1, state: {} });
    const kept = await append(broker, "board:1", { publisher: count(1) });
    const keys = (await redis("KEYS", `${prefix}:{${room}}:*`)).split("\n");
    expect(keys.length).toBe(5);
    // All of them in the same moment, so that nothing is left of a channel whose log is gone.
    expect(new Set(await Promise.all(keys.map((key) => redis("PEXPIRETIME", key)))).size).toBe(1);
    expect(Number(await redis("PTTL", keys[0] ?? ""))).toBeLessThanOrEqual(75_000);
    await redis("PEXPIRE", keyOf(prefix, "log"), "1");
    await expect.poll(() => redis("EXISTS", keyOf(prefix, "log"))).toBe("0");
    const { position } = await broker.head(room);
    expect(position.seq).toBe(0);
    expect(position.epoch).not.toBe(first.epoch);
    expect(await broker.append(room, request({ retention, publisher: count(1) }))).toMatchObject({ outcome: "appended", position: { epoch: position.epoch, seq: 1 } });
    expect((await broker.head("board:1")).position).toEqual(kept);
    expect(await redis("PTTL", keyOf(prefix, "log", "board:1"))).toBe("-1");
  });

  test("RDS-8 a channel that is used stays, and so does one from the moment on at which it has state", async () => {
    const prefix = freshPrefix();
    const broker = await nodes.start({ prefix, deduplicationMs: 60_000 });
    const retention = { ...FOR_EVER, ageMsMin: 100 };
    const ttl = async (part: string): Promise<number> => Number(await redis("PTTL", keyOf(prefix, part)));
    await broker.head(room);
    expect(await ttl("log")).toBeGreaterThan(60_000);
    await append(broker, room, { retention, publisher: count(1) });
    for (const part of ["log", "events", "publishers"]) expect(await ttl(part)).toBeGreaterThan(59_000);
    await redis("PEXPIRE", keyOf(prefix, "events"), "30000");
    await redis("HSET", keyOf(prefix, "log"), "expires", "1");
    await append(broker, room, { retention });
    expect(await ttl("events")).toBeGreaterThan(59_000);
    await append(broker, room);
    for (const part of ["log", "events", "publishers"]) expect(await ttl(part)).toBe(-1);
  });

  test("RDS-9 brokers with different prefixes know nothing of each other", async () => {
    const [one, two] = await Promise.all([nodes.start(), nodes.start()]);
    const heard = await hear(two, room);
    const messages: string[] = [];
    await two.listen("topic", (message) => messages.push(message));
    await append(one, room, { publisher: count(1) });
    await one.broadcast("topic", "hello");
    expect((await two.head(room)).position.seq).toBe(0);
    expect(await two.lookup(room, count(1))).toBeUndefined();
    await two.broadcast("topic", "own");
    await expect.poll(() => messages).toEqual(["own"]);
    expect(heard.runs).toEqual([]);
  });

  test("RDS-10 drops and logs what is delivered and cannot be read", async () => {
    const prefix = freshPrefix();
    const log = new RecordedLog();
    const broker = await nodes.start({ prefix, log });
    const heard = await hear(broker, room);
    for (const message of ["", "nonsense", "e 2 1 \n{", 'e 2 1 x\n{"eventId":1}', "e two 1 x\n{}", "e 1 1 x\n{}"]) await redis("PUBLISH", keyOf(prefix, "runs"), message);
    const position = await append(broker, room);
    await expect.poll(() => heard.runs.map(({ events }) => events[0]?.seq)).toEqual([position.seq]);
    expect(log.lines.filter(({ message }) => message.includes("cannot be read"))).toHaveLength(6);
  });

  test("RDS-10 an event that is damaged in Redis is no event, and no gap either", async () => {
    const prefix = freshPrefix();
    const broker = await nodes.start({ prefix });
    const first = await append(broker, room);
    await redis("XADD", keyOf(prefix, "events"), "2-0", "start", "0", "event", "not JSON");
    await redis("HSET", keyOf(prefix, "log"), "seq", "2");
    await expect(broker.read(room, first, { countMax: 10 })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("RDS-10 events that were evicted are below the floor, and the log goes on", async () => {
    const prefix = freshPrefix();
    const broker = await nodes.start({ prefix });
    const first = await append(broker, room);
    const second = await append(broker, room);
    await redis("DEL", keyOf(prefix, "events"));
    expect(await broker.read(room, first, { countMax: 10 })).toMatchObject({ outcome: "gap", floor: second, head: second });
    expect(await append(broker, room)).toEqual({ ...second, seq: 3 });
    expect(await eventsOf(broker, room)).toMatchObject([{ seq: 3, prev: 2 }]);
  });

  test("RDS-12 reads pages of large events that are small enough, each of which goes on", async () => {
    const broker = await nodes.start();
    const payload = "x".repeat(300_000);
    const start = (await broker.head(room)).position;
    for (let index = 0; index < 10; index++) await broker.append(room, request({ event: { ...request().event, payload: index === 5 ? payload.repeat(5) : payload } }));
    for (const wantsId of [false, true]) {
      const pages: number[][] = [];
      let after: LastSeen = start;
      for (;;) {
        const page = await broker.read(room, after, { countMax: 100 });
        if (page.outcome !== "page") throw new Error(page.outcome);
        const last = page.run.events.at(-1);
        if (last === undefined) break;
        pages.push(page.run.events.map(({ seq }) => seq));
        after = { epoch: page.run.epoch, seq: last.seq, ...(wantsId && { eventId: last.eventId }) };
      }
      expect(pages.flat()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      expect(Math.max(...pages.map(({ length }) => length))).toBe(3);
      expect(pages.length).toBeLessThan(10);
    }
  });

  test("RDS-12 trims many events a slice at a time", async () => {
    const broker = await nodes.start();
    const last = (await Promise.all(Array.from({ length: 2_500 }, () => append(broker, room)))).at(-1)!;
    const trims = async (): Promise<number> => Number(/cmdstat_xtrim:calls=(\d+)/.exec(await redis("INFO", "commandstats"))?.[1] ?? 0);
    const before = await trims();
    await broker.trim(room, last);
    expect(await trims()).toBe(before + 3);
    expect(await broker.head(room)).toMatchObject({ position: last, floor: last.seq });
  });

  test("RDS-9 keys are kept as digests, so that neither their length nor what stands in them matters", async () => {
    const prefix = freshPrefix();
    const broker = await nodes.start({ prefix });
    const key = { principal: "ann", key: `${"long".repeat(1_000)}\n\0` };
    await append(broker, room, { key });
    expect(await redis("HKEYS", keyOf(prefix, "keys"))).toBe(digestOf(key));
  });
});
