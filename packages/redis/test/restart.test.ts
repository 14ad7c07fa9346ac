import { hasRedis } from "@tutti/cluster";
import type { LastSeen } from "@tutti/protocol";
import type { Broker } from "@tutti/server";
import { describe, expect, test } from "vitest";
import { RedisNodes, append, count, eventsOf, freshPrefix, hear, request } from "./support/redis-nodes.js";

const room = "room:1";

/** Ready again, after it was not. */
async function back(broker: Broker): Promise<void> {
  await expect.poll(() => broker.health?.().status, { timeout: 10_000 }).toBe("ready");
}

async function lastSeen(broker: Broker): Promise<LastSeen> {
  const { position, eventId } = await broker.head(room);
  return { ...position, ...(eventId !== undefined && { eventId }) };
}

describe.skipIf(!hasRedis())("a Redis that restarts (needs redis)", { timeout: 30_000 }, () => {
  // Else a write may wait for the flush before it, and not be among the data that are copied.
  const nodes = new RedisNodes(["appendfsync always"]);

  /** As a fail-over does that lost all after `seq`, with nobody's connection touched. */
  async function loseTail(prefix: string, seq: number): Promise<void> {
    const [events, log] = [`${prefix}:{${room}}:events`, `${prefix}:{${room}}:log`];
    const [id = "", , , , json = "{}"] = (await nodes.server.command("XRANGE", events, String(seq), String(seq))).split("\n");
    const lost = (await nodes.server.command("XRANGE", events, `(${id}`, "+")).split("\n").filter((line) => /^\d+-\d+$/.test(line));
    await nodes.server.command("XDEL", events, ...lost);
    await nodes.server.command("XSETID", events, id);
    const { eventId } = JSON.parse(json) as { eventId: string };
    await nodes.server.command("HSET", log, "seq", String(seq), "tip", eventId, "reign", "another-server");
  }

  test("RDS-2 goes on where it was, with its data: epochs, publishers, refusals, keys, snapshots, subscriptions", async () => {
    const broker = await nodes.start();
    const key = { principal: "ann", key: "order-1" };
    const error = { code: "CANVAS_LOCKED", message: "somebody is presenting" };
    const heard = await hear(broker, room);
    const first = await append(broker, room, { publisher: count(1) });
    await broker.refuse(room, count(2), error);
    const keyed = await append(broker, room, { key });
    await broker.saveSnapshot(room, { position: first, version: 3, state: { notes: 1 } });
    await nodes.server.restart();
    await back(broker);
    expect((await broker.head(room)).position).toEqual(keyed);
    expect(await broker.append(room, request({ publisher: count(1) }))).toEqual({ outcome: "repeat", position: first });
    expect(await broker.append(room, request({ publisher: count(2) }))).toEqual({ outcome: "refused", error });
    expect(await broker.append(room, request({ key }))).toEqual({ outcome: "repeat", position: keyed });
    expect(await broker.loadSnapshot(room)).toEqual({ position: first, version: 3, state: { notes: 1 } });
    const next = await append(broker, room);
    expect(next).toEqual({ epoch: first.epoch, seq: 3 });
    await expect.poll(() => heard.runs.map(({ epoch }) => epoch)).toEqual([first.epoch, first.epoch, first.epoch]);
  });

  test("RDS-2 begins a new epoch without its data, and whoever was there is told of a gap", async () => {
    const broker = await nodes.start();
    await append(broker, room, { publisher: count(1) });
    const seen = await lastSeen(broker);
    await nodes.server.restart({ data: "lost" });
    await back(broker);
    const page = await broker.read(room, seen, { countMax: 10 });
    expect(page).toMatchObject({ outcome: "gap", head: { seq: 0 } });
    expect(page.head.epoch).not.toBe(seen.epoch);
    expect(await broker.lookup(room, count(1))).toBeUndefined();
  });

  test("RDS-3 begins a new epoch for a log that lost its tail, as soon as a node sees it that heard more", async () => {
    const broker = await nodes.start();
    const heard = await hear(broker, room);
    const kept = await append(broker, room);
    const data = await nodes.server.copyData();
    await append(broker, room);
    await expect.poll(() => heard.runs.length).toBe(2);
    await nodes.server.restart({ data });
    await back(broker);
    // By itself: nobody asks for anything. What is told is the last event, so that those who followed the log see that it is another.
    await expect.poll(() => heard.last()?.epoch !== kept.epoch, { timeout: 10_000 }).toBe(true);
    const { position } = await broker.head(room);
    expect(position.seq).toBe(kept.seq);
    expect(position.epoch).not.toBe(kept.epoch);
    expect(await append(broker, room)).toEqual({ epoch: position.epoch, seq: kept.seq + 1 });
  });

  test("RDS-3 begins a new epoch for a log that lost its tail, as soon as somebody asks for what came after it, at a node that saw none of it", async () => {
    const prefix = freshPrefix();
    const before = await nodes.start({ prefix });
    const kept = await append(before, room);
    const data = await nodes.server.copyData();
    await append(before, room);
    const seen = await lastSeen(before);
    await nodes.stop(before);
    await nodes.server.restart({ data });
    const after = await nodes.start({ prefix });
    expect((await after.head(room)).position).toEqual(kept);
    const page = await after.read(room, seen, { countMax: 10 });
    expect(page).toMatchObject({ outcome: "gap", head: { seq: kept.seq } });
    expect(page.head.epoch).not.toBe(kept.epoch);
    // Once is enough: whoever holds a position of the old epoch is told of a gap anyhow.
    expect(await after.read(room, { ...seen, epoch: page.head.epoch }, { countMax: 10 })).toMatchObject({ outcome: "gap", head: page.head });
  });

  test("RDS-3 does not go on where another event stands than was heard there", async () => {
    const prefix = freshPrefix();
    const broker = await nodes.start({ prefix });
    const heard = await hear(broker, room);
    const kept = await append(broker, room);
    const data = await nodes.server.copyData();
    const lost = await append(broker, room);
    await expect.poll(() => heard.runs.length).toBe(2);
    await nodes.server.stop();
    await nodes.server.start(data);
    // Somebody appends at once, at the place that was lost and behind it.
    const other = await nodes.start({ prefix });
    await append(other, room);
    await append(other, room);
    await back(broker);
    const last = await append(other, room);
    await expect.poll(() => heard.last()?.events.at(-1)?.seq).toBe(last.seq);
    const page = await broker.read(room, { ...lost, eventId: heard.ids()[1] ?? "" }, { countMax: 10 });
    expect(page.outcome).toBe("gap");
    // No event of the log that went on follows those that were lost as if nothing had happened.
    const places = heard.runs.map(({ epoch, events }) => `${epoch} ${events[0]?.prev}`);
    expect(places.slice(0, 2)).toEqual([`${kept.epoch} 0`, `${kept.epoch} 1`]);
    expect(places.slice(2)).not.toContain(`${kept.epoch} ${lost.seq}`);
  });

  test("RDS-3 notices by what is delivered that what it heard before is not in the log, and the log begins a new epoch", async () => {
    const prefix = freshPrefix();
    const [broker, other] = await Promise.all([nodes.start({ prefix }), nodes.start({ prefix })]);
    const heard = await hear(broker, room);
    const first = await append(other, room);
    const second = await append(other, room);
    await expect.poll(() => heard.runs.length).toBe(2);
    await loseTail(prefix, 1);
    // At the place of the lost event, and told to those who heard that.
    await append(other, room);
    await expect.poll(() => heard.last()?.epoch !== first.epoch).toBe(true);
    expect(heard.runs.filter(({ epoch, events }) => epoch === first.epoch && events[0]?.seq === second.seq)).toHaveLength(1);
    expect(heard.last()?.events[0]).toMatchObject({ seq: 2 });
  });

  test("RDS-3 notices it behind the place of what was lost too, by the id of the event before", async () => {
    const prefix = freshPrefix();
    const [broker, other] = await Promise.all([nodes.start({ prefix }), nodes.start({ prefix })]);
    const heard = await hear(broker, room);
    const first = await append(other, room);
    await append(other, room);
    await expect.poll(() => heard.runs.length).toBe(2);
    await loseTail(prefix, 1);
    const replaced = { eventId: "other", type: "note:add", payload: 1, timestamp: 1 };
    // Nobody is told of it.
    await nodes.server.command("XADD", `${prefix}:{${room}}:events`, "2-9999999999999", "start", "0", "event", JSON.stringify(replaced));
    await nodes.server.command("HSET", `${prefix}:{${room}}:log`, "seq", "2", "tip", "other", "at", "9999999999999");
    const third = await append(other, room);
    await expect.poll(() => heard.last()?.epoch !== first.epoch).toBe(true);
    expect(heard.runs.some(({ epoch, events }) => epoch === first.epoch && events[0]?.seq === third.seq)).toBe(false);
  });

  test("RDS-3 appends at an expected head only where the event stands there that was heard", async () => {
    const prefix = freshPrefix();
    const broker = await nodes.start({ prefix });
    const heard = await hear(broker, room);
    const head = await append(broker, room);
    await expect.poll(() => heard.runs.length).toBe(1);
    await nodes.server.command("HSET", `${prefix}:{${room}}:log`, "tip", "other", "reign", "another-server");
    const conflict = await broker.append(room, request({ expected: head }));
    expect(conflict).toMatchObject({ outcome: "conflict", head: { seq: head.seq } });
    expect(conflict.outcome === "conflict" && conflict.head.epoch).not.toBe(head.epoch);
  });

  test("RDS-4 a position from the future does nothing to a log of which nothing can have been lost", async () => {
    const broker = await nodes.start();
    const head = await append(broker, room);
    const page = await broker.read(room, { ...head, seq: head.seq + 5, eventId: "made-up" }, { countMax: 10 });
    expect(page).toEqual({ outcome: "gap", floor: { ...head, seq: 0 }, head: await lastSeen(broker) });
    expect(await eventsOf(broker, room)).toHaveLength(1);
  });

  test("RDS-4 a position that the log reaches does nothing to it either, after a restart", async () => {
    const broker = await nodes.start();
    const first = await append(broker, room);
    const second = await append(broker, room);
    await nodes.server.restart();
    await back(broker);
    expect(await broker.read(room, { ...first, eventId: "another" }, { countMax: 10 })).toMatchObject({ outcome: "gap", head: second });
    expect((await broker.head(room)).position).toEqual(second);
  });
});
