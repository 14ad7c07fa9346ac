import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { programPath } from "./found-programs.js";

const run = promisify(execFile);
const answerMsMax = 5_000;

/** Sends one command to the Redis at a port of this machine. Rejects with what Redis complained about. @returns its answer as text */
export async function redisCommand(port: number, ...command: readonly string[]): Promise<string> {
  const { stdout } = await run(programPath("redis-cli"), ["-e", "-p", String(port), ...command], { timeout: answerMsMax, killSignal: "SIGKILL" });
  return stdout.trimEnd();
}
