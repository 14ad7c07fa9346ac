import { hasRedis } from "@tutti/cluster";
import { RandomStream } from "@tutti/testkit";
import type { AppendRequest, Broker, Outcome } from "@tutti/server";
import { Socket } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { RecordedLog, RedisNodes, append, count, eventsOf, freshPrefix, hear, request } from "./support/redis-nodes.js";

const room = "room:1";
const retention = { countMin: 0, ageMsMin: Number.MAX_SAFE_INTEGER, countMax: 1_000_000, bytesMax: Number.MAX_SAFE_INTEGER };

/** A channel under it goes when nobody used it. */
const brief = { ...retention, ageMsMin: 100 };

/** What it says of a publish, whichever the epoch. */
function shapeOf(outcome: Outcome): unknown {
  if ("position" in outcome) return [outcome.outcome, outcome.position.seq];
  return "head" in outcome ? [outcome.outcome, outcome.head.seq] : outcome;
}

describe.skipIf(!hasRedis())("what is appended in one turn (needs redis)", { timeout: 30_000 }, () => {
  const nodes = new RedisNodes(["appendfsync no"]);
  const redis = (...command: readonly string[]): Promise<string> => nodes.server.command(...command);
  const keyOf = (prefix: string, part: string, channel = room): string => `${prefix}:{${channel}}:${part}`;

  /** One that calls nobody by itself. */
  const quiet = (options: Parameters<RedisNodes["start"]>[0] = {}): Promise<Broker> => nodes.start({ watchdogMs: 600_000, ...options });

  /** How often a command ran, in scripts and without. */
  const callCount = async (command: string): Promise<number> => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await redis("INFO", "commandstats"))?.[1] ?? 0);

  /** How often it ran meanwhile. */
  async function callsOf(command: string, body: () => Promise<unknown>): Promise<number> {
    const before = await callCount(command);
    await body();
    return (await callCount(command)) - before;
  }

  test("RDS-13 is one that goes at once, and one script for all others, whatever their channels, with one delivery for each channel", async () => {
    const broker = await quiet();
    const rooms = ["room:1", "room:2", "room:3"];
    const heard = await Promise.all(rooms.map((each) => hear(broker, each)));
    const requests = Array.from({ length: 20 }, () => request({ retention }));
    let published = 0;
    const scripts = await callsOf("evalsha", async () => {
      published = await callsOf("publish", () => Promise.all(requests.map((each, index) => broker.append(rooms[index % 3] ?? "", each))));
    });
    expect([scripts, published]).toEqual([2, 4]);
    await expect.poll(() => heard.map(({ runs }) => runs.map(({ events }) => events.length))).toEqual([[1, 6], [7], [6]]);
    const ids = (index: number): readonly string[] => requests.filter((_, at) => at % 3 === index).map(({ event }) => event.eventId);
    for (const [index, { ids: heardIds }] of heard.entries()) expect(heardIds()).toEqual(ids(index));
    expect(heard[1]?.last()?.events.map(({ seq, prev }) => [seq, prev])).toEqual(Array.from({ length: 7 }, (_, index) => [index + 1, index]));
    // A run names the event before it.
    expect(heard[0]?.last()?.before).toBe(ids(0)[0]);
    for (const [index, each] of rooms.entries()) expect((await eventsOf(broker, each)).map(({ eventId }) => eventId)).toEqual(ids(index));
    await append(broker, room);
    await expect.poll(() => heard[0]?.last()?.before).toBe(ids(0).at(-1));
  });

  test("RDS-12 is several scripts where it would hold Redis up: 64 events or 256 KiB in each, or one, in their order", async () => {
    const broker = await quiet();
    const many = Array.from({ length: 200 }, () => request());
    expect(await callsOf("evalsha", () => Promise.all(many.map((each) => broker.append(room, each))))).toBe(5);
    const payloads = [100_000, 100_000, 100_000, 400_000, 10, 10].map((length) => "x".repeat(length));
    const large = payloads.map((payload) => request({ event: { ...request().event, payload } }));
    // One by itself, two, one that is too large for any company, and two.
    expect(await callsOf("evalsha", () => Promise.all(large.map((each) => broker.append(room, each))))).toBe(4);
    expect((await eventsOf(broker, room)).map(({ eventId }) => eventId)).toEqual([...many, ...large].map(({ event }) => event.eventId));
  });

  test("RDS-12 forgets no more than 1,024 events in one script, of however many channels", async () => {
    const broker = await quiet();
    // One goes by itself, and the others together.
    const rooms = ["room:1", "room:2", "room:3"];
    await Promise.all(rooms.flatMap((each) => Array.from({ length: 900 }, () => append(broker, each))));
    const forget = () => Promise.all(rooms.map((each) => append(broker, each, { retention: { countMin: 0, ageMsMin: 0, countMax: 10, bytesMax: 1 } })));
    const floors = () => Promise.all(rooms.map(async (each) => (await broker.head(each)).floor));
    await forget();
    expect(await floors()).toEqual([900, 900, 124]);
    await forget();
    expect(await floors()).toEqual([901, 901, 901]);
  });

  test("RDS-13 each has the outcome that it would have had by itself, and all happen in their order", async () => {
    const chance = new RandomStream(20_261_120, "requests");
    for (let round = 0; round < 30; round++) {
      const bounds = { answersMax: 3, publishersMax: 6, keysMax: 4 };
      const [together, alone] = await Promise.all([quiet(bounds), quiet(bounds)]);
      const sessions = ["ann", "bob", "cy", "di", "eve"];
      const heads = await Promise.all([together, alone].map(async (broker) => (await append(broker, room)).epoch));
      /** The same for both, but for the epoch that each of them has. */
      const draw = (index: number): ((epoch: string) => AppendRequest) => {
        const event = { ...request().event, eventId: `event-${index}` };
        const keep = chance.chance(0.3) ? retention : undefined;
        const publisher = count(1 + chance.below(4), chance.below(3), chance.pick(sessions));
        const key = { principal: "ann", key: String(chance.below(4)) };
        const expected = chance.below(9);
        const kind = chance.pick(["plain", "publisher", "publisher", "key", "expected"] as const);
        const fields = { event, ...(keep !== undefined && { retention: keep }), ...(kind === "publisher" && { publisher }), ...(kind === "key" && { key }) };
        return (epoch) => ({ ...fields, ...(kind === "expected" && { expected: { epoch, seq: expected } }) });
      };
      const draws = Array.from({ length: 25 }, (_, index) => draw(index));
      const atOnce = await Promise.all(draws.map((each) => together.append(room, each(heads[0] ?? ""))));
      const inTurn: Outcome[] = [];
      for (const each of draws) inTurn.push(await alone.append(room, each(heads[1] ?? "")));
      expect(atOnce.map(shapeOf)).toEqual(inTurn.map(shapeOf));
      const ids = await Promise.all([together, alone].map(async (broker) => (await eventsOf(broker, room)).slice(1).map(({ eventId }) => eventId)));
      expect(ids[0]).toEqual(ids[1]);
      await Promise.all([nodes.stop(together), nodes.stop(alone)]);
    }
  });

  test("RDS-13 a refusal and a look come after what was asked for before them", async () => {
    const broker = await quiet();
    const error = { code: "NOPE", message: "no" };
    const [first, second, head, third] = await Promise.all([
      broker.append(room, request({ publisher: count(1) })),
      broker.refuse(room, count(2), error),
      broker.head(room),
      broker.append(room, request({ publisher: count(3) })),
    ]);
    expect([first.outcome, second, head.position.seq, third.outcome]).toEqual(["appended", { outcome: "refused", error }, 1, "appended"]);
  });

  test("RDS-13 one that cannot be written as JSON, or has no channel, fails alone", async () => {
    const broker = await quiet();
    const bad = request({ event: { ...request().event, payload: { toJSON: 1n } } });
    const outcomes = await Promise.allSettled([broker.append(room, request()), broker.append(room, bad), broker.append("", request()), broker.append(room, request())]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
    expect(await eventsOf(broker, room)).toHaveLength(2);
  });

  test("RDS-13 what fails in Redis for one fails nobody else, and what was done for it is told and counted", async () => {
    const prefix = freshPrefix();
    const broker = await quiet({ prefix });
    const heard = await hear(broker, room);
    await append(broker, room);
    // Somebody wrote over the book of publishers of one channel, and over all of another.
    await redis("SET", keyOf(prefix, "publishers"), "text");
    await redis("SET", keyOf(prefix, "log", "room:2"), "text");
    const [, ...outcomes] = await Promise.allSettled([
      broker.append("room:4", request()),
      broker.append(room, request()),
      broker.append(room, request({ publisher: count(1) })),
      broker.append("room:2", request()),
      broker.append("room:3", request({ publisher: count(1) })),
      broker.append(room, request()),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled", "fulfilled"]);
    expect(outcomes[1]).toMatchObject({ reason: { code: "UNAVAILABLE", message: expect.stringContaining("WRONGTYPE") } });
    await expect.poll(() => heard.ids()).toHaveLength(3);
    await redis("DEL", keyOf(prefix, "publishers"));
    expect(await append(broker, room, { publisher: count(1) })).toMatchObject({ seq: 4 });
    expect((await eventsOf(broker, room)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  test("RDS-13 an event that Redis took is in the log and is told, though its publisher could not be counted", async () => {
    const prefix = freshPrefix();
    const broker = await quiet({ prefix });
    const heard = await hear(broker, room);
    await append(broker, room, { key: { principal: "ann", key: "1" } });
    // It is looked at after the key was written.
    await redis("HSET", keyOf(prefix, "log"), "keys", "text");
    const [, ...both] = await Promise.allSettled([broker.append("room:2", request()), broker.append(room, request({ key: { principal: "ann", key: "2" } })), broker.append(room, request())]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    await expect.poll(() => heard.ids()).toHaveLength(3);
    expect((await eventsOf(broker, room)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  test("RDS-13 leaves at the end of its turn, and not of the next one", async () => {
    const before = await callCount("publish");
    const broker = await quiet();
    // Nothing else is sent in that turn: the watchdog has called.
    await expect.poll(() => callCount("publish")).toBe(before + 1);
    const writing = vi.spyOn(Socket.prototype, "write");
    onTestFinished(() => writing.mockRestore());
    const scriptCount = (): number => writing.mock.calls.filter(([text]) => String(text).includes("EVALSHA")).length;
    const outcomes = [append(broker, room), append(broker, room), append(broker, room)];
    expect(scriptCount()).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(scriptCount()).toBe(2);
    await Promise.all(outcomes);
  });

  test("RDS-7 leaves a server that takes nothing because it became a replica", async () => {
    const log = new RecordedLog();
    const broker = await quiet({ log });
    await append(broker, room);
    await redis("REPLICAOF", "127.0.0.1", "1");
    const outcomes = await Promise.allSettled([append(broker, room), append(broker, "room:2")]);
    await redis("REPLICAOF", "NO", "ONE");
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: "rejected", reason: { code: "UNAVAILABLE", message: expect.stringContaining("replica") } });
    expect(log.has("made anew")).toBe(true);
    await expect.poll(() => broker.health?.().status).toBe("ready");
    expect(await append(broker, room)).toMatchObject({ seq: 2 });
  });

  test("RDS-3 what came before a new epoch in the same turn is told under the old one, and what comes after it under the new one", async () => {
    const prefix = freshPrefix();
    const broker = await quiet({ prefix });
    const heard = await hear(broker, room);
    const { epoch } = await append(broker, room);
    await redis("HSET", keyOf(prefix, "log"), "reign", "another-server");
    const [, ...outcomes] = await Promise.all([
      broker.append("room:2", request()),
      broker.append(room, request()),
      broker.append(room, request({ expected: { epoch, seq: 100 } })),
      broker.append(room, request()),
    ]);
    expect(outcomes).toMatchObject([{ outcome: "appended", position: { epoch, seq: 2 } }, { outcome: "conflict", head: { seq: 2 } }, { outcome: "appended", position: { seq: 3 } }]);
    const next = (await broker.head(room)).position.epoch;
    expect(next).not.toBe(epoch);
    expect(outcomes[2]).toMatchObject({ position: { epoch: next } });
    const places = () => heard.runs.map((run) => `${run.epoch === epoch ? "old" : "new"} ${run.events.map(({ seq }) => seq).join()}`);
    await expect.poll(places).toEqual(["old 1", "old 2", "new 2", "new 3"]);
  });

  test("RDS-8 remembers no more of those who published in one turn than it may, and the latest half of them at least", async () => {
    const prefix = freshPrefix();
    const broker = await quiet({ prefix, publishersMax: 10 });
    const publishers = Array.from({ length: 40 }, (_, index) => count(1, 0, `session-${index + 1}`));
    // What goes by itself is for another channel.
    await Promise.all([append(broker, "room:2"), ...publishers.map((publisher) => append(broker, room, { publisher }))]);
    const remembered = await Promise.all(["publishers", "publishers:old"].map(async (part) => Number(await redis("HLEN", keyOf(prefix, part)))));
    expect(remembered).toEqual([0, 5]);
    for (let index = 36; index <= 40; index++) expect(await broker.lookup(room, count(1, 0, `session-${index}`))).toMatchObject({ outcome: "repeat", position: { seq: index } });
    expect(await broker.lookup(room, count(1, 0, "session-1"))).toEqual({ outcome: "unknown" });
  });

  test("RDS-8 a channel that begins with several events goes as a whole too", async () => {
    const prefix = freshPrefix();
    const broker = await quiet({ prefix, deduplicationMs: 60_000 });
    await broker.refuse(room, count(1), { code: "NOPE", message: "no" });
    const key = { principal: "ann", key: "1" };
    await Promise.all([append(broker, "room:2"), append(broker, room, { retention: brief, publisher: count(2) }), append(broker, room, { retention: brief, key }), append(broker, room, { retention: brief })]);
    const keys = (await redis("KEYS", `${prefix}:{${room}}:*`)).split("\n");
    expect(keys).toHaveLength(4);
    const times = new Set(await Promise.all(keys.map((each) => redis("PEXPIRETIME", each))));
    expect([times.size, Number([...times][0]) > 0]).toEqual([1, true]);
  });

  test("RDS-8 the channels of one script go and stay each by its own retention", async () => {
    const prefix = freshPrefix();
    const broker = await quiet({ prefix, deduplicationMs: 60_000 });
    await Promise.all([append(broker, "room:3"), append(broker, room, { retention: brief }), append(broker, "board:1", { publisher: count(1) }), append(broker, "room:2", { retention: brief })]);
    const ttls = await Promise.all([room, "board:1", "room:2"].map(async (channel) => Number(await redis("PTTL", keyOf(prefix, "events", channel)))));
    expect(ttls.map((ttl) => ttl > 0)).toEqual([true, false, true]);
  });
});
