import type { Environment } from "@tutti/protocol";
import { silentLog, type Log } from "@tutti/server";
import type { RedisClientOptions, RedisClusterOptions } from "redis";

/**
 * Where Redis is: one server, or a cluster of which some members are named, by which the others are found. Sentinel is not supported: nobody is asked who the master is
 * now. Where something in front of it leads to the master, by a name or a proxy, `url` may name that: a server that became a replica is left at the first
 * write.
 */
export type RedisPlace =
  | { readonly url: string; readonly cluster?: never }
  | {
      readonly cluster: readonly string[];
      readonly url?: never;
      /** Where the members' addresses, as they know them, are reached from here: behind a network that translates them. */
      readonly nodeAddressMap?: NonNullable<RedisClusterOptions["nodeAddressMap"]>;
    };

export type RedisBrokerOptions = RedisPlace & {
  /**
   * What the client library (node-redis) takes besides the url: `username`, `password` or `credentialsProvider`, `socket` for TLS and time-outs,
   * `database`. How it reconnects and what it queues is the broker's affair.
   */
  readonly client?: Omit<RedisClientOptions, "url" | "disableOfflineQueue" | "commandOptions" | "RESP" | "keyPrefix">;
  /** What all keys and topics begin with: `tutti` unless given. Brokers with different ones know nothing of each other. */
  readonly prefix?: string;
  readonly environment?: Environment;
  readonly log?: Log;
  /**
   * A connection that does not stand by then, TLS and password included, is given up, and another one tried; 2,000. It takes the place of
   * `client.socket.connectTimeout`.
   */
  readonly connectTimeoutMs?: number;
  /** A request that was not answered by then ends with `UNAVAILABLE`; 5,000. */
  readonly requestTimeoutMs?: number;
  /** So many requests at once, and further ones are refused with `UNAVAILABLE`; 16,384. */
  readonly requestsMax?: number;
  /** How often it is looked whether deliveries still arrive; 5,000. */
  readonly watchdogMs?: number;
  /** How long a publisher's count and an idempotency key are remembered after their last use, at the least; 14 days. */
  readonly deduplicationMs?: number;
  /** How many answers to a publisher are remembered, by channel: these, and up to twice as many; 64. */
  readonly answersMax?: number;
  /** How many idempotency keys are remembered, by channel: at least the latest half of these; 10,000. */
  readonly keysMax?: number;
  /** How many publishers are remembered, by channel: at least the latest half of these; 10,000. */
  readonly publishersMax?: number;
  /** For tests alone: how far ahead of the server's clock the log's is, in ms. */
  readonly clockAheadMs?: () => number;
};

const DEFAULTS = {
  prefix: "tutti",
  log: silentLog,
  connectTimeoutMs: 2_000,
  requestTimeoutMs: 5_000,
  requestsMax: 16_384,
  watchdogMs: 5_000,
  deduplicationMs: 14 * 24 * 3_600_000,
  answersMax: 64,
  keysMax: 10_000,
  publishersMax: 10_000,
  clockAheadMs: () => 0,
};

export type Settings = typeof DEFAULTS & { readonly log: Log };

export function settingsOf(options: RedisBrokerOptions): Settings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...DEFAULTS, ...(Object.fromEntries(given) as Partial<Settings>) };
}
