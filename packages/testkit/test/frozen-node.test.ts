import { createClient, type Client } from "@tutti/client";
import { channel, defineContract } from "@tutti/protocol";
import { createServer, silentLog, type Server } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { simulate, type BrokerFaults, type Participant } from "../src/index.js";

const rooms = defineContract({ channels: { "room:{id}": channel({ events: {}, presence: z.object({ name: z.string() }) }) } });
type Rooms = typeof rooms;

interface Node {
  readonly process: Participant;
  readonly server: Server<Rooms>;
}

/** Whole nodes on one broker that answers after a while, and clients with their own clocks. */
function cluster() {
  const world = simulate();
  const broker = world.broker();
  const start = (name: string, skewMs = 0): Node => {
    const process = world.process(name, { wallOffsetMs: skewMs });
    const server = createServer<Rooms>({ contract: rooms, environment: process, broker: broker.connect(process), log: silentLog });
    world.network.listen(`${name}.test`, process, (transport, request) => server.accept(transport, request));
    return { process, server };
  };
  /** A client that is in the room, and keeps note of who came and went. */
  const enter = async (at: string, name: string): Promise<{ readonly client: Client<Rooms>; readonly notices: string[] }> => {
    const page = world.process(name);
    const client = createClient<Rooms>({ contract: rooms, url: `ws://${at}.test/`, environment: page, transport: world.network.transport(page) });
    const room = client.channel("room:{id}", { id: "1" });
    const notices: string[] = [];
    for (const type of ["join", "update", "leave"] as const) room.on(`presence:${type}`, ({ state }) => notices.push(`${type} ${state.name}`));
    void room.subscribe({ presence: { state: { name } } });
    await world.clock.advance(1_000);
    return { client, notices };
  };
  return { world, broker, start, enter, pass: (ms: number) => world.clock.advance(ms), fail: (faults: Partial<BrokerFaults>) => (broker.faults = { ...broker.faults, ...faults }) };
}

const namesAt = ({ server }: Node): string[] => server.channel("room:{id}", { id: "1" }).members().map(({ state }) => String(Object(state).name)).toSorted();
const peopleOf = (client: Client<Rooms>): number => client.channel("room:{id}", { id: "1" }).presence.getSnapshot().people.length;

describe("a node that stands still", () => {
  it("PRE-10 loses its members everywhere, and has them again in its new life", async () => {
    const { start, enter, pass } = cluster();
    const [a, b] = [start("a"), start("b", -86_400_000)];
    await pass(2_000);
    await enter("a", "Ada");
    const bob = await enter("b", "Bob");
    expect([namesAt(a), namesAt(b)]).toEqual([["Ada", "Bob"], ["Ada", "Bob"]]);
    a.process.freeze(20_000);
    await pass(8_000);
    expect([namesAt(b), peopleOf(bob.client)]).toEqual([["Bob"], 1]);
    await pass(16_000);
    expect([namesAt(a), namesAt(b), peopleOf(bob.client)]).toEqual([["Ada", "Bob"], ["Ada", "Bob"], 2]);
    expect(b.server.nodes().find(({ self }) => !self)?.incarnation).toBe(2);
    expect(bob.notices).toEqual(["leave Ada", "join Ada"]);
  });

  it("PRE-13 dies with its members, over a bus that loses and repeats", async () => {
    const { start, enter, pass, fail } = cluster();
    const [a, b] = [start("a"), start("b")];
    await pass(2_000);
    fail({ broadcastLost: 0.3, broadcastRepeated: 0.3 });
    await enter("a", "Ada");
    await enter("b", "Bob");
    await pass(20_000);
    fail({ broadcastLost: 0, broadcastRepeated: 0 });
    await pass(3_000);
    expect([namesAt(a), namesAt(b)]).toEqual([["Ada", "Bob"], ["Ada", "Bob"]]);
    a.process.stop();
    await pass(7_000);
    expect(namesAt(b)).toEqual(["Bob"]);
  });
});
