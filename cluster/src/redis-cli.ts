import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Certificates } from "./certificates.js";
import { programPath } from "./found-programs.js";

const run = promisify(execFile);
const answerMsMax = 5_000;

/** Where a Redis of this machine is. */
export interface RedisAddress {
  readonly port: number;
  /** Where it speaks TLS: the authority that its certificate is from. */
  readonly tls: Pick<Certificates, "authorityFile"> | undefined;
}

/** Sends one command. Rejects with what Redis complained about. @returns its answer as text */
export async function redisCommand({ port, tls }: RedisAddress, ...command: readonly string[]): Promise<string> {
  const how = tls === undefined ? [] : ["--tls", "--cacert", tls.authorityFile];
  const { stdout } = await run(programPath("redis-cli"), ["-e", ...how, "-p", String(port), ...command], { timeout: answerMsMax, killSignal: "SIGKILL" });
  return stdout.trimEnd();
}
