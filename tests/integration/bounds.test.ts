import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FullQueue } from "./processes/full-queue.js";
import type { ManyChannels } from "./processes/many-channels.js";
import { Program } from "./program.js";

const mebibyte = 1024 * 1024;
const patienceMs = 120_000;

let directory: string;
let program: Program<unknown> | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tutti-bounds-"));
});

afterEach(async () => {
  await program?.kill();
  await rm(directory, { recursive: true });
});

/** What a process that measures itself says in the end. */
async function measure<Message>(script: string, args: readonly string[]): Promise<Message> {
  const measured = Program.start<Message>(script, args, ["--expose-gc"]);
  program = measured;
  return measured.next();
}

const inMebibytes = (bytes: number): string => `${(bytes / mebibyte).toFixed(2)} MiB`;

describe("a client", () => {
  it.each(["none", "memory", "file"])(
    "INV-6, PUB-8, QUE-8: a full queue (1,000 publishes, 1 MiB) takes less than 4 MiB, what is refused takes nothing, and nothing is left; storage: %s",
    async (storage) => {
      const { count, bytes, refused, fullBytes, refusedBytes, emptyBytes } = await measure<FullQueue>("full-queue", [storage, directory]);
      console.log(`storage ${storage}: ${count} publishes of ${inMebibytes(bytes)} take ${inMebibytes(fullBytes)}, after refusals ${inMebibytes(refusedBytes)}, empty ${inMebibytes(emptyBytes)}`);
      expect(count).toBe(1_000);
      expect(bytes).toBeGreaterThan(0.9 * mebibyte);
      expect(bytes).toBeLessThanOrEqual(mebibyte);
      expect(refused).toBe(10_501);
      expect(fullBytes).toBeLessThan(4 * mebibyte);
      expect(refusedBytes).toBeLessThan(4 * mebibyte);
      expect(emptyBytes).toBeLessThan(mebibyte);
    },
    patienceMs,
  );
});

const all = 100_000;
const live = 100;

describe("a server", () => {
  it.each([
    // What stays is what the log keeps at hand of the 10,000 channels that were used last.
    // Some 14 most times, and 31 at times; open channels would be 170.
    { broker: "lmdb", mebibytesMax: 48 },
    { broker: "memory", mebibytesMax: 300 },
  ])(
    `INV-6, LOG-5, LIM-4: ${all} channels of which ${live} are live take less than $mebibytesMax MiB more than the live ones alone; broker: $broker`,
    async ({ broker, mebibytesMax }) => {
      const { channels, grownBytes, residentBytes } = await measure<ManyChannels>("many-channels", [broker, directory, String(all), String(live)]);
      console.log(`${broker}: ${all} channels take ${inMebibytes(grownBytes)} more, ${(grownBytes / all).toFixed(0)} bytes each; ${inMebibytes(residentBytes)} resident`);
      expect(channels).toBe(live);
      expect(grownBytes).toBeLessThan(mebibytesMax * mebibyte);
    },
    patienceMs,
  );
});
