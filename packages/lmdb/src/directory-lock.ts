import { TuttiError } from "@tutti/protocol";
import { randomBytes } from "node:crypto";
import { realpathSync, rmSync, statSync, symlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { HOLDER_PREFIX } from "./data-file.js";
import { FORMAT, places } from "./layout.js";
import type { LmdbStore } from "./lmdb-store.js";

type Place = "directory" | "temporary";

/** Who holds a directory, as the log itself says. */
interface Holder {
  readonly pid: number;
  /** Of the socket on which it listens for as long as it lives. */
  readonly socket: string;
  /** Where that is: in the directory, unless its file system has no sockets. */
  readonly place: Place;
  /** Of the directory: a copy of it is not held by who holds the original. */
  readonly inode: number;
}

/** A path of a socket that is longer is cut off by the operating system. */
const SOCKET_PATH_MAX = 100;
/** A holder that takes a connection, but so late, is alive. */
const PROBE_MS = 5_000;

/** The directories that this process holds, or is about to: within a process LMDB has one environment for all that open the same one. */
const held = new Set<string>();

/**
 * One process's hold on a directory. It listens on a socket of its own, which ends with the process however that ends, and stays while it is
 * stopped; and the log names the socket of its holder. Who wants to take over finds that nobody listens there, and puts itself in that holder's
 * place in one transaction, so that of several one succeeds.
 */
export class DirectoryLock {
  readonly #path: string;
  readonly #holder: Holder;
  readonly #server: Server;

  private constructor(path: string, holder: Holder, server: Server) {
    this.#path = path;
    this.#holder = holder;
    this.#server = server;
  }

  /**
   * Stands ready to hold a directory that exists.
   *
   * @throws TuttiError `STORAGE_IN_USE` where this process holds it already
   */
  static async prepare(directory: string): Promise<DirectoryLock> {
    const path = realpathSync(directory);
    if (held.has(path)) throw inUse(path, process.pid);
    held.add(path);
    try {
      const name = `${HOLDER_PREFIX}${process.pid}-${randomBytes(6).toString("hex")}`;
      const holder = (place: Place): Holder => ({ pid: process.pid, socket: name, place, inode: statSync(path).ino });
      return (await DirectoryLock.#listening(path, holder("directory"))) ?? (await DirectoryLock.#listening(path, holder("temporary"))) ?? fail(path);
    } catch (error) {
      held.delete(path);
      throw error;
    }
  }

  static async #listening(path: string, holder: Holder): Promise<DirectoryLock | undefined> {
    const server = await reach(addressOf(path, holder), listen);
    return server && new DirectoryLock(path, holder, server);
  }

  /**
   * That nobody alive holds the directory, as far as the store shows, which may be one that is only read.
   *
   * @throws TuttiError `STORAGE_IN_USE` with the holder's pid
   */
  async assertFree(store: Pick<LmdbStore, "get">): Promise<void> {
    await this.#dead(store);
  }

  /** @throws TuttiError `STORAGE_IN_USE` with the holder's pid */
  async take(store: Pick<LmdbStore, "get" | "transact">): Promise<void> {
    while (!this.#replace(await this.#dead(store), store));
  }

  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    clear(addressOf(this.#path, this.#holder));
    held.delete(this.#path);
  }

  /** Whether the last holder was still the dead one, and is this one now. */
  #replace(dead: string | undefined, store: Pick<LmdbStore, "get" | "transact">): boolean {
    let isHeld = false;
    store.transact(() => {
      isHeld = store.get(places.holder) === dead;
      // The format with it, so that no directory is ever held that does not say what it holds.
      const format = store.get(places.format) ?? String(FORMAT);
      return isHeld ? [{ put: places.holder, value: JSON.stringify(this.#holder) }, { put: places.format, value: format }] : [];
    });
    return isHeld;
  }

  /** The record of the last holder, which is dead, and whose socket is cleared away. */
  async #dead(store: Pick<LmdbStore, "get">): Promise<string | undefined> {
    const record = store.get(places.holder);
    if (record === undefined) return undefined;
    const holder = JSON.parse(record) as Holder;
    if (holder.inode !== this.#holder.inode) return record;
    const address = addressOf(this.#path, holder);
    if (await reach(address, isAlive)) throw inUse(this.#path, holder.pid);
    clear(address);
    return record;
  }
}

function inUse(path: string, pid: number): TuttiError {
  return new TuttiError("STORAGE_IN_USE", { message: `process ${pid} holds ${path}`, data: { pid } });
}

function fail(path: string): never {
  throw new TuttiError("UNAVAILABLE", { message: `no socket can be made in ${path} nor in ${tmpdir()}, by which others see that it is held` });
}

function addressOf(path: string, { socket, place }: Holder): string {
  if (process.platform === "win32") return `\\\\.\\pipe\\tutti-${socket}`;
  return place === "directory" ? join(path, socket) : join(tmpdir(), `tutti-${socket}`);
}

/** Removes what a socket leaves behind; a named pipe leaves nothing. */
function clear(address: string): void {
  if (process.platform !== "win32") rmSync(address, { force: true });
}

/** Uses a socket by a path that is short enough. */
async function reach<Result>(address: string, use: (address: string) => Promise<Result>): Promise<Result> {
  if (Buffer.byteLength(address) <= SOCKET_PATH_MAX) return use(address);
  const link = join(tmpdir(), `tutti-${randomBytes(6).toString("hex")}`);
  symlinkSync(dirname(address), link);
  try {
    return await use(join(link, basename(address)));
  } finally {
    rmSync(link, { force: true });
  }
}

/** Takes connections, and ends them at once; keeps no process alive. `undefined` where that is not possible there. */
function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", () => resolve(undefined));
    server.listen(address, () => resolve(server.unref()));
  });
}

/** Whether somebody listens. Only a refusal and a socket that is not there say no: who may not be asked, or does not answer, may be alive. */
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
