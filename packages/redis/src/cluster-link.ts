import { createCluster, type RedisClientOptions, type RedisClusterOptions } from "redis";
import type { Connect, Hear, Link, LinkEvents } from "./link.js";
import { COMMON_OPTIONS } from "./server-link.js";
import { slotOf } from "./slots.js";

/** So many tags are tried to find one for each master; with a hundred of them the last is found within some hundred. */
const TAGS_MAX = 16_384;
/** How long a master is gone before others are asked who took its place. */
const TOPOLOGY_REFRESH_MS = 500;

type Cluster = ReturnType<typeof createPlainCluster>;

export interface ClusterOptions {
  readonly roots: readonly string[];
  readonly client: RedisClientOptions;
  readonly addresses: NonNullable<RedisClusterOptions["nodeAddressMap"]> | undefined;
  /** Whether to connect to all masters now, or to each when it is needed. */
  readonly eager: boolean;
}

/**
 * A cluster: the library finds out who has which slot, follows when slots move, and keeps one connection a master for commands, one for deliveries.
 * A master that is gone it waits for, while the others work on; commands for it fail at once.
 */
export function connectCluster(options: ClusterOptions): Connect {
  return (events) => new ClusterLink(createPlainCluster(options), events);
}

function createPlainCluster({ roots, client, addresses, eager }: ClusterOptions) {
  return createCluster({
    rootNodes: roots.map((url) => ({ url })),
    defaults: { ...memberOptions(roots[0], client), ...COMMON_OPTIONS },
    minimizeConnections: !eager,
    topologyRefreshOnReconnectionAttemptStrategy: TOPOLOGY_REFRESH_MS,
    ...(addresses !== undefined && { nodeAddressMap: addresses }),
  });
}

/** What the url of a root says of TLS and of the user holds for all members: the library learns of the others by host and port alone. */
function memberOptions(root: string | undefined, client: RedisClientOptions): RedisClientOptions {
  const url = root === undefined || !URL.canParse(root) ? undefined : new URL(root);
  if (url === undefined) return client;
  const named = { ...(url.username && { username: decodeURIComponent(url.username) }), ...(url.password && { password: decodeURIComponent(url.password) }) };
  const socket = url.protocol === "rediss:" ? ({ tls: true, ...client.socket } as RedisClientOptions["socket"]) : client.socket;
  return { ...named, ...client, ...(socket !== undefined && { socket }) };
}

class ClusterLink implements Link {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster, events: LinkEvents) {
    this.#cluster = cluster;
    const troubled = (error: Error): void => events.troubled(error);
    cluster.on("error", troubled);
    cluster.on("node-error", troubled);
    cluster.on("sharded-channel-moved-error", troubled);
    cluster.on("node-ready", () => events.resumed());
  }

  async open(): Promise<void> {
    await this.#cluster.connect();
  }

  send(key: string, command: readonly string[]): Promise<unknown> {
    return this.#cluster.sendCommand(key, false, [...command]);
  }

  sendToAll(command: readonly string[]): Promise<readonly unknown[]> {
    return Promise.all(this.#cluster.masters.map(async (master) => (await this.#cluster.nodeClient(master)).sendCommand(command)));
  }

  async subscribe(topics: readonly string[], hear: Hear): Promise<void> {
    // Each by itself: one command may not name topics of different slots.
    await Promise.all(topics.map((topic) => this.#cluster.sSubscribe(topic, hear)));
  }

  async unsubscribe(topic: string, hear: Hear): Promise<void> {
    await this.#cluster.sUnsubscribe(topic, hear);
  }

  tags(): readonly string[] {
    const tags = new Map<string, string>();
    for (let index = 0; index < TAGS_MAX && tags.size < this.#cluster.masters.length; index++) {
      const tag = String(index);
      const address = this.#cluster.slots[slotOf(tag)]?.master.address;
      if (address !== undefined && !tags.has(address)) tags.set(address, tag);
    }
    return [...tags.values()];
  }

  destroy(): void {
    if (this.#cluster.isOpen) this.#cluster.destroy();
  }
}
