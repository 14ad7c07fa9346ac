import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { nodeOn } from "../cores.js";
import type { FromServer, ServerTask, ToServer } from "../servers/serve.js";
import { usageOf } from "../usage.js";
import type { RunningServer, ServerSetup } from "./peer.js";

/** Names a folder into which servers write what they spent their time with, as a CPU profile each, when they are stopped. */
const PROFILES = "TUTTI_BENCH_PROFILES";

function nodeOptions(): readonly string[] {
  const folder = process.env[PROFILES];
  return folder === undefined ? ["--expose-gc"] : ["--expose-gc", "--cpu-prof", `--cpu-prof-dir=${folder}`];
}

/** Starts a server that is a script of Node's, on its core. @throws (rejects) Error where it ends before it listens */
export async function startNode(script: string, setup: ServerSetup, options: Readonly<Record<string, unknown>> = {}): Promise<RunningServer> {
  const { command, args } = nodeOn(setup.core, nodeOptions());
  const task: ServerTask = { setup, options };
  const child = fork(join(import.meta.dirname, "../servers", script), [JSON.stringify(task)], {
    execPath: command,
    execArgv: [...args],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const ended = once(child, "exit").then(() => undefined);
  const { port = 0 } = await answer(child, ended, script);
  return {
    port,
    usage: () => usageOf(child.pid ?? 0),
    async heapUsed() {
      child.send("heap" satisfies ToServer);
      return (await answer(child, ended, script)).heapUsed;
    },
    async stop() {
      if (child.connected) child.send("stop" satisfies ToServer);
      await ended;
    },
  };
}

async function answer(child: ChildProcess, ended: Promise<undefined>, script: string): Promise<FromServer> {
  const told = await Promise.race([once(child, "message") as Promise<[FromServer]>, ended]);
  if (told === undefined) throw new Error(`${script} ended`);
  return told[0];
}
