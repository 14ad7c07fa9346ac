import { TuttiError } from "@tutti/protocol";
import { randomBytes } from "node:crypto";
import { realpathSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HOLDER_PREFIX } from "./data-file.js";
import { FORMAT, places } from "./layout.js";
import type { LmdbStore } from "./lmdb-store.js";

/** Who holds a directory, as the log itself says. */
interface Holder {
  readonly pid: number;
  /** Of the socket on which it listens for as long as it lives. */
  readonly socket: string;
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
      const holder: Holder = { pid: process.pid, socket: `${HOLDER_PREFIX}${process.pid}-${randomBytes(6).toString("hex")}`, inode: statSync(path).ino };
      return new DirectoryLock(path, holder, await listen(addressOf(path, holder)));
    } catch (error) {
      held.delete(path);
      throw error;
    }
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
    if (await isAlive(address)) throw inUse(this.#path, holder.pid);
    rmSync(address, { force: true });
    return record;
  }
}

function inUse(path: string, pid: number): TuttiError {
  return new TuttiError("STORAGE_IN_USE", { message: `process ${pid} holds ${path}`, data: { pid } });
}

function addressOf(path: string, { socket }: Holder): string {
  if (process.platform === "win32") return `\\\\.\\pipe\\tutti-${socket}`;
  const inside = join(path, socket);
  return Buffer.byteLength(inside) <= SOCKET_PATH_MAX ? inside : join(tmpdir(), `tutti-${socket}`);
}

/** Takes connections, and ends them at once; keeps no process alive. */
function listen(address: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (cause) => reject(new TuttiError("UNAVAILABLE", { message: `nothing can listen on ${address}: ${String(cause)}`, cause })));
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
