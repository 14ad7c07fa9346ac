import { describe, expect, it } from "vitest";
import type { ServerOptions, User } from "@tutti/server";
import type { Peer } from "./support/peer.js";
import { World } from "./support/world.js";

const A_TURN = 64;

describe("hellos that come at once", () => {
  it("ADM-1 are authenticated so many at a time, the others in the order in which they came", async () => {
    const { world, open, asked } = asking({ hellosAtOnceMax: 3 });
    await newcomers(world, 5);
    expect(asked()).toEqual(["0", "1", "2"]);
    open("1");
    await world.settle();
    expect(asked()).toEqual(["0", "1", "2", "3"]);
    open("0");
    open("2");
    await world.settle();
    expect(asked()).toEqual(["0", "1", "2", "3", "4"]);
    expect(world.server.health().hellosWaiting).toBe(0);
  });

  it("ADM-1 are not overtaken by who comes when a place has just become free", async () => {
    const { world, open, asked } = asking({ hellosAtOnceMax: 1 });
    await newcomers(world, 2);
    open("0");
    // A place is free as soon as promises have run, and given away at the end of the turn.
    await new Promise(setImmediate);
    world.connect().send(hello(2));
    await world.settle();
    open("1");
    await world.settle();
    expect(asked()).toEqual(["0", "1", "2"]);
  });

  it("ADM-1 are refused with UNAVAILABLE and a time to come back where as many wait as may", async () => {
    const { world } = asking({ hellosAtOnceMax: 1, hellosWaitingMax: 2 });
    // They came before there was anybody to refuse them for.
    const peers = Array.from({ length: 5 }, () => world.connect());
    peers.forEach((peer, index) => peer.send(hello(index)));
    await world.settle();
    expect(peers.map((peer) => peer.closeCode)).toEqual([undefined, undefined, undefined, 1011, 1011]);
    for (const peer of peers.slice(3)) expect(peer.of("error")).toEqual([{ op: "error", error: { code: "UNAVAILABLE", message: "the server has no place now", retryAfterMs: 3_000 } }]);
    expect(world.server.stats().connections).toBe(3);
  });

  it("ADM-1 leave the queue with their connection", async () => {
    const { world, open, asked } = asking({ hellosAtOnceMax: 1 });
    const peers = await newcomers(world, 3);
    peers[1]?.drop();
    expect(world.server.health().hellosWaiting).toBe(1);
    open("0");
    await world.settle();
    expect(asked()).toEqual(["0", "2"]);
  });

  it("ADM-1 wait no longer than helloTimeoutMs", async () => {
    const { world, asked } = asking({ hellosAtOnceMax: 1 });
    const [, waiting] = await newcomers(world, 2);
    await world.advance(9_000);
    expect(waiting?.closeCode).toBeUndefined();
    await world.advance(1_000);
    expect(waiting?.errorCodes).toEqual(["HELLO_TIMEOUT"]);
    expect(world.server.health().hellosWaiting).toBe(0);
    expect(asked()).toEqual(["0"]);
  });

  it("ADM-1 get the places of authentications that come to no end, also of those whose client is gone", async () => {
    const { world, open, asked } = asking({ hellosAtOnceMax: 2 });
    const [first] = await newcomers(world, 2);
    first?.drop();
    await world.advance(5_000);
    const [late] = await newcomers(world, 1, 2);
    expect(asked()).toEqual(["0", "1"]);
    await world.advance(5_000);
    expect(asked()).toEqual(["0", "1", "2"]);
    open("2");
    await world.settle();
    expect(late?.of("welcome").length).toBe(1);
  });

  it("ADM-1 count a place once, also where an authentication ends after its place was given away", async () => {
    const { world, open, asked } = asking({ hellosAtOnceMax: 1 });
    await newcomers(world, 1);
    await world.advance(10_000);
    await newcomers(world, 2, 1);
    expect(asked()).toEqual(["0", "1"]);
    open("0");
    await world.settle();
    expect(asked()).toEqual(["0", "1"]);
  });

  it("ADM-2 begin so many in a turn, and who is connected is served in between", async () => {
    const world = new World();
    const [reader, writer] = [await world.peer(), await world.peer()];
    await reader.subscribe("any:1");
    const peers = crowd(world, 1_000);
    const welcomed = () => peers.filter((peer) => peer.of("welcome").length > 0).length;
    const counts: number[] = [];
    for (let n = 1; welcomed() < peers.length; n++) {
      writer.request(writer.publishing("any:1", n, n));
      await world.environment.tick();
      await world.environment.tick();
      counts.push(welcomed());
      // What was published is there before the next but one of these are.
      expect(reader.payloadsOf("any:1").length).toBeGreaterThanOrEqual(n - 1);
    }
    expect(counts[0]).toBeLessThanOrEqual(2 * A_TURN);
    for (const [index, count] of counts.entries()) expect(count - (counts[index - 1] ?? 0)).toBeLessThanOrEqual(2 * A_TURN);
    expect(counts.length).toBeLessThanOrEqual(1_000 / A_TURN + 1);
  });

  it.each([
    [0, 64],
    [1, 10],
    [2, 5],
    [500, 4],
  ])("ADM-2 begin for 10 ms in a turn: where each takes %d ms, %d of them", async (costMs, count) => {
    const world: World = new World({
      authenticate: () => {
        world.environment.pass(costMs);
        return { id: "ada" };
      },
    });
    const peers = crowd(world, 300);
    const welcomed = () => peers.filter((peer) => peer.of("welcome").length > 0).length;
    await world.environment.tick();
    for (let turn = 0; turn < 3; turn++) {
      const before = welcomed();
      await world.environment.tick();
      expect(welcomed() - before).toBe(count);
    }
  });
});

