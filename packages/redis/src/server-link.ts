import { createClient, type RedisClientOptions } from "redis";
import type { Connect, Hear, Link, LinkEvents } from "./link.js";

/** So many topics at most in one command. */
const TOPICS_MAX = 512;

type Client = ReturnType<typeof createPlainClient>;

/**
 * One connection to one server. The library is told not to reconnect, nor to keep for later what it cannot send now: what was rejected must not
 * land afterwards.
 */
export function connectServer(options: RedisClientOptions): Connect {
  return (events) => new ServerLink(createPlainClient(options), events);
}

/** What holds for every client of the library. Its own deadlines end as soon as a command is written, and cost a timer for each. */
export const COMMON_OPTIONS = { disableOfflineQueue: true, commandOptions: { timeout: 0 }, maintNotifications: "disabled" } as const;

function createPlainClient(options: RedisClientOptions) {
  const { socket } = options;
  return createClient({ ...options, ...COMMON_OPTIONS, socket: { ...socket, reconnectStrategy: false } });
}

class ServerLink implements Link {
  readonly #client: Client;
  #isOver = false;

  constructor(client: Client, events: LinkEvents) {
    this.#client = client;
    // From the start: an error that nobody listens for ends the process.
    client.on("error", (error: Error) => {
      if (this.#isOver) return;
      this.#isOver = true;
      events.lost(error);
    });
  }

  async open(): Promise<void> {
    await this.#client.connect();
  }

  send(_key: string, command: readonly string[]): Promise<unknown> {
    return this.#client.sendCommand(command);
  }

  async sendToAll(command: readonly string[]): Promise<readonly unknown[]> {
    return [await this.#client.sendCommand(command)];
  }

  async subscribe(topics: readonly string[], hear: Hear): Promise<void> {
    const slices = Array.from({ length: Math.ceil(topics.length / TOPICS_MAX) }, (_, index) => topics.slice(index * TOPICS_MAX, (index + 1) * TOPICS_MAX));
    await Promise.all(slices.map((slice) => this.#client.subscribe([...slice], hear)));
  }

  async unsubscribe(topic: string, hear: Hear): Promise<void> {
    await this.#client.unsubscribe(topic, hear);
  }

  tags(): readonly string[] {
    return ["all"];
  }

  destroy(): void {
    this.#isOver = true;
    if (this.#client.isOpen) this.#client.destroy();
  }
}
