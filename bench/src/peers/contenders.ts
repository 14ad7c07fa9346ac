import type { Contender } from "../scenario.js";
import type { Peer, RunningServer } from "./peer.js";

/** A peer and its server, ready for a load. */
export interface Served {
  readonly peer: Peer;
  readonly server: RunningServer;
}

/** Peers as the contenders of a scenario: each one's server runs on the other core, the load here. */
export function servedBy(peers: readonly Peer[], { checksTokens = false } = {}): Readonly<Record<string, Contender<Served>>> {
  const contenders = peers.map((peer): readonly [string, Contender<Served>] => [
    peer.name,
    {
      missing: async (size) => peer.missing?.(size),
      note: async () => peer.note?.(),
      async open({ otherCore }) {
        const server = await peer.start({ core: otherCore, checksTokens });
        return { peer, server, close: () => server.stop() };
      },
    },
  ]);
  return Object.fromEntries(contenders);
}
