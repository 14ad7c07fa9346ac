import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, onTestFailed, vi } from "vitest";
import { chanceOf, roundsOf, seed } from "./durable/chance.js";
import { contentsOf, difference, idOf, lineOf, linesOf, type Contents } from "./durable/contents.js";
import { Setting, board, feed } from "./durable/setting.js";
import type { Torrent } from "./durable/torrent.js";

const patience = { timeout: 20_000, interval: 20 };
const kills = roundsOf(50);
const stateKills = roundsOf(15);
const copies = roundsOf(10);
/** What a process may take to stop. */
const stopMs = 30;

let setting: Setting;

beforeEach(async () => {
  setting = await Setting.open();
  onTestFailed(() => console.error(`TUTTI_SEED=${seed}`));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await setting.end();
});

const publishersOf = (port: number): readonly Torrent[] => Array.from({ length: 4 }, (_, index) => setting.clients.publisher(port, `publisher${index}`));

/** Each publisher's events are there, all of them once and in its order, and each where its acknowledgement says. */
function expectAllOf(publishers: readonly Torrent[], contents: Contents): void {
  const ids = contents.events.map(idOf);
  const lines = new Set(linesOf(contents));
  for (const { name, ids: published, acks, failures } of publishers) {
    expect(failures).toEqual([]);
    expect(difference(ids.filter((id) => id.startsWith(`${name}-`)), published)).toBeUndefined();
    const displaced = [...acks].map(([id, position]) => lineOf(position, id)).filter((each) => !lines.has(each));
    expect(displaced).toEqual([]);
  }
}

/** Every event names the one before it. */
function expectChain({ events }: Contents): void {
  const torn = events.filter(({ seq, prev }, index) => seq <= prev || (index > 0 && prev !== events[index - 1]?.seq));
  expect(torn).toEqual([]);
}

describe("the log of a server", () => {
  it(`LOG-2, INV-1, INV-2, INV-3, INV-4, INV-8: after kill -9, ${kills} times, every event is there once, in order, and every subscriber saw them so`, async () => {
    const chance = chanceOf("server is killed");
    let { server, port } = await setting.serve();
    const subscribers = await Promise.all([setting.clients.subscriber(port), setting.clients.subscriber(port)]);
    const publishers = publishersOf(port);
    for (let round = 0; round < kills; round++) {
      // Mostly while all publish; now and then while they come back.
      if (!chance.chance(0.2)) await Promise.all(publishers.map((each) => each.acknowledged()));
      await pause(chance.below(200));
      await server.kill();
      ({ server } = await setting.serve(port));
    }
    await Promise.all(publishers.map((each) => each.end()));
    const count = publishers.reduce((sum, { ids }) => sum + ids.length, 0);
    await vi.waitFor(() => expect(subscribers.map(({ seen }) => seen.length)).toEqual([count, count]), patience);
    await server.kill();

    const contents = await contentsOf(setting.directory, feed);
    console.log(`${count} events over ${kills} kills, seed ${seed}`);
    expectAllOf(publishers, contents);
    expectChain(contents);
    for (const { seen, gaps } of subscribers) {
      expect(difference(seen, linesOf(contents))).toBeUndefined();
      expect(gaps).toEqual([]);
    }
  }, 30_000 + kills * 3_000);

  it(`LOG-2, STA-1, STA-8, BRK-8: after kill -9, ${stateKills} times, a state that is kept in snapshots alone has counted every event once, in order`, async () => {
    const chance = chanceOf("server with a state is killed");
    let { server, port } = await setting.serve();
    const states = await Promise.all([setting.clients.tally(port), setting.clients.tally(port)]);
    const publishers = Array.from({ length: 3 }, (_, index) => setting.clients.publisher(port, `publisher${index}`, "board:{id}"));
    for (let round = 0; round < stateKills; round++) {
      await Promise.all(publishers.map((each) => each.acknowledged()));
      await pause(chance.below(150));
      await server.kill();
      ({ server } = await setting.serve(port));
    }
    await Promise.all(publishers.map((each) => each.end()));
    const counts = Object.fromEntries(publishers.map(({ name, ids }) => [name, ids.length]));
    await vi.waitFor(() => {
      for (const state of states) expect(state.canonical()).toEqual({ counts, strays: [] });
    }, patience);
    expect(publishers.flatMap(({ failures }) => failures)).toEqual([]);
    await server.kill();

    // It was trimmed: the log alone could not have told.
    const { events } = await contentsOf(setting.directory, board);
    expect(events.length).toBeLessThan(Math.max(...Object.values(counts)));
    console.log(`${JSON.stringify(counts)} over ${stateKills} kills, ${events.length} events are left, seed ${seed}`);
  }, 30_000 + stateKills * 3_000);

  it(`LOG-1, LOG-2: a copy of the disk as of its last flush has everything that was acknowledged before it was taken, ${copies} times`, async () => {
    const chance = chanceOf("power is lost");
    const { server, port } = await setting.serve();
    const publishers = publishersOf(port);
    const taken: { readonly directory: string; readonly acknowledged: readonly string[] }[] = [];
    for (let round = 0; round < copies; round++) {
      await Promise.all(publishers.map((each) => each.acknowledged()));
      await pause(chance.below(100));
      const acknowledged = publishers.flatMap(({ acks }) => [...acks].map(([id, position]) => lineOf(position, id)));
      server.signal("SIGSTOP");
      // A disk that loses power is what it is at one moment; a copy takes longer, so that nothing may be written meanwhile.
      await pause(stopMs);
      const copy = join(setting.place, `copy${round}`);
      await mkdir(copy);
      await copyFile(join(setting.directory, "data.mdb"), join(copy, "data.mdb"));
      server.signal("SIGCONT");
      taken.push({ directory: copy, acknowledged });
    }
    await Promise.all(publishers.map((each) => each.end()));
    await server.kill();

    const all = linesOf(await contentsOf(setting.directory, feed));
    expectAllOf(publishers, await contentsOf(setting.directory, feed));
    // LMDB opens at what it has flushed then, and not at what it has only committed.
    vi.stubEnv("LMDB_RESTORE", "safe");
    for (const copy of taken) {
      const kept = linesOf(await contentsOf(copy.directory, feed));
      const present = new Set(kept);
      expect(copy.acknowledged.filter((line) => !present.has(line))).toEqual([]);
      // And nothing stands where something else stands later.
      expect(difference(kept, all.slice(0, kept.length))).toBeUndefined();
    }
    const counts = taken.map(({ acknowledged }) => acknowledged.length);
    console.log(`${all.length} events, ${Math.min(...counts)} to ${Math.max(...counts)} of them acknowledged before the copies, seed ${seed}`);
  }, 30_000 + copies * 3_000);
});
