import { createClient, webSocketTransport, type Client, type ClientOptions, type ConnectionInfo } from "@tutti/client";
import { WebSocket } from "ws";
import { roomContract } from "./room-contract.js";

export type RoomClient = Client<typeof roomContract>;

const nodeTransport = webSocketTransport({ WebSocket });

/** Short pauses, so that a test does not wait for what it is not about. */
const impatient = { reconnectDelaysMs: [20], reconnectJitterMs: 5, reconnectAttemptsMax: 500 } as const;

/** Makes clients for a test, and closes them after it. */
export class Guests {
  readonly #clients: RoomClient[] = [];

  /** A client of the product's own, in Node. */
  client(url: string, options: Partial<ClientOptions<typeof roomContract>> = {}): RoomClient {
    const client = createClient({ url, contract: roomContract, transport: nodeTransport, ...impatient, ...options });
    this.#clients.push(client);
    return client;
  }

  async leave(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.close()));
  }
}

/** Remembers every status that a client had, with its reason. */
export function statusesOf(client: RoomClient): readonly ConnectionInfo[] {
  const statuses: ConnectionInfo[] = [];
  client.on("status", (info) => statuses.push(info));
  return statuses;
}

/** The codes that a client's connections ended with, in their order. */
export const reasonsOf = (statuses: readonly ConnectionInfo[]): readonly string[] => statuses.flatMap(({ reason }) => reason?.code ?? []);
