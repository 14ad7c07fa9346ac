import { adaptiveTransport, createClient, type AdaptiveNumbers, type Client, type LinkEvents, type Transport } from "@tutti/client";
import { channel, defineContract } from "@tutti/protocol";
import { createServer, silentLog } from "@tutti/server";
import { z } from "zod";
import { simulate, type Participant, type SimulatedWorld } from "../src/index.js";

export const contract = defineContract({
  channels: {
    "list:{id}": channel({
      events: { "line:add": z.string() },
      state: { version: 1, initial: [] as string[], reduce: (lines, { payload }) => [...lines, payload] },
    }),
  },
});

/** What a way does to links: `silent` lets them open, and carries nothing. */
export type Way = "works" | "refused" | "hangs" | "silent" | "drops";

/** A real server in a simulated world, and clients that reach it over several ways, each of which fares as the test says. */
export class Crossroads {
  readonly world: SimulatedWorld;
  readonly ways = new Map<string, Way>();
  readonly #names: readonly string[];

  constructor(names: readonly string[], seed = 1) {
    this.#names = names;
    this.world = simulate({ seed });
    const node = this.world.process("node");
    const server = createServer({ contract, environment: node, log: silentLog });
    for (const name of names) {
      this.ways.set(name, "works");
      this.world.network.listen(`${name}.test`, node, (transport, request) => server.accept(transport, request));
    }
    this.world.network.reach = (_client, host) => {
      const way = this.ways.get(host.replace(/\.test$/, ""));
      return way === "refused" ? "refused" : way === "hangs" ? "silent" : "accepted";
    };
  }

  /** A client with an adaptive transport over all ways, the best first. */
  client(name: string, numbers: Partial<AdaptiveNumbers> = {}): Client<typeof contract> {
    const page = this.world.process(name);
    const transport = adaptiveTransport({
      order: this.#names.map((way) => ({ name: way, load: () => this.#transport(way, page) })),
      environment: page,
      network: { watch: () => () => {} },
      memory: { recall: () => "", remember: () => {} },
      ...numbers,
    });
    return createClient({ contract, url: "ws://server.test/", environment: page, transport, lifecycle: { watch: () => () => {} } });
  }

  /** Breaks every connection that is open. */
  cut(): void {
    for (const connection of this.world.network.connections()) connection.cut("by the test");
  }

  #transport(way: string, page: Participant): Transport {
    const inner = this.world.network.transport(page);
    return {
      name: way,
      open: (_url, subprotocol, events) => {
        let isMute = false;
        // What was lost once over a link is followed by nothing.
        const isCarried = (): boolean => {
          isMute ||= this.ways.get(way) === "silent";
          return !isMute;
        };
        const link = inner.open(`ws://${way}.test/`, subprotocol, this.#hearing(way, events, isCarried, () => link.close(1000, "")));
        return { send: (data) => isCarried() && link.send(data), close: (code, reason) => link.close(code, reason) };
      },
    };
  }

  #hearing(way: string, events: LinkEvents, isCarried: () => boolean, close: () => void): LinkEvents {
    return {
      opened: () => {
        if (this.ways.get(way) !== "drops") return events.opened();
        close();
        events.closed(1006, "dropped");
      },
      message: (data) => isCarried() && events.message(data),
      closed: (code, reason) => isCarried() && events.closed(code, reason),
    };
  }
}
