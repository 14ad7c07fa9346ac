import { adaptiveTransport, createClient, type AdaptiveTransport, type Client, type Fetch } from "@tutti/client";
import { longPollTransport } from "@tutti/client/long-poll";
import { pollTransport } from "@tutti/client/poll";
import { sseTransport } from "@tutti/client/sse";
import { createServer, silentLog } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { simulate, type SimulatedWorld } from "../src/index.js";
import { contract } from "./crossroads.js";

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
    const { list } = this;
    list.on("line:add", ({ payload }) => void this.seen.push(payload));
    this.client.on("error", ({ code }) => void this.codes.push(code));
    void list.subscribe();
  }

  get list() {
    return this.client.channel("list:{id}", { id: "1" });
  }

  get status(): string {
    return this.client.connection.getSnapshot().status;
  }

  /** Publishes four times a second. */
  async work(seconds: number): Promise<void> {
    for (let quarter = 0; quarter < seconds * 4; quarter++) {
      const line = `line ${this.said.length}`;
      this.said.push(line);
      void this.list.publish("line:add", line);
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
});
