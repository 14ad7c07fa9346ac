import { copyFileSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { open } from "lmdb";
import { describe, expect, test } from "vitest";
import { DirectoryLock } from "../src/directory-lock.js";
import { LmdbStore } from "../src/lmdb-store.js";
import type { Write } from "../src/store.js";
import { lmdbBroker } from "../src/lmdb-broker.js";
import { freshDirectory } from "./support/directory.js";
import { LogProcess } from "./support/log-process.js";
import { eventsOf, request } from "./support/machine.js";

async function holder(directory: string): Promise<LogProcess> {
  const process = new LogProcess("hold", directory);
  await process.says(1);
  return process;
}

/** What a directory holds, by name; the locks of LMDB left out, which every reader writes. */
function filesOf(directory: string): Record<string, Buffer> {
  const names = readdirSync(directory).filter((name) => name !== "lock.mdb");
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name))]));
}

describe("a directory", { timeout: 60_000 }, () => {
  test("LOG-3 is held by one process; a second is told by whom", async () => {
    const directory = freshDirectory();
    const process = await holder(directory);
    expect(process.lines).toEqual(["held"]);
    await expect(lmdbBroker({ directory })).rejects.toMatchObject({ code: "STORAGE_IN_USE", message: expect.stringContaining(`process ${process.pid} `) });
  });

  test("LOG-3 is held by a process that stands still", async () => {
    const directory = freshDirectory();
    const process = await holder(directory);
    process.signal("SIGSTOP");
    await expect(lmdbBroker({ directory })).rejects.toMatchObject({ code: "STORAGE_IN_USE", data: { pid: process.pid } });
  });

  test("LOG-3 is free as soon as its holder is dead, however it died, and nothing of it is left over", async () => {
    const directory = freshDirectory();
    const process = await holder(directory);
    await process.kill();
    const broker = await lmdbBroker({ directory });
    expect(readdirSync(directory).filter((name) => name.includes(`${process.pid}`))).toEqual([]);
    await broker.close();
    expect(readdirSync(directory).toSorted()).toEqual(["data.mdb", "lock.mdb"]);
  });

  test("LOG-3 goes to one of several that find their holder dead at once", async () => {
    const directory = freshDirectory();
    await (await holder(directory)).kill();
    const rivals = Array.from({ length: 4 }, () => new LogProcess("hold", directory));
    await Promise.all(rivals.map((rival) => rival.says(1)));
    const winner = rivals.find(({ lines }) => lines[0] === "held");
    const losers = rivals.filter((rival) => rival !== winner);
    expect(losers.map(({ lines }) => lines[0])).toEqual(losers.map(() => `failed STORAGE_IN_USE ${winner?.pid}`));
  });

  test("LOG-3 is not taken from one who was a moment faster", async () => {
    const directory = freshDirectory();
    const store = new LmdbStore(directory);
    const lock = await DirectoryLock.prepare(directory);
    const rival = createServer().listen(join(directory, "holder-rival"));
    let isFirst = true;
    const overtaken = {
      get: store.get.bind(store),
      transact(decide: () => readonly Write[]): void {
        const record = JSON.stringify({ pid: 7, socket: "holder-rival", place: "directory", inode: statSync(directory).ino });
        if (isFirst) store.transact(() => [{ put: ["meta", "holder"], value: record }]);
        isFirst = false;
        store.transact(decide);
      },
    };
    await expect(lock.take(overtaken)).rejects.toMatchObject({ code: "STORAGE_IN_USE", data: { pid: 7 } });
    rival.close();
    await lock.release();
    await store.close();
  });

  test("LOG-3 is not held twice by one process, and free again after the close", async () => {
    const directory = freshDirectory();
    const broker = await lmdbBroker({ directory });
    await expect(lmdbBroker({ directory })).rejects.toMatchObject({ code: "STORAGE_IN_USE", data: { pid: process.pid } });
    await broker.append("room:1", request());
    await broker.close();
    const both = await Promise.allSettled([lmdbBroker({ directory }), lmdbBroker({ directory })]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    for (const each of both) if (each.status === "fulfilled") await each.value.close();
    const next = await lmdbBroker({ directory });
    expect(await eventsOf(next, "room:1")).toHaveLength(1);
    await next.close();
  });

  for (const [name, moved] of [["short", "long".repeat(30)], ["long".repeat(30), "short"]] as const) {
    test(`LOG-3 may have a name of any length with a dot in it, and is held still when it was moved (${name.length} characters)`, async () => {
      const parent = freshDirectory();
      const process = await holder(join(parent, `${name}.d`));
      await expect(lmdbBroker({ directory: join(parent, `${name}.d`) })).rejects.toMatchObject({ code: "STORAGE_IN_USE", data: { pid: process.pid } });
      renameSync(join(parent, `${name}.d`), join(parent, `${moved}.d`));
      await expect(lmdbBroker({ directory: join(parent, `${moved}.d`) })).rejects.toMatchObject({ code: "STORAGE_IN_USE" });
      await process.kill();
    });
  }

  test("LOG-3 that was copied is not held by who holds the original", async () => {
    const directory = freshDirectory();
    await holder(directory);
    const copy = freshDirectory();
    copyFileSync(join(directory, "data.mdb"), join(copy, "data.mdb"));
    await (await lmdbBroker({ directory: copy })).close();
  });
});

describe("a directory of something else", () => {
  const foreign: Record<string, (directory: string) => Promise<void> | void> = {
    "files of another program": (directory) => writeFileSync(join(directory, "thesis.txt"), "chapter one"),
    "a data file that LMDB did not write": (directory) => writeFileSync(join(directory, "data.mdb"), "x".repeat(10_000)),
    "a log of a newer format": (directory) => fill(directory, ["meta", "format"], "2"),
    "LMDB's file of another program": (directory) => fill(directory, ["some", "key"], "value"),
  };
  for (const [name, make] of Object.entries(foreign)) {
    test(`LOG-9 is refused and left as it is: ${name}`, async () => {
      const directory = freshDirectory();
      await make(directory);
      const before = filesOf(directory);
      await expect(lmdbBroker({ directory })).rejects.toMatchObject({ code: "VERSION_UNSUPPORTED" });
      expect(filesOf(directory)).toEqual(before);
    });
  }
});

async function fill(directory: string, key: string[], value: string): Promise<void> {
  const database = open<string>(directory, { encoding: "string", noSubdir: false, overlappingSync: false });
  await database.put(key, value);
  await database.close();
}
