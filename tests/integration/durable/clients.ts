import { createClient, webSocketTransport, type ChannelState, type Client } from "@tutti/client";
import { WebSocket } from "ws";
import { urlOf } from "../loopback.js";
import { lineOf } from "./contents.js";
import { contract, type Tally } from "./contract.js";
import { Torrent } from "./torrent.js";

type Place = "feed:{id}" | "board:{id}";

const widthEach = 24;

/** A subscriber, and what it saw. */
export interface Witness {
  /** What arrived, in the order in which it did. */
  readonly seen: string[];
  readonly gaps: unknown[];
}

/** Clients that come back as soon as they can, for as long as it takes. */
export class Clients {
  readonly #clients: Client<typeof contract>[] = [];

  /** Publishes at full speed, so many at a time. */
  publisher(port: number, name: string, pattern: Place = "feed:{id}", width = widthEach): Torrent {
    const channel = this.#connect(port).channel(pattern, { id: "one" });
    return new Torrent(name, width, (id) => channel.publish("item:add", { id }));
  }

  /** Somebody who sees everything in the feed. */
  async subscriber(port: number): Promise<Witness> {
    const channel = this.#connect(port).channel("feed:{id}", { id: "one" });
    const witness: Witness = { seen: [], gaps: [] };
    channel.on("gap", (gap) => witness.gaps.push(gap));
    channel.on("item:add", ({ position, payload }) => witness.seen.push(lineOf(position, payload.id)));
    await channel.subscribe();
    return witness;
  }

  /** The state of the board as somebody sees it. */
  async tally(port: number): Promise<ChannelState<Tally>> {
    const channel = this.#connect(port).channel("board:{id}", { id: "one" });
    await channel.subscribe();
    return channel.state;
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.close()));
  }

  #connect(port: number): Client<typeof contract> {
    const transport = webSocketTransport({ WebSocket });
    const client = createClient({ url: urlOf(port), contract, transport, reconnectDelaysMs: [20], reconnectJitterMs: 10, reconnectAttemptsMax: 1e6 });
    this.#clients.push(client);
    client.connect();
    return client;
  }
}
