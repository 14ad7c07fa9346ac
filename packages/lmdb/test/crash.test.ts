import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Broker } from "@tutti/server";
import { describe, expect, test } from "vitest";
import { lmdbBroker } from "../src/lmdb-broker.js";
import { freshDirectory } from "./support/directory.js";
import { LogProcess } from "./support/log-process.js";
import { eventsOf, request } from "./support/machine.js";

const ROUNDS = 4;

/** What a log says of a channel, by `seq`. */
async function idsOf(broker: Broker, channel: string): Promise<ReadonlyMap<number, string>> {
  const events = await eventsOf(broker, channel);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  return new Map(events.map(({ seq, eventId }) => [seq, eventId]));
}

describe("a log whose process was killed", { timeout: 60_000 }, () => {
  test("LOG-2 has every acknowledged event once, in order, at the position that was named, round after round", async () => {
    const directory = freshDirectory();
    const acknowledged: (readonly [channel: string, seq: number, eventId: string])[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const publisher = new LogProcess("append", directory, round);
      await publisher.says(500 + round * 333);
      await publisher.kill();
      for (const line of publisher.lines.slice(1)) {
        const [channel = "", seq, eventId = ""] = line.split(" ");
        acknowledged.push([channel, Number(seq), eventId]);
      }
      const broker = await lmdbBroker({ directory });
      const found = new Map<string, ReadonlyMap<number, string>>();
      for (const channel of ["room:0", "room:1", "room:2", "room:3"]) found.set(channel, await idsOf(broker, channel));
      expect(acknowledged.filter(([channel, seq, eventId]) => found.get(channel)?.get(seq) !== eventId)).toEqual([]);
      // Whoever did not hear the ack asks again, and is not taken for a new one.
      for (let index = 0; index < 64; index++) {
        const channel = `room:${index % 4}`;
        const session = `session-${round}-${index}`;
        const landed = [...(found.get(channel) ?? [])].filter(([, eventId]) => eventId.startsWith(`${session}:`));
        expect(landed.map(([, eventId]) => eventId)).toEqual(landed.map((_, position) => `${session}:${position + 1}`));
        const n = landed.length;
        if (n === 0) continue;
        const again = await broker.append(channel, request({ publisher: { session, n, settled: n - 1 } }));
        expect(again).toMatchObject({ outcome: "repeat", position: { seq: landed[n - 1]?.[0] } });
      }
      await broker.close();
    }
  });
});

describe("a log whose machine lost its power", { timeout: 60_000 }, () => {
  test("LOG-2 as it stood on the disk at any moment has all that was acknowledged by then, and nothing out of order", async () => {
    const directory = freshDirectory();
    const broker = await lmdbBroker({ directory });
    const copies: { readonly directory: string; readonly acknowledged: readonly string[] }[] = [];
    const acknowledged: string[] = [];
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let index = 0; index < 100; index++) {
          const made = request({ payload: "x".repeat(300) });
          await broker.append("room:1", made);
          acknowledged.push(made.event.eventId);
          if (acknowledged.length % 97 === 0) copies.push({ directory: copyOf(directory), acknowledged: [...acknowledged] });
        }
      }),
    );
    await broker.close();
    const whole = await contents(directory);
    expect(copies.length).toBeGreaterThan(10);
    for (const copy of copies) {
      const ids = await contents(copy.directory);
      expect(ids).toEqual(expect.arrayContaining([...copy.acknowledged]));
      expect(ids).toEqual(whole.slice(0, ids.length));
    }
  });
});

describe("a log in LMDB that acknowledges before the flush", { timeout: 60_000 }, () => {
  test("LOG-6 begins a new epoch where its process was killed at the first ack", async () => {
    const directory = freshDirectory();
    const durability = "commit";
    const first = await lmdbBroker({ directory, durability });
    await first.append("room:1", request());
    await first.close();
    const killed = await lmdbBroker({ directory, durability });
    const seen = await killed.append("room:1", request());
    const copy = copyOf(directory);
    await killed.close();
    if (seen.outcome !== "appended") throw new Error("nothing was appended");
    const after = await lmdbBroker({ directory: copy, durability });
    expect((await after.head("room:1")).position.epoch).not.toBe(seen.position.epoch);
    await after.close();
  });
});

/** What is on the disk now, while the next write is under way: LMDB writes pages that nothing points to, and points to them last. */
function copyOf(directory: string): string {
  const copy = join(freshDirectory(), "copy");
  mkdirSync(copy);
  copyFileSync(join(directory, "data.mdb"), join(copy, "data.mdb"));
  return copy;
}

async function contents(directory: string): Promise<readonly string[]> {
  const broker = await lmdbBroker({ directory });
  const ids = await idsOf(broker, "room:1");
  await broker.close();
  return [...ids.values()];
}
