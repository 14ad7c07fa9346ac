import { hasRedis } from "@tutti/cluster";
import { TuttiError } from "@tutti/protocol";
import { faultProxy, type FaultProxy } from "@tutti/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { RecordedLog, RedisNodes, append, count, eventsOf, freshPrefix, hear, request } from "./support/redis-nodes.js";

const room = "room:1";

describe.skipIf(!hasRedis())("the way to a Redis (needs redis)", { timeout: 30_000 }, () => {
  const nodes = new RedisNodes();
  let proxy: FaultProxy | undefined;

  afterEach(async () => {
    await proxy?.close();
    proxy = undefined;
  });

  async function proxied(): Promise<{ readonly url: string; readonly proxy: FaultProxy }> {
    proxy = await faultProxy({ target: { port: nodes.server.port } });
    return { url: `redis://127.0.0.1:${proxy.port}`, proxy };
  }

  test("RDS-6 subscribes again where the connection was cut, and looks for what was missed", async () => {
    const prefix = freshPrefix();
    const broker = await nodes.start({ prefix });
    const other = await nodes.start({ prefix, watchdogMs: 60_000 });
    const heard = await hear(broker, room);
    const messages: string[] = [];
    await broker.listen("topic", (message) => messages.push(message));
    await append(other, room);
    await expect.poll(() => heard.runs.length).toBe(1);
    const missed: string[] = [];
    // While it is away, something happens.
    await nodes.server.command("CLIENT", "KILL", "TYPE", "pubsub");
    for (let index = 0; index < 3; index++) missed.push(String((await append(other, room)).seq));
    await expect.poll(() => heard.last()?.events.at(-1)?.seq, { timeout: 10_000 }).toBe(4);
    await expect.poll(() => broker.health?.()).toEqual({ status: "ready" });
    const last = await append(other, room);
    await expect.poll(() => heard.last()?.events.at(-1)?.seq).toBe(last.seq);
    await other.broadcast("topic", "hello");
    await expect.poll(() => messages).toEqual(["hello"]);
  });

  test("RDS-6 finds a subscription that is silent while its connection stands, and makes it anew", async () => {
    const prefix = freshPrefix();
    const { url, proxy: between } = await proxied();
    const log = new RecordedLog();
    // Requests have more time than deliveries, so that it is those that are found.
    const broker = await nodes.start({ prefix, url, log, watchdogMs: 300, requestTimeoutMs: 2_000 });
    const other = await nodes.start({ prefix });
    const heard = await hear(broker, room);
    await append(other, room);
    await expect.poll(() => heard.runs.length).toBe(1);
    between.halfOpen();
    // New connections pass again; those that stood are silent for ever, and nobody closes them.
    between.resume();
    await append(other, room);
    await expect.poll(() => broker.health?.().status, { timeout: 10_000 }).toBe("unavailable");
    await expect.poll(() => broker.health?.().status, { timeout: 10_000 }).toBe("ready");
    await expect.poll(() => heard.last()?.events.at(-1)?.seq, { timeout: 10_000 }).toBe(2);
    const last = await append(other, room);
    await expect.poll(() => heard.last()?.events.at(-1)?.seq).toBe(last.seq);
    expect(log.lines.some(({ fields }) => String(fields?.["for"]).startsWith("deliveries"))).toBe(true);
  });

  test("RDS-6 is not ready while Redis is away, and says why", async () => {
    const { url, proxy: between } = await proxied();
    const broker = await nodes.start({ url, watchdogMs: 300, requestTimeoutMs: 500 });
    expect(broker.health?.()).toEqual({ status: "ready" });
    between.refuse();
    between.reset();
    await expect.poll(() => broker.health?.()).toMatchObject({ status: "unavailable", reason: expect.stringMatching(/./) });
    between.resume();
    await expect.poll(() => broker.health?.().status, { timeout: 10_000 }).toBe("ready");
  });

  test("RDS-14 makes deliveries anew with the requests that were not answered, whatever the watchdog knows, over a restart of Redis", async () => {
    const prefix = freshPrefix();
    const { url, proxy: between } = await proxied();
    const broker = await nodes.start({ prefix, url, watchdogMs: 600_000, requestTimeoutMs: 300 });
    const heard = await hear(broker, room);
    await append(broker, room);
    await expect.poll(() => heard.runs.length).toBe(1);
    between.halfOpen();
    await expect(broker.append(room, request())).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await nodes.server.restart();
    // New connections pass again; those that stood, and those that were being made, are silent for ever.
    between.resume();
    await expect.poll(() => broker.health?.().status, { timeout: 10_000 }).toBe("ready");
    const other = await nodes.start({ prefix });
    const { seq } = await append(other, room);
    await expect.poll(() => heard.last()?.events.at(-1)?.seq, { timeout: 10_000 }).toBe(seq);
  });

  test("RDS-7 ends a request by its deadline, and throws the connection away that answers nothing", async () => {
    const { url, proxy: between } = await proxied();
    const broker = await nodes.start({ url, requestTimeoutMs: 300, watchdogMs: 60_000 });
    await append(broker, room, { publisher: count(1) });
    between.halfOpen();
    await expect(broker.append(room, request({ publisher: count(2) }))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    between.resume();
    await expect.poll(() => broker.health?.().status, { timeout: 10_000 }).toBe("ready");
    // It did not get through; asking again with the same count tells, whatever became of it.
    expect(await broker.append(room, request({ publisher: count(2) }))).toMatchObject({ outcome: "appended" });
  });

  test("RDS-7 an append that was rejected and happened all the same is a repeat when it is asked again", async () => {
    const broker = await nodes.start({ requestTimeoutMs: 300, watchdogMs: 60_000 });
    await append(broker, room, { publisher: count(1) });
    nodes.server.freeze();
    const event = request().event;
    await expect(broker.append(room, { event, publisher: count(2) })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    nodes.server.thaw();
    await expect.poll(() => broker.health?.().status, { timeout: 10_000 }).toBe("ready");
    await expect.poll(async () => (await broker.append(room, { event, publisher: count(2) }).catch(() => undefined))?.outcome, { timeout: 10_000 }).toMatch(/repeat|appended/);
    expect((await eventsOf(broker, room)).filter(({ eventId }) => eventId === event.eventId)).toHaveLength(1);
  });

  test("RDS-7 sends nothing later that was rejected while Redis was away", async () => {
    const broker = await nodes.start();
    await append(broker, room);
    await nodes.server.stop();
    await expect.poll(() => broker.health?.().status).toBe("unavailable");
    await expect(broker.append(room, request())).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(broker.subscribe(room, () => {})).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await nodes.server.start();
    await expect.poll(() => broker.health?.().status, { timeout: 10_000 }).toBe("ready");
    expect(await eventsOf(broker, room)).toHaveLength(1);
  });

  test("RDS-7 refuses what would be too many requests at once", async () => {
    const broker = await nodes.start({ requestsMax: 4 });
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => append(broker, room)));
    expect(outcomes.map(({ status }) => status)).toEqual([...Array(4).fill("fulfilled"), ...Array(4).fill("rejected")]);
    expect(outcomes[7]).toMatchObject({ reason: { code: "UNAVAILABLE", message: expect.stringContaining("requestsMax") } });
    await append(broker, room);
  });

  test("RDS-7 everything ends with UNAVAILABLE once it was closed", async () => {
    const broker = await nodes.start();
    const end = await broker.subscribe(room, () => {});
    const open = broker.append(room, request());
    await nodes.stop(broker);
    await expect(open).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(broker.head(room)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(broker.broadcast("topic", "late")).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(broker.health?.().status).toBe("unavailable");
    await end();
  });

  test("RDS-1 loads its scripts again where somebody flushed them", async () => {
    const broker = await nodes.start();
    await append(broker, room);
    await nodes.server.command("SCRIPT", "FLUSH", "SYNC");
    const requests = Array.from({ length: 10 }, () => request());
    await Promise.all(requests.map((each) => broker.append(room, each)));
    expect((await eventsOf(broker, room)).slice(1).map(({ eventId }) => eventId)).toEqual(requests.map(({ event }) => event.eventId));
  });

  test("RDS-11 says at once that nobody is there, or that Redis refuses its user", async () => {
    await expect(nodes.start({ url: "redis://127.0.0.1:1" })).rejects.toSatisfy((error) => error instanceof TuttiError && error.code === "UNAVAILABLE");
    await nodes.server.command("ACL", "SETUSER", "ann", "on", ">secret", "~canvas:*", "&canvas:*", "+@all", "-@dangerous", "+info");
    const url = (user: string): string => nodes.server.url.replace("://", `://${user}@`);
    await expect(nodes.start({ url: url("ann:wrong") })).rejects.toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("password") });
    const broker = await nodes.start({ url: url("ann:secret"), prefix: "canvas" });
    const heard = await hear(broker, room);
    await append(broker, room, { publisher: count(1) });
    await expect.poll(() => heard.runs.length).toBe(1);
    const elsewhere = await nodes.start({ url: nodes.server.url, client: { username: "ann", password: "secret" }, prefix: "notes" });
    await expect(append(elsewhere, room)).rejects.toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("~prefix:*") });
  });

  test("RDS-11 says that a user may not ask what it must know", async () => {
    await nodes.server.command("ACL", "SETUSER", "bob", "on", ">secret", "~*", "&*", "+@all", "-@dangerous");
    const starting = nodes.start({ client: { username: "bob", password: "secret" } });
    await expect(starting).rejects.toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("+info") });
  });

  test("RDS-11 warns of a Redis that evicts keys", async () => {
    const log = new RecordedLog();
    await nodes.server.command("CONFIG", "SET", "maxmemory", "100mb");
    await nodes.start({ log });
    expect(log.has("evicts")).toBe(false);
    await nodes.server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    await nodes.start({ log });
    expect(log.has("evicts")).toBe(true);
    await nodes.server.command("CONFIG", "SET", "maxmemory-policy", "noeviction");
    await nodes.server.command("CONFIG", "SET", "maxmemory", "0");
  });
});
