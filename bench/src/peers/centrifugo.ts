import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { onCore } from "../cores.js";
import type { CentrifugoHistory } from "../servers/centrifugo-config.js";
import { centrifugoBinary, isCentrifugoBuilt } from "./centrifugo-binary.js";
import { centrifugoWire } from "./centrifugo-wire.js";
import type { Size } from "../scenario.js";
import { usageOf } from "../usage.js";
import { tokenSecret, type Peer, type RunningServer, type ServerSetup } from "./peer.js";

const STARTING_MS_MAX = 10_000;
const STARTING_STEP_MS = 20;

/** What a channel keeps where it is asked to. */
const HISTORY: CentrifugoHistory = { countMax: 1_000, ageSMax: 300 };

/** The names of channels that loads use begin with these. */
const NAMESPACES = ["room", "kept"];

async function start({ core, checksTokens, redisUrl }: ServerSetup, options: { readonly history?: CentrifugoHistory } = {}): Promise<RunningServer> {
  const installed = await centrifugoBinary();
  if (installed.kind === "missing") throw new Error(installed.why);
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "tutti-bench-centrifugo-"));
  try {
    const namespaces = Object.fromEntries(NAMESPACES.map((name) => [name, options]));
    const config = installed.release.config({ port, secret: tokenSecret, checksTokens, namespaces, ...(redisUrl !== undefined && { redisUrl }) });
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
    const { command, args } = onCore(core, installed.path, ["--config", join(folder, "config.json")]);
    // What it has to say is no part of the table.
    const child = spawn(command, args, { cwd: folder, stdio: ["ignore", 2, 2] });
    return await running(child, port);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** @throws (rejects) Error where it ends before it listens, or does not listen in time */
async function running(child: ChildProcess, port: number): Promise<RunningServer> {
  const kill = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", kill);
  const ended = new Promise<string>((resolve) => {
    child.on("error", ({ message }) => resolve(message));
    child.on("exit", (code, signal) => resolve(`it ended with ${code ?? signal}`));
  });
  const stop = async (): Promise<void> => {
    kill();
    await ended;
    process.off("exit", kill);
  };
  const problem = await Promise.race([ended, listening(port)]);
  if (problem !== undefined) {
    await stop();
    throw new Error(`Centrifugo does not run: ${problem}`);
  }
  return { port, usage: () => usageOf(child.pid ?? 0), heapUsed: async () => undefined, stop };
}

/** Resolves when somebody listens there, to what is wrong where nobody does in time. */
async function listening(port: number): Promise<string | undefined> {
  const until = performance.now() + STARTING_MS_MAX;
  while (performance.now() < until) {
    if (await answers(port)) return undefined;
    await pause(STARTING_STEP_MS);
  }
  return `it did not listen within ${STARTING_MS_MAX} ms`;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => resolve(false));
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** A port that nobody had a moment ago: Centrifugo does not tell which one it took. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function missing(size: Size): Promise<string | undefined> {
  if (size === "tiny" && !(await isCentrifugoBuilt())) return "it is not built yet, and a tiny run does not wait for that";
  const installed = await centrifugoBinary();
  return installed.kind === "missing" ? installed.why : undefined;
}

async function note(): Promise<string | undefined> {
  const installed = await centrifugoBinary();
  return installed.kind === "missing" ? undefined : [`Centrifugo ${installed.release.version}`, ...installed.problems].join("; ");
}

/** Centrifugo with its engine in memory, and nothing kept: at most once. */
export const centrifugo: Peer = { name: "centrifugo", missing, note, wire: centrifugoWire, recovers: false, start: (setup) => start(setup) };

/** The same with the last events of each channel kept: whoever comes back recovers them. */
export const centrifugoKept: Peer = {
  name: "centrifugo-history",
  missing,
  note,
  wire: centrifugoWire,
  recovers: true,
  start: (setup) => start(setup, { history: HISTORY }),
};
