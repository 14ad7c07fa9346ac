import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TuttiError, codeOfClose } from "@tutti/protocol";
import { createServer, silentLog, type Server, type ServerOptions } from "@tutti/server";
import { faultProxy, type FaultProxy } from "@tutti/testkit";
import { serve, urlOf } from "./loopback.js";
import { RawClient, type RawFrame } from "./raw-client.js";
import { roomContract } from "./room-contract.js";
import { Guests, type RoomClient } from "./sdk.js";

type Rooms = typeof roomContract;

const patienceMs = 5_000;
let serial = 0;

export interface Served {
  readonly server: Server<Rooms>;
  readonly url: string;
  readonly port: number;
  /** Before the stage does; stopping twice does nothing. */
  readonly stop: () => Promise<void>;
}

/** What a client that speaks by hand says first. */
export const hello = () => ({ op: "hello", versions: [1], session: `a-session-of-the-stage-${++serial}`, token: "ada" });

/** Servers, proxies and clients of one test, and their end. */
export class Stage {
  readonly guests = new Guests();
  readonly #ends: (() => Promise<unknown>)[] = [];

  /** @param port a free one unless given */
  async serve(options: Omit<ServerOptions<Rooms>, "contract"> = {}, port?: number): Promise<Served> {
    const server = createServer({ contract: roomContract, log: silentLog, ...options });
    const loopback = await serve(server, port === undefined ? {} : { port });
    const stop = (): Promise<void> => loopback.stop();
    this.#ends.push(stop);
    return { server, url: loopback.url, port: loopback.port, stop };
  }

  async proxy(port: number): Promise<FaultProxy & { readonly url: string }> {
    const proxy = await faultProxy({ target: { port } });
    this.#ends.push(() => proxy.close());
    return Object.assign(proxy, { url: urlOf(proxy.port) });
  }

  /** A directory of its own, which goes with the stage. */
  async directory(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), "tutti-stage-"));
    this.#ends.push(() => rm(directory, { recursive: true }));
    return directory;
  }

  async raw(url: string): Promise<RawClient> {
    const client = await RawClient.open(url);
    this.#ends.push(() => client.close());
    return client;
  }

  /** A raw client that was welcomed. */
  async greeted(url: string): Promise<RawClient> {
    const client = await this.raw(url);
    client.send(hello());
    await client.next(({ op }) => op === "welcome");
    return client;
  }

  async end(): Promise<void> {
    await this.guests.leave();
    for (const end of this.#ends.splice(0).toReversed()) await end();
  }
}

/** The code that a promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof TuttiError) return error.code;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** Why the connection of a client ended, or does not begin: the next reason that it gives. */
export function reason(client: RoomClient): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no reason within ${patienceMs} ms`)), patienceMs);
    const cancel = client.on("status", (info) => {
      if (info.reason === undefined) return;
      clearTimeout(timer);
      cancel();
      resolve(info.reason.code);
    });
  });
}

/** The next error that a client tells of by itself. */
export function surfaced(client: RoomClient): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no error within ${patienceMs} ms`)), patienceMs);
    const cancel = client.on("error", ({ code }) => {
      clearTimeout(timer);
      cancel();
      resolve(code);
    });
  });
}

const isRefusal = ({ error }: RawFrame): boolean => error !== undefined;

/** The code that a raw client is told, in a frame or by the way its connection is closed. */
export async function told(client: RawClient): Promise<string> {
  const frame = await client.next(isRefusal);
  return frame?.error?.code ?? codeOfClose((await client.closed()).code);
}

/** The client is connected. */
export function connected(client: RoomClient): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not connected within ${patienceMs} ms`)), patienceMs);
    const look = (): void => {
      if (client.connection.getSnapshot().status !== "connected") return;
      clearTimeout(timer);
      cancel();
      resolve();
    };
    const cancel = client.connection.subscribe(look);
    client.connect();
    look();
  });
}
