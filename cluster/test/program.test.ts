import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Program } from "../src/program.js";

const secondsMax = 60;

/** A program of a shell, with another one that it started and waits for. */
async function pair(directory = ""): Promise<{ readonly program: Program; readonly inner: number }> {
  const program = await Program.start("/bin/sh", ["-c", `sleep ${secondsMax} & echo "inner $!"; wait`], { directory });
  onTestFinished(() => void program.stop("SIGKILL"));
  const [, inner] = await program.printed(/inner (\d+)/, 5_000);
  return { program, inner: Number(inner) };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const isGone = (pid: number) => expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);

describe("a program beside this one", () => {
  test("ends with all that it started", async () => {
    const { program, inner } = await pair();
    expect(program.isRunning).toBe(true);
    expect(await program.stop("SIGKILL")).toEqual({ code: null, signal: "SIGKILL" });
    expect(program.isRunning).toBe(false);
    await isGone(inner);
  });

  test("says what it printed, where it ended before it was ready and where it cannot be started", async () => {
    const program = await Program.start("/bin/sh", ["-c", "echo something is wrong >&2; exit 3"]);
    await expect(program.printed(/ready/, 5_000)).rejects.toThrow("something is wrong");
    expect(await program.ended).toEqual({ code: 3, signal: null });
    await expect(Program.start("/no/such/program", [])).rejects.toThrow("ENOENT");
  });

  test("is waited for no longer than it may take", async () => {
    const { program } = await pair();
    await expect(program.printed(/ready/, 50)).rejects.toThrow("not ready within 50 ms");
  });

  test.each(["SIGKILL", "SIGINT", "SIGTERM"] as const)("goes with the process that started it after %s, and its directory with it", async (signal) => {
    const directory = mkdtempSync(join(tmpdir(), "tutti-program-"));
    const module = join(import.meta.dirname, "../dist/program.js");
    const script = `import { Program } from ${JSON.stringify(module)};
      const script = "trap '' INT TERM; sleep ${secondsMax} & echo inner $!; wait";
      const program = await Program.start("/bin/sh", ["-c", script], { directory: ${JSON.stringify(directory)} });
      const [, inner] = await program.printed(/inner (\\d+)/, 5000);
      console.log(program.pid, inner);`;
    const parent = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: ["ignore", "pipe", "inherit"] });
    const [said] = (await once(parent.stdout, "data")) as [Buffer];
    const pids = String(said).trim().split(" ").map(Number);
    expect(pids).toHaveLength(2);
    expect(pids.map(isAlive)).toEqual([true, true]);
    parent.kill(signal);
    await once(parent, "exit");
    for (const pid of pids) await isGone(pid);
    await expect.poll(() => existsSync(directory), { timeout: 5_000 }).toBe(false);
  });
});
