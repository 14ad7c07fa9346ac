import { createServer, silentLog } from "@tutti/server";
import { simulate, type SimulatedWorld } from "@tutti/testkit";
import { describe, expect, it, vi } from "vitest";
import { adaptiveTransport, createClient, type AdaptiveTransport, type Client } from "../src/index.js";
import type { Fetch } from "../src/transports/http/fetch.js";
import { longPollTransport } from "../src/transports/http/long-poll.js";
import { pollTransport } from "../src/transports/http/poll.js";
import { sseTransport } from "../src/transports/http/sse.js";
import { contract } from "./support/contract.js";

/** What stands between the client and the server. */
interface Proxy {
  webSockets: "pass" | "refused";
  streams: "pass" | "held back";
}

/** A client behind a proxy, and a real server. */
class Office {
  readonly world: SimulatedWorld = simulate();
  readonly proxy: Proxy;
  readonly transport: AdaptiveTransport;
  readonly client: Client<typeof contract>;
  readonly seen: string[] = [];
  readonly said: string[] = [];
  readonly codes: string[] = [];

  constructor(proxy: Proxy) {
    this.proxy = proxy;
    const node = this.world.process("node");
    const server = createServer({ contract, environment: node, log: silentLog });
    this.world.network.listen("server.test", node, (transport, request) => server.accept(transport, request));
    this.world.network.listenHttp("server.test", node, server.http());
    const page = this.world.process("page");
    const options = { environment: page, fetch: this.#fetch(this.world.network.fetch(page)) };
    const socket = this.world.network.transport(page);
    const quiet = { watch: () => () => {} };
    this.transport = adaptiveTransport({
      order: [
        {
          name: "websocket",
          load: () => ({
            name: "websocket",
            open: (...how) => {
              if (this.proxy.webSockets === "refused") throw new Error("no upgrade");
              return socket.open(...how);
            },
          }),
        },
        { name: "sse", opensBlindly: true, load: () => sseTransport(options) },
        { name: "long-poll", opensBlindly: true, load: () => longPollTransport(options) },
        { name: "poll", opensBlindly: true, load: () => pollTransport(options) },
      ],
      environment: page,
      network: quiet,
    });
    this.client = createClient({ contract, url: "ws://server.test/v1/connect", environment: page, transport: this.transport, lifecycle: quiet });
    const { board } = this;
    board.on("note:add", ({ payload }) => void this.seen.push(payload.text));
    this.client.on("error", ({ code }) => void this.codes.push(code));
    void board.subscribe();
  }

  get board() {
    return this.client.channel("board:{id}", { id: "1" });
  }

  get status(): string {
    return this.client.connection.getSnapshot().status;
  }

  /** Publishes four times a second. */
  async work(seconds: number): Promise<void> {
    for (let quarter = 0; quarter < seconds * 4; quarter++) {
      const text = `note ${this.said.length}`;
      this.said.push(text);
      void this.board.publish("note:add", { text });
      await this.world.clock.advance(250);
    }
  }

  cut(): void {
    for (const connection of this.world.network.connections()) connection.cut("by the test");
  }

  /** A proxy that holds an answer back until it is whole holds that of a stream for ever. */
  #fetch(fetch: Fetch): Fetch {
    return (url, init) => (this.proxy.streams === "held back" && init.headers["Accept"] === "text/event-stream" ? new Promise(() => {}) : fetch(url, init));
  }
}

describe("an adaptive transport over HTTP", () => {
  it("TRN-3 goes on by server-sent events where no WebSocket gets through, and TRN-10 comes back without a loss", async () => {
    const office = new Office({ webSockets: "refused", streams: "pass" });
    await office.world.clock.advance(1_000);
    await office.work(3);
    expect(office.client.transport).toMatchObject({ name: "sse", passedOver: [{ name: "websocket", outcome: "refused" }] });
    office.proxy.webSockets = "pass";
    await office.work(60);
    expect(office.client.transport.name).toBe("websocket");
    office.proxy.webSockets = "refused";
    office.cut();
    await office.work(10);
    await office.world.clock.advance(5_000);
    expect(office.client.transport.name).toBe("sse");
    expect(office.seen).toEqual(office.said);
    expect(office.client.pending.getSnapshot().count).toBe(0);
    expect(office.codes).toEqual([]);
  });

  it("TRN-5 goes on by long polls within three seconds where a proxy holds streams back as well", async () => {
    const office = new Office({ webSockets: "refused", streams: "held back" });
    await office.world.clock.advance(2_900);
    expect(office.status).toBe("connected");
    expect(office.client.transport.name).toBe("long-poll");
    await office.work(20);
    await office.world.clock.advance(5_000);
    expect(office.seen).toEqual(office.said);
  });

  it("TRN-9 tries server-sent events again in earnest, and goes on by long polls where they are still held back", async () => {
    const office = new Office({ webSockets: "refused", streams: "held back" });
    await office.world.clock.advance(2_900);
    const before = office.client.connection.getSnapshot().lastConnected;
    await office.world.clock.advance(1_500_000);
    expect(office.status).toBe("connected");
    expect(office.client.transport.name).toBe("long-poll");
    expect(office.client.connection.getSnapshot().lastConnected).toBeGreaterThan(before ?? Infinity);
    office.proxy.streams = "pass";
    await office.world.clock.advance(6_000_000);
    expect(office.client.transport.name).toBe("sse");
    await office.work(5);
    await office.world.clock.advance(5_000);
    expect(office.seen).toEqual(office.said);
  });

  it("TRN-3 loads what it has by name when that is its turn, in the order that it was given", async () => {
    const asked: string[] = [];
    const fetch: Fetch = (url, init) => {
      asked.push(`${init.headers["Accept"]} ${new URL(url).search}`);
      return Promise.reject(new TypeError("refused"));
    };
    const refuse = vi.fn(function refuse() {
      asked.push("websocket");
      throw new Error("refused");
    });
    const transport = adaptiveTransport({ order: ["websocket", "sse", "stream", "long-poll", "poll"], WebSocket: refuse, fetch });
    const client = createClient({ url: "ws://server.test/v1/connect", transport });
    client.connect();
    await vi.waitFor(() => expect(client.connection.getSnapshot().status).toBe("reconnecting"));
    await client.close();
    expect(asked).toEqual(["websocket", "text/event-stream ", "application/x-ndjson ", "application/json ", "application/json ?interval=60"]);
  });

  it("TRN-3 has an order of its own, and none is none", () => {
    expect(adaptiveTransport().name).toBe("none");
    expect(() => adaptiveTransport({ order: [] })).toThrow("no transport to choose from");
  });
});
