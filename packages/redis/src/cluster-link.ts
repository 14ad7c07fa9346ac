import { createCluster, type RedisClientOptions, type RedisClusterOptions } from "redis";
import type { LinkEvents, RequestLink, Waiting } from "./link.js";
import { COMMON_OPTIONS } from "./server-link.js";
import { slotOfName } from "./slots.js";

/** So many tags are tried to find one for each master; with a hundred of them the last is found within some hundred. */
const TAGS_MAX = 16_384;
/** How long a master is gone before others are asked who took its place. */
const TOPOLOGY_REFRESH_MS = 500;

type Cluster = ReturnType<typeof createPlainCluster>;

export interface ClusterOptions {
  readonly roots: readonly string[];
  readonly client: RedisClientOptions;
  readonly addresses: NonNullable<RedisClusterOptions["nodeAddressMap"]> | undefined;
  /** How long a master that is gone is left alone after so many attempts to connect it. */
  readonly pauseMs: (failures: number) => number;
}

function createPlainCluster({ roots, client, addresses, pauseMs }: ClusterOptions) {
  const member = memberOptions(roots[0], client);
  return createCluster({
    rootNodes: roots.map((url) => ({ url })),
    defaults: { ...member, ...COMMON_OPTIONS, socket: { ...member.socket, reconnectStrategy: pauseMs } },
    // A master that is gone must not keep us from the others; whoever has something for it connects it.
    minimizeConnections: true,
    topologyRefreshOnReconnectionAttemptStrategy: TOPOLOGY_REFRESH_MS,
    ...(addresses !== undefined && { nodeAddressMap: addresses }),
  });
}

/** How a member is reached whose address the cluster told. */
export function memberAt(address: string, { roots, client, addresses }: ClusterOptions): RedisClientOptions {
  const options = memberOptions(roots[0], client);
  const end = address.lastIndexOf(":");
  const mapped = typeof addresses === "function" ? addresses(address) : addresses?.[address];
  const place = mapped ?? { host: address.slice(0, end), port: Number(address.slice(end + 1)) };
  return { ...options, socket: { ...options.socket, ...place } };
}

/** What the url of a root says of TLS and of the user holds for all members: of the others the cluster tells host and port alone. */
function memberOptions(root: string | undefined, client: RedisClientOptions): RedisClientOptions {
  const url = root === undefined || !URL.canParse(root) ? undefined : new URL(root);
  if (url === undefined) return client;
  const named = { ...(url.username && { username: decodeURIComponent(url.username) }), ...(url.password && { password: decodeURIComponent(url.password) }) };
  const socket = url.protocol === "rediss:" ? ({ tls: true, ...client.socket } as RedisClientOptions["socket"]) : client.socket;
  return { ...named, ...client, ...(socket !== undefined && { socket }) };
}

/** The library looks at it after it waited for a connection or a new topology. It is never told, since nothing is to be done then. */
function signalOf(waiting: Waiting): AbortSignal {
  const signal = {
    get aborted() {
      return waiting.isOver;
    },
    addEventListener: () => {},
    removeEventListener: () => {},
  };
  return signal as unknown as AbortSignal;
}

/**
 * For requests to a cluster: the library finds out who has which slot, follows when slots move, and keeps a connection to each master that is asked. One that is
 * gone it waits for, while the others work on; requests for it fail at once. What a cluster delivers is not left to the library: it lets errors of
 * subscriptions that it moves by itself end the process, and does not say when they stand again.
 */
export class ClusterRequests implements RequestLink {
  readonly #cluster: Cluster;
  /** What a member said last. */
  #trouble: Error | undefined;

  constructor(options: ClusterOptions, events: LinkEvents) {
    this.#cluster = createPlainCluster(options);
    const troubled = (error: Error): void => {
      this.#trouble = error;
      events.troubled(error);
    };
    this.#cluster.on("error", troubled);
    this.#cluster.on("node-error", troubled);
  }

  async open(): Promise<void> {
    try {
      await this.#cluster.connect();
    } catch (error) {
      // The library says no more than that no member can be used.
      throw this.#trouble ?? error;
    }
  }

  send(key: string, command: readonly string[], waiting: Waiting): Promise<unknown> {
    return this.#cluster.sendCommand(key, false, [...command], { abortSignal: signalOf(waiting) });
  }

  sendToAll(command: readonly string[]): Promise<readonly unknown[]> {
    return Promise.all(this.#cluster.masters.map(async (master) => (await this.#cluster.nodeClient(master)).sendCommand(command)));
  }

  masterOf(name: string): string | undefined {
    return this.#cluster.slots[slotOfName(name)]?.master.address;
  }

  masters(): ReadonlyMap<string, string> {
    const tags = new Map<string, string>();
    for (let index = 0; index < TAGS_MAX && tags.size < this.#cluster.masters.length; index++) {
      const tag = String(index);
      const address = this.masterOf(`{${tag}}`);
      if (address !== undefined && !tags.has(address)) tags.set(address, tag);
    }
    return tags;
  }

  destroy(): void {
    if (this.#cluster.isOpen) this.#cluster.destroy();
  }
}
