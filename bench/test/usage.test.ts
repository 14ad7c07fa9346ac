import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { usageOf } from "../src/usage.js";

let child: ChildProcess | undefined;

afterEach(() => {
  child?.kill("SIGKILL");
});

/** A process that has worked for some time by its own count, and then does nothing. */
async function afterWork(ms: number): Promise<{ readonly pid: number; readonly countedMs: number }> {
  const spent = "(({ user, system }) => (user + system) / 1000)(process.cpuUsage())";
  const script = `while (${spent} < ${ms}); process.send(${spent}); setInterval(() => {}, 1e6);`;
  child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [countedMs] = (await once(child, "message")) as [number];
  return { pid: child.pid ?? 0, countedMs };
}

test("the usage of a process is at least what it has counted itself, and its memory that of a Node", async () => {
  const { pid, countedMs } = await afterWork(100);
  const { cpuMs, residentBytes } = usageOf(pid);
  // What it counted has been counted by a clock that may be a tick ahead.
  expect(cpuMs).toBeGreaterThan(countedMs - 10);
  expect(cpuMs).toBeLessThan(10 * countedMs);
  expect(residentBytes).toBeGreaterThan(10e6);
});

test("a process that is not there has no usage", () => {
  expect(() => usageOf(2 ** 30)).toThrow();
});
