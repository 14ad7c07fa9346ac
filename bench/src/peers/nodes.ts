import { hasRedis, startRedis } from "@tutti/cluster";
import type { Contender } from "../scenario.js";
import { pin } from "../cores.js";
import { usageOf, type Usage } from "../usage.js";
import type { Peer, RunningServer } from "./peer.js";

/** Servers of a peer that serve the same rooms. */
export interface Nodes {
  readonly peer: Peer;
  readonly ports: readonly number[];
  /** What all of them together have used. */
  usage(): Usage;
  /** What the Redis that they share has used; `undefined` where there is none. */
  redisUsage(): Usage | undefined;
}

type Open = Awaited<ReturnType<Contender<Nodes>["open"]>>;

const COUNT = 2;

/** Two nodes of each peer on a Redis of their own; everything but the load on the other core. */
export function onRedis(peers: readonly Peer[]): Readonly<Record<string, Contender<Nodes>>> {
  return Object.fromEntries(
    peers.map((peer): readonly [string, Contender<Nodes>] => [
      `${peer.name}, two nodes`,
      {
        missing: async (size) => (hasRedis() ? peer.missing?.(size) : "there is no Redis 7 on this machine"),
        note: async () => peer.note?.(),
        open: ({ otherCore }) => openOnRedis(peer, otherCore),
      },
    ]),
  );
}

/** One node of each peer, which shares nothing: what several are measured beside. */
export function alone(peers: readonly Peer[]): Readonly<Record<string, Contender<Nodes>>> {
  return Object.fromEntries(
    peers.map((peer): readonly [string, Contender<Nodes>] => [
      peer.name,
      {
        missing: async (size) => peer.missing?.(size),
        note: async () => peer.note?.(),
        async open({ otherCore }) {
          const server = await peer.start({ core: otherCore, checksTokens: false });
          return { peer, ports: [server.port], usage: () => server.usage(), redisUsage: () => undefined, close: () => server.stop() };
        },
      },
    ]),
  );
}

async function openOnRedis(peer: Peer, core: number | undefined): Promise<Open> {
  const redis = await startRedis();
  const servers: RunningServer[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
    await redis.remove();
  };
  try {
    pin(redis.pid, core);
    while (servers.length < COUNT) servers.push(await peer.start({ core, checksTokens: false, redisUrl: redis.url }));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    peer,
    ports: servers.map(({ port }) => port),
    usage: () => sumOf(servers.map((server) => server.usage())),
    redisUsage: () => usageOf(redis.pid),
    close,
  };
}

const sumOf = (usages: readonly Usage[]): Usage => ({
  cpuMs: usages.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
  residentBytes: usages.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
});