describe("a loaded node", () => {
  it("ADM-3 refuses newcomers where the first of those who wait has waited for half of its time, and goes on with those", async () => {
    const { world, open } = asking({ hellosAtOnceMax: 1, helloTimeoutMs: 8_000 });
    const established = await firstOf(world, open);
    await newcomers(world, 2, 1);
    await world.advance(3_900);
    expect(world.connect().closeCode).toBeUndefined();
    await world.advance(100);
    const refused = world.connect();
    expect(refused.errorCodes).toEqual(["UNAVAILABLE"]);
    expect(refused.closeCode).toBe(1011);
    expect(world.server.readiness()).toEqual({ status: "not-ready", reasons: [{ code: "hellos-waiting", waiting: 1, longestMs: 4_000 }] });
    expect(await established.codeOf(established.publishing("any:1", 1, 1))).toBeUndefined();
    open("1");
    await world.settle();
    open("2");
    await world.settle();
    expect(world.server.readiness()).toEqual({ status: "ready" });
    expect(world.connect().closeCode).toBeUndefined();
  });

  it("ADM-3 tells each newcomer a time of its own, from 1 to 5 s", () => {
    const world = new World({ connectionsMax: 0 });
    const chances = [0, 0.5, 0.999];
    world.environment.random = () => chances.shift() ?? 0;
    const told = [world.connect(), world.connect(), world.connect()].map((peer) => peer.of("error")[0]?.error.retryAfterMs);
    expect(told).toEqual([1_000, 3_000, 4_996]);
  });

  it("ADM-1 does not start where nobody could be let in", () => {
    expect(() => new World({ hellosAtOnceMax: 0 })).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID", field: "hellosAtOnceMax" }));
    expect(() => new World({ hellosWaitingMax: Number.NaN })).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID", field: "hellosWaitingMax" }));
  });
});

const hello = (token: number) => ({ op: "hello", versions: [1], session: `newcomer-${token}`.padEnd(22, "-"), token: String(token) }) as const;

/** Those who say hello in one turn, nothing of which has come to its end. */
function crowd(world: World, count: number): Peer[] {
  const peers = Array.from({ length: count }, () => world.connect());
  peers.forEach((peer, index) => peer.send(hello(index)));
  return peers;
}

async function newcomers(world: World, count: number, from = 0): Promise<Peer[]> {
  const peers = Array.from({ length: count }, (_, index) => {
    const peer = world.connect();
    peer.send(hello(from + index));
    return peer;
  });
  await world.settle();
  return peers;
}

async function firstOf(world: World, open: (token: string) => void): Promise<Peer> {
  const [peer] = await newcomers(world, 1);
  open("0");
  await world.settle();
  if (peer === undefined) throw new Error("nobody came");
  return peer;
}

/** An application that takes its time: it names who shows a token when it is told to. */
function asking(options: ServerOptions) {
  const waiting = new Map<string, (user: User) => void>();
  const order: string[] = [];
  const world = new World({
    ...options,
    authenticate: ({ token = "" }) =>
      new Promise<User>((resolve) => {
        order.push(token);
        waiting.set(token, resolve);
      }),
  });
  return { world, asked: () => order, open: (token: string) => waiting.get(token)?.({ id: token }) };
}
