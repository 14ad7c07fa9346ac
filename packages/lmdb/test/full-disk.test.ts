import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { lmdbBroker } from "../src/lmdb-broker.js";
import { eventsOf, request } from "./support/machine.js";

const MEGABYTE = 1024 * 1024;

/** A disk of 24 megabytes, which is gone after the test. */
function smallDisk(): string {
  const { directory, unmount } = mount();
  onTestFinished(unmount);
  return directory;
}

/** @throws where this machine does not let us */
function mount(): { readonly directory: string; readonly unmount: () => void } {
  const directory = mkdtempSync(join(tmpdir(), "tutti-disk-"));
  const unmount = (): void => {
    execFileSync("umount", ["--lazy", directory]);
    rmdirSync(directory);
  };
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", directory], { stdio: "ignore" });
  } catch (error) {
    rmdirSync(directory);
    throw error;
  }
  return { directory, unmount };
}

function canMount(): boolean {
  try {
    mount().unmount();
    return true;
  } catch {
    return false;
  }
}

/** Publishes of one session, each asked for again until it is acknowledged. */
async function publisherOf(directory: string) {
  const broker = await lmdbBroker({ directory });
  const acknowledged: string[] = [];
  const publish = async (): Promise<void> => {
    const n = acknowledged.length + 1;
    const made = request({ payload: "x".repeat(30_000), publisher: { session: "session-1", n, settled: n - 1 } });
    await broker.append("room:1", made);
    acknowledged.push(made.event.eventId);
  };
  /** Until it fails. */
  const fill = async (): Promise<unknown> => {
    try {
      for (;;) await publish();
    } catch (error) {
      return error;
    }
  };
  return { broker, acknowledged, publish, fill };
}

describe.skipIf(!canMount())("a disk that is full (needs tmpfs)", { timeout: 60_000 }, () => {
  test("LOG-4 ends appends with UNAVAILABLE, loses nothing acknowledged, and goes on once there is room", async () => {
    const disk = smallDisk();
    const directory = join(disk, "log");
    writeFileSync(join(disk, "ballast"), Buffer.alloc(10 * MEGABYTE));
    const { broker, acknowledged, publish, fill } = await publisherOf(directory);
    for (let attempt = 0; attempt < 5; attempt++) expect(await fill()).toMatchObject({ code: "UNAVAILABLE" });
    const full = acknowledged.length;
    expect(full).toBeGreaterThan(10);
    expect((await eventsOf(broker, "room:1")).map(({ eventId }) => eventId)).toEqual(acknowledged);
    rmSync(join(disk, "ballast"));
    for (let index = 0; index < 20; index++) await publish();
    await broker.close();
    const again = await lmdbBroker({ directory });
    expect((await eventsOf(again, "room:1")).map(({ eventId }) => eventId)).toEqual(acknowledged);
    await again.close();
  });

  test("LOG-4 has room again for appends where the log is trimmed", async () => {
    const { broker, acknowledged, publish, fill } = await publisherOf(join(smallDisk(), "log"));
    expect(await fill()).toMatchObject({ code: "UNAVAILABLE" });
    const full = acknowledged.length;
    await broker.trim("room:1", { ...(await broker.head("room:1")).position, seq: full - 10 });
    for (let index = 0; index < 50; index++) await publish();
    expect((await eventsOf(broker, "room:1")).map(({ eventId }) => eventId)).toEqual(acknowledged.slice(full - 10));
    await broker.close();
  });

  test("LOG-4 refuses a new log with UNAVAILABLE", async () => {
    const disk = smallDisk();
    writeFileSync(join(disk, "ballast"), Buffer.alloc(24 * MEGABYTE - 4 * 1024));
    await expect(lmdbBroker({ directory: join(disk, "log") })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    rmSync(join(disk, "ballast"));
    await (await lmdbBroker({ directory: join(disk, "log") })).close();
  });
});
