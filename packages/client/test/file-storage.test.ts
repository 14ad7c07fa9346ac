import { TuttiError } from "@tutti/protocol";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { StorageChange, StoredPublish } from "../src/index.js";
import { fileStorage, type FileStorageOptions } from "../src/node.js";
import { FakeEnvironment } from "./support/fake-environment.js";
import { Stage } from "./support/stage.js";

let folder = "";
let path = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tutti-file-"));
  path = join(folder, "outbound");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const storage = (options: FileStorageOptions = {}) => fileStorage(path, { environment: Object.assign(new FakeEnvironment(), { id: () => `id${ids++}-${process.pid}` }), ...options });
let ids = 0;
const identity = (secret: string) => ({ secret, publicId: "p", user: "u" });
const begin = (secret: string): StorageChange => ({ kind: "begin", identity: identity(secret) });
const publish = (channel: string, n: number, about: Partial<StoredPublish> = {}): StoredPublish => ({ channel, n, type: "x", payload: { n }, timestamp: n, attempted: false, ...about });
const put = (...about: Parameters<typeof publish>): StorageChange => ({ kind: "put", publish: publish(...about) });
const settle = (channel: string, n: number): StorageChange => ({ kind: "settle", channel, n });
const state = (channel: string, seq: number): StorageChange => ({ kind: "state", channel, state: { position: { epoch: "e", seq }, version: 1, state: [seq] } });

/** Holds the file, writes these, one after the other, and lets it go. */
async function write(...groups: readonly (readonly StorageChange[])[]): Promise<void> {
  const held = await storage().hold();
  for (const changes of groups) await held.write(changes);
  await held.release();
}

async function stored(options: FileStorageOptions = {}) {
  const held = await storage(options).hold();
  await held.release();
  return held.stored;
}

