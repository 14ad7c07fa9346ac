import type { Size } from "../scenario.js";
import type { Usage } from "../usage.js";
import type { Wire } from "../load/wire.js";

/** What a server is to be ready for. */
export interface ServerSetup {
  /** The core it is pinned to; `undefined` where it may run anywhere. */
  readonly core: number | undefined;
  /** Checks the JWT of everybody who connects (HS256, {@link tokenSecret}); else tokens are taken by their look. */
  readonly checksTokens: boolean;
  /** The Redis that it shares with other nodes; by itself, and in memory, unless given. */
  readonly redisUrl?: string;
}

/** A server that runs in a process of its own. */
export interface RunningServer {
  readonly port: number;
  /** What its process has used. */
  usage(): Usage;
  /** The heap in use after a collection, in bytes; `undefined` where that is not to be had. */
  heapUsed(): Promise<number | undefined>;
  stop(): Promise<void>;
}

/** One of those that are measured beside each other. */
export interface Peer {
  readonly name: string;
  /** Why it cannot be measured here, in words; `undefined` where it can. Installs what can be installed. */
  missing?(size: Size): Promise<string | undefined>;
  /** What has to be known of it beside its figures, in words; asked where it is not missing. */
  note?(): Promise<string | undefined>;
  readonly wire: Wire;
  /** Whether who comes back gets what it missed. */
  readonly recovers: boolean;
  start(setup: ServerSetup): Promise<RunningServer>;
}

/** Of the tokens of all runs: nothing is secret here. */
export const tokenSecret = "a-secret-of-the-benchmark-that-is-long-enough";
