import type * as Lmdb from "lmdb";
import { afterEach, describe, expect, test, vi } from "vitest";
import { lmdbBroker } from "../src/lmdb-broker.js";
import { freshDirectory } from "./support/directory.js";
import { count, eventsOf, request } from "./support/machine.js";

/** What LMDB fails at. */
const failing = vi.hoisted(() => new Set<"open" | "batch" | "close">());

vi.mock("lmdb", async (original) => {
  const lmdb = await original<typeof Lmdb>();
  const open = (directory: string, options: Lmdb.RootDatabaseOptions): Lmdb.RootDatabase<string> => {
    if (failing.has("open")) throw new Error("too many open files");
    const database = lmdb.open<string>(directory, options);
    if (options.readOnly === true) return database;
    const [batch, close] = [database.batch.bind(database), database.close.bind(database)];
    const instead = {
      batch: (task: () => void) => (failing.has("batch") ? Promise.reject(new Error("input/output error")) : batch(task)),
      close: async () => {
        await close();
        if (failing.has("close")) throw new Error("input/output error");
      },
    };
    return Object.assign(database, instead);
  };
  return { ...lmdb, open };
});

afterEach(() => failing.clear());

describe("LMDB that fails", () => {
  for (const also of ["open", "close"] as const) {
    test(`LOG-4 at a commit, and at the ${also} after it: appends and reads go on once it works again`, async () => {
      const broker = await lmdbBroker({ directory: freshDirectory() });
      await broker.append("room:1", request({ payload: 1, publisher: count(1) }));
      failing.add("batch").add(also);
      await expect(broker.append("room:1", request({ publisher: count(2) }))).rejects.toMatchObject({ code: "UNAVAILABLE" });
      if (also === "open") await expect(broker.head("room:1")).rejects.toMatchObject({ code: "UNAVAILABLE" });
      failing.clear();
      expect((await broker.head("room:1")).position.seq).toBe(1);
      expect(await broker.append("room:1", request({ payload: 2, publisher: count(2) }))).toMatchObject({ outcome: "appended", position: { seq: 2 } });
      expect(await broker.append("room:2", request())).toMatchObject({ outcome: "appended" });
      expect((await eventsOf(broker, "room:1")).map(({ payload }) => payload)).toEqual([1, 2]);
      await broker.close();
      await expect(broker.head("room:1")).rejects.toMatchObject({ code: "UNAVAILABLE" });
    });
  }

  test("LOG-3 at the close of a broker: the directory is free all the same", async () => {
    const directory = freshDirectory();
    const broker = await lmdbBroker({ directory });
    await broker.append("room:1", request({ payload: 1 }));
    failing.add("close");
    await expect(broker.close()).rejects.toThrow("input/output error");
    failing.clear();
    const next = await lmdbBroker({ directory });
    expect((await eventsOf(next, "room:1")).map(({ payload }) => payload)).toEqual([1]);
    await next.close();
  });
});