describe("a session in a file", () => {
  it("QUE-2 is what it was for the next process: publishes in order, with binary payloads, counts and states", async () => {
    expect(await stored()).toBeUndefined();
    const binary = publish("a:1", 10, { payload: new Uint8Array([1, 2]) });
    await write([begin("s"), put("a:1", 2), put("b:1", 1), { kind: "put", publish: binary }], [put("a:1", 2, { attempted: true }), put("a:1", 11), settle("a:1", 11)], [state("b:1", 7)]);
    const expected = {
      identity: identity("s"),
      counts: new Map([
        ["a:1", 11],
        ["b:1", 1],
      ]),
      publishes: [publish("a:1", 2, { attempted: true }), binary, publish("b:1", 1)],
      states: new Map([["b:1", { position: { epoch: "e", seq: 7 }, version: 1, state: [7] }]]),
    };
    expect(await stored()).toEqual(expected);
    expect(await stored()).toEqual(expected);
  });

  it("QUE-1 what a turn writes is one line, flushed once", async () => {
    const file = await open(join(folder, "any"), "w");
    const flush = vi.spyOn(Object.getPrototypeOf(file) as typeof file, "datasync");
    await file.close();
    const held = await storage().hold();
    flush.mockClear();
    await Promise.all([held.write([begin("s")]), held.write([put("a:1", 1)]), held.write([put("a:1", 2)])]);
    expect(flush).toHaveBeenCalledTimes(1);
    expect(readFileSync(path, "utf8").trimEnd().split("\n")).toHaveLength(2);
    flush.mockRestore();
    await held.release();
  });

  it.each(["{", '{"changes":[{"kind":"put","publ', "\0\0\0\0", '{"changes":[{"kind"\0\0\0\0\n'])("QUE-2 a last line that did not reach the disk is cut off: %j", async (torn) => {
    await write([begin("s")], [put("a:1", 1)]);
    appendFileSync(path, torn);
    await write([put("a:1", 2)]);
    expect((await stored())?.publishes.map(({ n }) => n)).toEqual([1, 2]);
  });

  it("QUE-2 damage before the last line is not guessed at", async () => {
    await write([begin("s")]);
    appendFileSync(path, '{"chan\n{"changes":[]}\n');
    await expect(storage().hold()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  it("QUE-7 what could not be flushed is not kept, and the next write goes on", async () => {
    const held = await storage().hold();
    await held.write([begin("s")]);
    const file = await open(join(folder, "any"), "w");
    const flush = vi.spyOn(Object.getPrototypeOf(file) as typeof file, "datasync").mockRejectedValueOnce(new Error("ENOSPC"));
    await file.close();
    await expect(held.write([put("a:1", 1)])).rejects.toThrow("ENOSPC");
    flush.mockRestore();
    await expect(held.write([put("a:1", 2, { payload: Number.NaN })])).rejects.toBeInstanceOf(TuttiError);
    await held.write([put("a:1", 3)]);
    await held.release();
    expect(await stored()).toMatchObject({ publishes: [{ n: 3 }], counts: new Map([["a:1", 3]]) });
  });

  it("QUE-2 is made smaller once most of it is over, and is the same after that", async () => {
    const held = await storage({ compactBytesMin: 10_000 }).hold();
    await held.write([begin("s"), put("b:1", 1), state("a:1", 5)]);
    let largest = 0;
    for (const channel of ["a:1", "c:1"]) {
      for (let n = 1; n <= 200; n++) {
        await held.write([put(channel, n, { payload: "x".repeat(100) }), settle(channel, n)]);
        largest = Math.max(largest, statSync(path).size);
      }
    }
    await held.release();
    expect(largest).toBeGreaterThan(10_000);
    expect(largest).toBeLessThan(13_000);
    expect(await stored()).toMatchObject({ publishes: [publish("b:1", 1)], counts: new Map([["b:1", 1], ["a:1", 200], ["c:1", 200]]), states: new Map([["a:1", { state: [5] }]]) });
    expect(readdirSync(folder)).toEqual(["outbound"]);
  });

  it("QUE-3 one process has it: a second one is refused with the pid of the first, until that lets it go", async () => {
    const held = await storage().hold();
    const late = Promise.all([storage().hold(), storage().hold()].map((hold) => hold.then(() => "held", (error: TuttiError) => [error.code, error.data])));
    expect(await late).toEqual(Array.from({ length: 2 }, () => ["STORAGE_IN_USE", { pid: process.pid }]));
    await held.release();
    expect(await stored()).toBeUndefined();
    expect(readdirSync(folder)).toEqual(["outbound"]);
  });

  it("QUE-3 a dead holder is no hindrance, though its pid is somebody else's by now, and of several who come one has it", async () => {
    writeFileSync(`${path}.held-7`, JSON.stringify({ pid: process.pid, address: join(folder, "nobody") }));
    const holds = await Promise.allSettled([storage().hold(), storage().hold(), storage().hold()]);
    expect(holds.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(readdirSync(folder).filter((name) => name.includes("held"))).toEqual(["outbound.held-8"]);
    for (const hold of holds) if (hold.status === "fulfilled") await hold.value.release();
    expect(readdirSync(folder)).toEqual(["outbound"]);
  });

  it.each(["something else\n", "something else", '{"format":"tutti-session","version":2}\n', '{"format":"other","version":1}\n'])("QUE-7 a file that is not one of these is refused, and left as it is: %j", async (text) => {
    writeFileSync(path, text);
    await expect(storage().hold()).rejects.toMatchObject({ code: "VERSION_UNSUPPORTED" });
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(readdirSync(folder)).toEqual(["outbound"]);
  });

  it("QUE-2 a file that was being made when the power went is made anew", async () => {
    writeFileSync(path, '{"format":"tutti-ses');
    await write([begin("s")]);
    expect(await stored()).toMatchObject({ identity: identity("s") });
  });

  it("QUE-3 what is forgotten is gone", async () => {
    const held = await storage().hold();
    await held.write([begin("s"), put("a:1", 1)]);
    await held.release({ forget: true });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("QUE-7 a client without its file says why, and goes on in memory", async () => {
    const held = await storage().hold();
    const stage = new Stage({ storage: storage() });
    const failures: unknown[] = [];
    stage.client.on("error", ({ code, cause }) => failures.push([code, (cause as TuttiError).code]));
    await vi.waitFor(() => expect(failures).toEqual([["STORAGE_FAILED", "STORAGE_IN_USE"]]));
    expect(stage.live().status).toBe("connected");
    await held.release();
  });

  it("CON-8 a client that is closed has let its file go", async () => {
    const stage = new Stage({ storage: storage() });
    void stage.board.publish("note:add", { text: "a" });
    await vi.waitFor(() => expect(readFileSync(path, "utf8")).toContain('"put"'));
    await stage.client.close();
    expect((await stored())?.publishes).toEqual([]);
  });
});
