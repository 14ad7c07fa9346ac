import type { Broker } from "@tutti/server";
import { describe, expect, it, vi } from "vitest";
import { following, room, text, textsOf } from "./support/following.js";
import type { Peer } from "./support/peer.js";
import type { World } from "./support/world.js";

/** So many channels at most may be looked at in a turn, and their heads asked for in one request (REC-5). */
const LOOKED_AT_MAX = 256;

/** So many more channels that somebody follows; their names. */
async function followMany(world: Pick<World, "peer">, count: number): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, index) => `room:${index + 2}`);
  let peer: Peer | undefined;
  for (const [index, name] of names.entries()) {
    if (index % 200 === 0) peer = await world.peer();
    await peer?.subscribe(name);
  }
  return names;
}

/** What the broker is asked for the heads of, request by request. */
function spyOnHeads(broker: Broker): (readonly string[])[] {
  const asked: (readonly string[])[] = [];
  const heads = broker.heads.bind(broker);
  broker.heads = (channels) => {
    asked.push(channels);
    return heads(channels);
  };
  return asked;
}

describe("the last event of a quiet channel", () => {
  it("REC-5 is found within headCheckMs where the bus lost it", async () => {
    const { peer, lose, pass } = await following();
    await pass(5_000);
    await lose("one");
    await pass(4_000);
    expect(textsOf(peer)).toEqual([]);
    await pass(7_000);
    expect(textsOf(peer)).toEqual(["one"]);
  });

  it("REC-5 is found in the time after where the channel was busy until then", async () => {
    const { peer, publish, lose, pass } = await following();
    await pass(9_500);
    await publish("one");
    await lose("two");
    await pass(21_000);
    expect(textsOf(peer)).toEqual(["one", "two"]);
  });

  it("REC-5 is found though an event came while the head was asked for, and the bus lost the next", async () => {
    const { world, peer, publish, lose, pass } = await following();
    const answer = world.broker.holdAnswerOfNext("heads");
    await pass(10_500);
    const reads = world.broker.countOf("read");
    await publish("one");
    answer();
    await world.settle();
    expect(world.broker.countOf("read")).toBe(reads);
    await lose("two");
    await pass(21_000);
    expect(textsOf(peer)).toEqual(["one", "two"]);
  });
});

describe("a look at the heads", () => {
  it("REC-5 is at quiet channels alone, once in headCheckMs", async () => {
    const { world, publish, pass } = await following({ headCheckMs: 2_000 });
    await pass(2_000);
    const looks = world.broker.countOf("heads");
    const reads = world.broker.countOf("read");
    await pass(4_000);
    expect(world.broker.countOf("heads")).toBe(looks + 2);
    expect(world.broker.countOf("read")).toBe(reads);
    for (let round = 0; round < 4; round++) {
      await publish("busy");
      await pass(1_000);
    }
    expect(world.broker.countOf("heads")).toBe(looks + 2);
  });

  it("REC-5 asks for many in one request, and for no more in a turn", async () => {
    const { world, pass } = await following({ headCheckMs: 2_000 });
    const names = await followMany(world, 599);
    await pass(2_000);
    const asked = spyOnHeads(world.broker);
    const { environment } = world;
    const requests = [0];
    const tick = environment.tick.bind(environment);
    vi.spyOn(environment, "tick").mockImplementation(async () => {
      await tick();
      requests.push(asked.length);
    });
    await pass(2_000);
    expect(asked.map(({ length }) => length)).toEqual([LOOKED_AT_MAX, LOOKED_AT_MAX, 600 - 2 * LOOKED_AT_MAX]);
    expect(asked.flat().toSorted()).toEqual([room, ...names].toSorted());
    const inATurn = requests.slice(1).map((count, index) => count - (requests[index] ?? 0));
    // The first when the time comes, the second at the end of the same turn.
    expect(inATurn.filter((count) => count > 0)).toEqual([2, 1]);
  });

  it("REC-5 that fails is logged once, and leaves out no other channels than those it asked for", async () => {
    const { world, pass, lose, peer } = await following();
    const names = await followMany(world, 3 * LOOKED_AT_MAX);
    const last = names.at(-1) ?? "";
    const late = await world.peer();
    await late.subscribe(last);
    world.broker.loses = () => true;
    await world.server.channel("room:{id}", { id: last.slice("room:".length) }).publish("note:add", text("last"));
    await lose("first");
    world.broker.failNext("heads");
    world.broker.failNext("heads");
    await pass(11_000);
    expect(world.log.warnings).toEqual(["looking at the heads of quiet channels failed"]);
    expect([textsOf(peer), textsOf(late, last)]).toEqual([[], ["last"]]);
    await pass(10_000);
    expect(textsOf(peer)).toEqual(["first"]);
    expect(world.log.warnings).toHaveLength(1);
  });

  it("REC-5 is not begun while one is under way, however long that takes", async () => {
    const { world, peer, lose, pass } = await following({ headCheckMs: 2_000 });
    const answer = world.broker.holdNext("heads");
    await pass(2_000);
    const looks = world.broker.countOf("heads");
    await lose("one");
    await pass(20_000);
    expect(world.broker.countOf("heads")).toBe(looks);
    answer();
    await world.settle();
    expect(textsOf(peer)).toEqual(["one"]);
    await pass(4_000);
    expect(world.broker.countOf("heads")).toBe(looks + 1);
  });

  it("REC-5 waits for channels that are behind before it goes on to the next ones", async () => {
    const { world, lose, peer, pass } = await following();
    await followMany(world, LOOKED_AT_MAX);
    await lose("one");
    const read = world.broker.holdNext("read");
    await pass(11_000);
    const looks = world.broker.countOf("heads");
    read();
    await world.settle();
    expect(textsOf(peer)).toEqual(["one"]);
    expect(world.broker.countOf("heads")).toBe(looks + 1);
  });

  it("REC-5 ends where the node is closed", async () => {
    const { world, pass } = await following();
    await followMany(world, LOOKED_AT_MAX);
    // One that other nodes use as well goes on.
    world.broker.close = async () => {};
    const answer = world.broker.holdNext("heads");
    await pass(11_000);
    const looks = world.broker.countOf("heads");
    await world.server.close();
    answer();
    await world.settle();
    expect(world.broker.countOf("heads")).toBe(looks);
  });
});
