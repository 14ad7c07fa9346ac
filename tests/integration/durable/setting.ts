import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, webSocketTransport, type ChannelState, type Client } from "@tutti/client";
import { WebSocket } from "ws";
import { urlOf } from "../loopback.js";
import type { Listening } from "../processes/log-server.js";
import { Program } from "../program.js";
import { lineOf } from "./contents.js";
import { contract, type Tally } from "./contract.js";
import { Torrent } from "./torrent.js";

/** Where it is published. */
export const feed = "feed:one";
export const board = "board:one";

type Place = "feed:{id}" | "board:{id}";

const widthEach = 24;

/** A subscriber, and what it saw. */
export interface Witness {
  /** What arrived, in the order in which it did. */
  readonly seen: string[];
  readonly gaps: unknown[];
}

/** A log on the disk, the processes that use it, and the clients of one test. */
export class Setting {
  readonly place: string;
  readonly directory: string;
  readonly #programs: { kill(): Promise<void> }[] = [];
  readonly #clients: Client<typeof contract>[] = [];

  private constructor(place: string) {
    this.place = place;
    this.directory = join(place, "log");
  }

  static async open(): Promise<Setting> {
    return new Setting(await mkdtemp(join(tmpdir(), "tutti-durable-")));
  }

  start<Message>(script: string, args: readonly string[]): Program<Message> {
    const program = Program.start<Message>(script, args);
    this.#programs.push(program);
    return program;
  }

  /** @param port a free one unless given */
  async serve(port = 0): Promise<{ readonly server: Program<Listening>; readonly port: number }> {
    const server = this.start<Listening>("log-server", [this.directory, String(port)]);
    return { server, port: (await server.next()).port };
  }

  /** A client that publishes at full speed, and comes back as soon as it can, for as long as it takes. */
  publisher(port: number, name: string, pattern: Place = "feed:{id}"): Torrent {
    const channel = this.#connect(port).channel(pattern, { id: "one" });
    return new Torrent(name, widthEach, (id) => channel.publish("item:add", { id }));
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
    await Promise.all(this.#programs.splice(0).map((program) => program.kill()));
    await rm(this.place, { recursive: true });
  }

  #connect(port: number): Client<typeof contract> {
    const transport = webSocketTransport({ WebSocket });
    const client = createClient({ url: urlOf(port), contract, transport, reconnectDelaysMs: [20], reconnectJitterMs: 10, reconnectAttemptsMax: 1e6 });
    this.#clients.push(client);
    client.connect();
    return client;
  }
}
