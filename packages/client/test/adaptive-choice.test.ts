import { describe, expect, it, vi } from "vitest";
import { adaptiveTransport, createClient } from "../src/index.js";
import type { Fetch } from "../src/transports/http/fetch.js";
import { AdaptiveStage } from "./support/adaptive-stage.js";
import { FakeEnvironment } from "./support/fake-environment.js";

describe("what an adaptive transport remembers", () => {
  it("TRN-8 tries what worked last first, also in another page", () => {
    const environment = new FakeEnvironment();
    const memory = new Map<string, string>();
    new AdaptiveStage({ environment, memory }).connectOver("sse");
    const next = new AdaptiveStage({ environment, memory });
    next.client.connect();
    expect(next.counts).toEqual([0, 1, 0, 0]);
    next.welcome("sse");
    expect(next.status).toBe("connected");
  });

  it("TRN-8 tries all the others where what is remembered does not work any more", () => {
    const environment = new FakeEnvironment();
    const memory = new Map<string, string>();
    new AdaptiveStage({ environment, memory }).connectOver("sse");
    const next = new AdaptiveStage({ environment, memory });
    next.client.connect();
    for (const name of ["sse", "websocket", "long-poll"] as const) next.link(name).cut();
    next.welcome("poll");
    expect(next.status).toBe("connected");
    expect(next.counts).toEqual([1, 1, 1, 1]);
  });

  it("TRN-8 forgets after a day, and when the network changes", () => {
    const environment = new FakeEnvironment();
    const memory = new Map<string, string>();
    const first = new AdaptiveStage({ environment, memory }).connectOver("sse");
    void first.client.close();
    environment.pass(86_400_000);
    const later = new AdaptiveStage({ environment, memory });
    later.client.connect();
    expect(later.counts).toEqual([1, 0, 0, 0]);
    later.link("websocket").cut();
    later.welcome("sse");
    later.changeNetwork();
    const elsewhere = new AdaptiveStage({ environment, memory });
    elsewhere.client.connect();
    expect(elsewhere.counts).toEqual([1, 0, 0, 0]);
  });

  it("TRN-8 begins with the first again when the network has changed", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    stage.environment.pass(4_000);
    stage.changeNetwork();
    stage.link("sse").cut();
    stage.environment.pass(1_000);
    expect(stage.counts).toEqual([2, 1, 0, 0]);
  });

  it.each(["", "sse", "x sse", "NaN sse", "9e99 sse", "1700000001000 smoke", "1700000001000"])("TRN-8 takes %j in the memory for nothing", (text) => {
    const stage = new AdaptiveStage({ memory: new Map([["tutti:transport ws://server", text]]) });
    stage.client.connect();
    expect(stage.counts).toEqual([1, 0, 0, 0]);
  });

  it("TRN-3 waits two seconds for what worked last here", () => {
    const stage = new AdaptiveStage().connectOver("websocket");
    stage.environment.pass(5_000);
    stage.link("websocket").cut();
    stage.environment.pass(1_000 + 1_999);
    expect(stage.counts).toEqual([2, 0, 0, 0]);
    stage.environment.pass(1);
    expect(stage.counts).toEqual([2, 1, 0, 0]);
  });
});

describe("client.transport", () => {
  it("TRN-11 tells which one is in use, why, and which were passed over", () => {
    const stage = new AdaptiveStage();
    const told: string[] = [];
    stage.transport.inUse.subscribe(() => told.push(stage.transport.inUse.getSnapshot().name));
    expect(stage.client.transport.name).toBe("none");
    stage.client.connect();
    stage.link("websocket").cut();
    stage.link("sse").open();
    stage.environment.pass(2_000);
    stage.welcome("long-poll");
    expect(stage.client.transport).toMatchObject({
      name: "long-poll",
      reason: "those before it did not work",
      passedOver: [
        { name: "websocket", outcome: "refused" },
        { name: "sse", outcome: "silent" },
      ],
    });
    expect(told).toEqual(["long-poll"]);
  });

  it("TRN-11 tells the first choice, and what worked last", () => {
    const stage = new AdaptiveStage().connectOver("websocket");
    expect(stage.client.transport).toMatchObject({ name: "websocket", reason: "it is the first choice", passedOver: [], warning: undefined });
    stage.link("websocket").cut();
    stage.environment.pass(1_000);
    stage.welcome("websocket");
    expect(stage.client.transport.reason).toBe("it worked last");
  });

  it("TRN-2 warns where what needs to be live is polled for", () => {
    const stage = new AdaptiveStage({ requirements: { direction: "two-way", latency: "immediate", frequency: "frequent" } }).connectOver("poll");
    expect(stage.client.transport.warning).toMatchObject({ code: "NOT_LIVE" });
    const calm = new AdaptiveStage({ requirements: { direction: "down", latency: "minutes", frequency: "rare" } }).connectOver("poll");
    expect(calm.client.transport.warning).toBeUndefined();
  });
});

describe("adaptiveTransport", () => {
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
