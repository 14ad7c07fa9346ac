import type { Client } from "@tutti/client";
import { describe, expect, it } from "vitest";
import { RandomStream } from "../src/index.js";
import { Crossroads, type contract, type Way } from "./crossroads.js";

const names = ["websocket", "sse", "poll"] as const;
const SEEDS = 12;
/** Probes that come soon, so that little time has to pass. */
const quick = { probeMs: 2_000, probeMsMax: 5_000, doubtfulProbeMs: 5_000, doubtfulProbeMsMax: 10_000 };

/** Subscribes, and notes what the application sees. */
function watch(client: Client<typeof contract>): { readonly seen: string[]; readonly gaps: unknown[]; readonly errors: string[] } {
  const list = client.channel("list:{id}", { id: "1" });
  const seen: string[] = [];
  const gaps: unknown[] = [];
  const errors: string[] = [];
  list.on("line:add", ({ payload }) => void seen.push(payload));
  list.on("gap", (gap) => void gaps.push(gap));
  client.on("error", ({ code }) => void errors.push(code));
  void list.subscribe();
  return { seen, gaps, errors };
}

/** Publishes a line each tenth of a second while time passes; resolves with what was published. */
async function publishing(roads: Crossroads, client: Client<typeof contract>, seconds: number, said: string[]): Promise<void> {
  const list = client.channel("list:{id}", { id: "1" });
  for (let tenth = 0; tenth < seconds * 10; tenth++) {
    const line = `line ${said.length}`;
    said.push(line);
    void list.publish("line:add", line);
    await roads.world.clock.advance(100);
  }
}

describe("an adaptive transport and a real server", () => {
  it.each(["refused", "hangs", "drops"] as const)("TRN-3 a WebSocket that is blocked (%s) costs less than two seconds", async (way) => {
    const roads = new Crossroads(names);
    roads.ways.set("websocket", way);
    const client = roads.client("page");
    client.connect();
    await roads.world.clock.advance(1_200);
    expect(client.connection.getSnapshot().status).toBe("connected");
    expect(client.transport.name).toBe("sse");
  });

  it("TRN-5 a WebSocket that opens and stays silent is left within three seconds", async () => {
    const roads = new Crossroads(names);
    roads.ways.set("websocket", "silent");
    const client = roads.client("page");
    client.connect();
    await roads.world.clock.advance(2_200);
    expect(client.connection.getSnapshot().status).toBe("connected");
    expect(client.transport).toMatchObject({ name: "sse", passedOver: [{ name: "websocket", outcome: "silent" }] });
  });

  it("TRN-10 falls back, comes back and loses, doubles and reorders nothing on the way", async () => {
    const roads = new Crossroads(names);
    const client = roads.client("writer");
    const { seen, gaps, errors } = watch(client);
    const said: string[] = [];
    const used: string[] = [];
    client.on("status", ({ status }) => status === "connected" && used.push(client.transport.name));
    await publishing(roads, client, 10, said);
    roads.ways.set("websocket", "refused");
    roads.cut();
    await publishing(roads, client, 10, said);
    roads.ways.set("websocket", "works");
    await publishing(roads, client, 60, said);
    await roads.world.clock.advance(5_000);
    expect(used).toEqual(["websocket", "sse", "websocket"]);
    expect(seen).toEqual(said);
    expect(gaps).toEqual([]);
    expect(errors).toEqual([]);
    expect(client.pending.getSnapshot().count).toBe(0);
  });

  it("TRN-9 one that was silent is found to work again by what the server says over it by itself", async () => {
    const roads = new Crossroads(names);
    roads.ways.set("websocket", "silent");
    const client = roads.client("page", { doubtfulProbeMs: 20_000 });
    client.connect();
    await roads.world.clock.advance(40_000);
    expect(client.transport.name).toBe("sse");
    roads.ways.set("websocket", "works");
    await roads.world.clock.advance(120_000);
    expect(client.transport.name).toBe("websocket");
    expect(client.connection.getSnapshot().status).toBe("connected");
  });

  it.each(Array.from({ length: SEEDS }, (_, index) => index + 1))("TRN-4 no ways that open, close, stall and fall silent end a session or lose, double or reorder anything (seed %d)", async (seed) => {
    const random = new RandomStream(seed, "ways");
    const roads = new Crossroads(names, seed);
    const client = roads.client("writer", quick);
    const reader = roads.client("reader", quick);
    const own = watch(client);
    const other = watch(reader);
    const said: string[] = [];
    // Both are there from the first event on.
    await roads.world.clock.advance(1_000);
    for (let change = 0; change < 12; change++) {
      for (const name of names) roads.ways.set(name, random.pick<Way>(["works", "works", "refused", "hangs", "silent", "drops"]));
      if (random.chance(0.5)) roads.cut();
      await publishing(roads, client, random.between(1, 6), said);
    }
    for (const name of names) roads.ways.set(name, "works");
    for (const each of [client, reader]) each.connect();
    await roads.world.clock.advance(120_000);
    expect(client.connection.getSnapshot().status).toBe("connected");
    expect([client.transport.name, reader.transport.name]).toEqual(["websocket", "websocket"]);
    expect(own.seen).toEqual(said);
    expect(other.seen).toEqual(said);
    expect([...own.gaps, ...other.gaps]).toEqual([]);
    expect(own.errors).toEqual([]);
  });
});
