import { TuttiError } from "@tutti/protocol";
import { linkSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { isWindows, processId } from "./node-environment.js";

/** Who holds a file, as the claim beside it says. */
interface Claim {
  readonly pid: number;
  /** Where it listens for as long as it lives. */
  readonly address: string;
}

/** A holder that takes a connection, but so late, is alive. */
const PROBE_MS = 5_000;
/** A path of a socket that is longer is cut off by the operating system. */
const SOCKET_PATH_MAX = 100;
const MARK = ".held-";

/**
 * Takes a file for this process. The holder listens on a socket, which ends with it however that ends, a pid that is given out anew and a
 * process that stands still included. Claims are numbered, and none is ever replaced: of several who find the last holder dead, one gets the
 * next number.
 *
 * @param id a name that nobody else has
 * @returns what lets it go
 * @throws (rejects) TuttiError `STORAGE_IN_USE` with the holder's pid
 */
export async function lockFile(file: string, id: string): Promise<() => Promise<void>> {
  const path = join(realpathSync(dirname(file)), basename(file));
  const address = addressBeside(path, id);
  const server = await listen(address);
  const draft = `${path}.${id}`;
  let mine: string | undefined;
  const letGo = async (): Promise<void> => {
    if (mine !== undefined) rmSync(mine, { force: true });
    rmSync(draft, { force: true });
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  try {
    const dead = await deadClaims(path);
    writeFileSync(draft, JSON.stringify({ pid: processId(), address } satisfies Claim));
    const next = `${path}${MARK}${Math.max(0, ...dead.map(numberOf)) + 1}`;
    claim(draft, next, path);
    mine = next;
    rmSync(draft);
    for (const claimed of dead) bury(claimed);
    // Somebody who came when all had gone began to count anew: both see it here, and neither has the file.
    await deadClaims(path, mine);
    return letGo;
  } catch (error) {
    await letGo();
    throw error;
  }
}

/** Beside the file, so that whoever sees the file can ask: another container, say. */
function addressBeside(path: string, id: string): string {
  if (isWindows()) return `\\\\.\\pipe\\tutti-${id}`;
  const beside = `${path}.${id}.socket`;
  return Buffer.byteLength(beside) <= SOCKET_PATH_MAX ? beside : join(tmpdir(), `tutti-${id}`);
}

function numberOf(claimed: string): number {
  return Number(claimed.slice(claimed.lastIndexOf(MARK) + MARK.length));
}

/** The claims on a file, but one. @throws (rejects) TuttiError `STORAGE_IN_USE` where one of them is alive */
async function deadClaims(path: string, mine?: string): Promise<readonly string[]> {
  const folder = dirname(path);
  const claims = readdirSync(folder)
    .filter((name) => name.startsWith(`${basename(path)}${MARK}`))
    .map((name) => join(folder, name))
    .filter((claimed) => claimed !== mine);
  for (const claimed of claims) {
    const holder = read(claimed);
    if (holder !== undefined && (await isAlive(holder.address))) throw inUse(path, holder.pid);
  }
  return claims;
}

/** All of the claim appears at once, or somebody was quicker. @throws TuttiError `STORAGE_IN_USE` */
function claim(draft: string, claimed: string, path: string): void {
  try {
    linkSync(draft, claimed);
  } catch (cause) {
    throw Object(cause).code === "EEXIST" ? inUse(path, read(claimed)?.pid) : cause;
  }
}

/** `undefined`: its holder has just let it go. */
function read(claimed: string): Claim | undefined {
  try {
    return JSON.parse(readFileSync(claimed, "utf8")) as Claim;
  } catch {
    return undefined;
  }
}

function bury(claimed: string): void {
  const holder = read(claimed);
  rmSync(claimed, { force: true });
  if (holder !== undefined && !isWindows()) rmSync(holder.address, { force: true });
}

function inUse(path: string, pid: number | undefined): TuttiError {
  return new TuttiError("STORAGE_IN_USE", { message: `process ${pid} holds ${path}`, data: { pid } });
}

/** Takes connections, and ends them at once; keeps no process alive. */
function listen(address: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen(address, () => resolve(server.unref()));
  });
}

/** Whether somebody listens. Only a refusal and a socket that is not there say no: who does not answer may be alive. */
function isAlive(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    const answer = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(PROBE_MS, () => answer(true));
    socket.once("connect", () => answer(true));
    socket.once("error", (error: NodeJS.ErrnoException) => answer(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"));
  });
}
