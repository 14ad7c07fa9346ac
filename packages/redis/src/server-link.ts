import { createClient, type RedisClientOptions } from "redis";
import type { DeliveryLink, Hear, LinkEvents, RequestLink } from "./link.js";
import { redisCodeOf } from "./redis-error.js";

/** So many topics at most in one command. */
const TOPICS_MAX = 512;

/** The address of a server that is the only one. */
const ONLY = "the server";

/** What holds for every client of the library. Its own deadlines end as soon as a command is written, and cost a timer for each. */
export const COMMON_OPTIONS = { disableOfflineQueue: true, commandOptions: { timeout: 0 }, maintNotifications: "disabled" } as const;

type Client = ReturnType<typeof createPlainClient>;

function createPlainClient(options: RedisClientOptions) {
  const { socket } = options;
  return createClient({ ...options, ...COMMON_OPTIONS, socket: { ...socket, reconnectStrategy: false } });
}

/** The library gives up a socket that does not connect by then. What is abandoned before it can close, so it must not outlast the attempt. */
export function withConnectTimeout(client: RedisClientOptions, connectTimeoutMs: number): RedisClientOptions {
  return { ...client, socket: { ...client.socket, connectTimeout: connectTimeoutMs } };
}

/**
 * One connection to one server. The library is told not to reconnect, nor to keep for later what it cannot send now: what was rejected must not
 * land afterwards.
 */
class ServerLink {
  protected readonly client: Client;
  #isOver = false;

  constructor(options: RedisClientOptions, events: LinkEvents) {
    this.client = createPlainClient(options);
    // From the start: an error that nobody listens for ends the process.
    this.client.on("error", (error: Error) => {
      if (this.#isOver) return;
      this.#isOver = true;
      events.lost(error);
    });
  }

  async open(): Promise<void> {
    await this.client.connect();
    // Destroyed on its way: the library would keep what was connected since.
    if (this.#isOver) this.client.destroy();
  }

  destroy(): void {
    this.#isOver = true;
    if (this.client.isOpen) this.client.destroy();
  }
}

/** For requests to a server that is the only one. */
export class ServerRequests extends ServerLink implements RequestLink {
  send(_key: string, command: readonly string[]): Promise<unknown> {
    return this.client.sendCommand(command);
  }

  async sendToAll(command: readonly string[]): Promise<readonly unknown[]> {
    return [await this.client.sendCommand(command)];
  }

  masterOf(): string {
    return ONLY;
  }

  masters(): ReadonlyMap<string, string> {
    return new Map([[ONLY, "all"]]);
  }
}

/** For what a server that is the only one delivers. */
export class ServerDeliveries extends ServerLink implements DeliveryLink {
  async subscribe(topics: readonly string[], hear: Hear): Promise<void> {
    const slices = Array.from({ length: Math.ceil(topics.length / TOPICS_MAX) }, (_, index) => topics.slice(index * TOPICS_MAX, (index + 1) * TOPICS_MAX));
    await Promise.all(slices.map((slice) => this.client.subscribe([...slice], hear)));
  }

  async unsubscribe(topic: string, hear: Hear): Promise<void> {
    await this.client.unsubscribe(topic, hear);
  }
}

/** For what a master of a cluster delivers: topics that are in its slots. */
export class ShardDeliveries extends ServerLink implements DeliveryLink {
  readonly #events: LinkEvents;

  constructor(options: RedisClientOptions, events: LinkEvents) {
    super(options, events);
    this.#events = events;
    this.client.on("sharded-channel-moved", (topic: string) => events.moved(topic));
  }

  async subscribe(topics: readonly string[], hear: Hear): Promise<void> {
    // Each by itself: one command may not name topics of different slots.
    await Promise.all(topics.map((topic) => this.#subscribe(topic, hear)));
  }

  async unsubscribe(topic: string, hear: Hear): Promise<void> {
    await this.client.sUnsubscribe(topic, hear);
  }

  async #subscribe(topic: string, hear: Hear): Promise<void> {
    try {
      await this.client.sSubscribe(topic, hear);
    } catch (error) {
      if (redisCodeOf(error) === "MOVED") this.#events.moved(topic);
      throw error;
    }
  }
}
