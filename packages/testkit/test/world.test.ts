import { createClient, type Client } from "@tutti/client";
import { channel, defineContract, jsonCodec, type Codec } from "@tutti/protocol";
import { msgpackCodec } from "@tutti/protocol/msgpack";
import { createServer, silentLog } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { SimulatedLifecycle, simulate, type Participant, type SimulatedWorld } from "../src/index.js";

const contract = defineContract({
  channels: {
    "room:{id}": channel({
      events: { "note:add": z.string() },
      state: { version: 1, initial: [] as string[], reduce: (notes, { payload }) => [...notes, payload] },
    }),
  },
});

interface Setup {
  readonly world: SimulatedWorld;
  readonly open: (name: string, lifecycle?: SimulatedLifecycle, codec?: Codec) => { readonly client: Client<typeof contract>; readonly page: Participant };
}

function setup(seed = 1): Setup {
  const world = simulate({ seed });
  const environment = world.process("server");
  const server = createServer({ contract, environment, log: silentLog, broker: world.broker().connect(environment) });
  world.network.listen("server.test", environment, (transport, request) => server.accept(transport, request));
  return {
    world,
    open(name, lifecycle = new SimulatedLifecycle(), codec = jsonCodec) {
      const page = world.process(name);
      const client = createClient({ contract, url: "ws://server.test/", environment: page, codec, transport: world.network.transport(page, codec), lifecycle });
      return { client, page };
    },
  };
}

describe("a simulated world", () => {
  it("runs an application's client and server together, as long as the test says", async () => {
    const { world, open } = setup();
    const rooms = ["ada", "bob"].map((name) => open(name).client.channel("room:{id}", { id: "1" }));
    for (const room of rooms) void room.subscribe();
    await world.clock.advance(1_000);
    void rooms[0]?.publish("note:add", "hello");
    expect(rooms.map((room) => room.state.getSnapshot())).toEqual([["hello"], []]);
    await world.clock.advance(1_000);
    expect(rooms.map((room) => room.state.getSnapshot())).toEqual([["hello"], ["hello"]]);
  });

  it("lets clients speak what they were made with", async () => {
    const { world, open } = setup();
    const sent = new Set<string>();
    world.network.fateOf = (message) => {
      sent.add(typeof message);
      return "arrives";
    };
    const rooms = [jsonCodec, msgpackCodec].map((codec) => open(codec.name, undefined, codec).client.channel("room:{id}", { id: "1" }));
    for (const room of rooms) void room.subscribe();
    for (const room of rooms) void room.publish("note:add", "hello");
    await world.clock.advance(1_000);
    expect(rooms.map((room) => room.state.getSnapshot())).toEqual([["hello", "hello"], ["hello", "hello"]]);
    expect([...sent].toSorted()).toEqual(["object", "string"]);
  });

  it("breaks the network when it is told to, and the client recovers", async () => {
    const { world, open } = setup();
    const { client } = open("ada");
    const room = client.channel("room:{id}", { id: "1" });
    void room.subscribe();
    await world.clock.advance(1_000);
    for (const connection of world.network.connections()) connection.cut("cable");
    await world.clock.advance(100);
    expect(client.connection.getSnapshot().status).toBe("reconnecting");
    void room.publish("note:add", "while away");
    await world.clock.advance(5_000);
    expect(client.connection.getSnapshot().status).toBe("connected");
    expect(room.state.canonical()).toEqual(["while away"]);
  });

  it("finds a half-open link by its silence", async () => {
    const { world, open } = setup();
    const { client } = open("ada");
    client.connect();
    await world.clock.advance(1_000);
    for (const connection of world.network.connections()) connection.lose();
    const reasons: (string | undefined)[] = [];
    client.on("status", ({ reason }) => reasons.push(reason?.code));
    await world.clock.advance(40_000);
    expect(reasons).toContain("HEARTBEAT_TIMEOUT");
    expect(client.connection.getSnapshot().status).toBe("connected");
  });

  it("tells pages what happens to them", async () => {
    const { world, open } = setup();
    const lifecycle = new SimulatedLifecycle();
    const { client } = open("ada", lifecycle);
    client.connect();
    await world.clock.advance(1_000);
    lifecycle.tell((events) => events.pageHide());
    await world.clock.advance(60_000);
    expect(client.connection.getSnapshot().status).not.toBe("connected");
    lifecycle.tell((events) => events.pageShow());
    await world.clock.advance(1_000);
    expect(client.connection.getSnapshot().status).toBe("connected");
  });

  it("takes the same course from the same seed", async () => {
    const run = async (seed: number): Promise<string> => {
      const { world, open } = setup(seed);
      void open("ada").client.channel("room:{id}", { id: "1" }).subscribe();
      await world.clock.advance(30_000);
      return world.clock.trace.hash;
    };
    expect(await run(7)).toBe(await run(7));
    expect(await run(7)).not.toBe(await run(8));
  });
});
