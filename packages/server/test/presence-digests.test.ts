import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PresenceDigest } from "../src/presence/presence-messages.js";
import { PresenceNodes, type Left, type PresenceNode } from "./support/presence-nodes.js";

const room = (index: number): string => `room:${index}`;
const onChannels = (topic: string): boolean => topic.startsWith("channel:");
const everywhere = (): boolean => true;
const nowhere = (): boolean => false;

/** One node owns a member in each of so many channels, and another one looks at all of them. Its heartbeats come before the owner's: it learns late. */
async function manyChannels(count: number, bounds: ConstructorParameters<typeof PresenceNodes>[0] = {}) {
  const nodes = new PresenceNodes(bounds);
  const watcher = nodes.start("watcher");
  const owner = nodes.start("owner");
  await nodes.beats(2);
  for (let index = 0; index < count; index++) watcher.look(room(index));
  await nodes.settle();
  for (let index = 0; index < count; index++) owner.enter(room(index), "ada", "1");
  await nodes.beats(3);
  watcher.told();
  owner.told();
  /** Does something of which nothing arrives on those topics. */
  const losing = async (topics: (topic: string) => boolean, act: () => void | Promise<void>): Promise<void> => {
    owner.link.losesBroadcast = topics;
    await act();
    await nodes.settle();
    owner.link.losesBroadcast = nowhere;
  };
  return { nodes, watcher, owner, losing };
}

/** What messages name of channels, each with how long it is. */
function digestsOf(told: readonly Left[]): (PresenceDigest & { readonly length: number })[] {
  return told.flatMap(({ message, length }) => {
    if (message.kind === "presence:changed") return [{ ...message, length }];
    return message.kind === "node:heartbeat" && message.presence !== undefined ? [{ ...message.presence, length }] : [];
  });
}

const namedIn = (told: readonly Left[]): string[] => digestsOf(told).flatMap(({ numbers }) => numbers.map(({ channel }) => channel));
const askedIn = (told: readonly Left[]): string[] => told.flatMap(({ message }) => (message.kind === "presence:ask" ? message.channels : []));
const kindsIn = (told: readonly Left[]): string[] => [...new Set(told.map(({ message }) => message.kind))];

describe("a lost change in one of 12,000 channels", () => {
  it("PRE-8 is found within two heartbeats, by messages that name it alone", async () => {
    const { nodes, watcher, owner, losing } = await manyChannels(12_000);
    await losing(onChannels, () => {
      owner.enter(room(7), "ada", "2");
      owner.leave(room(11_000), "ada");
    });
    expect([watcher.seen(room(7)), watcher.seen(room(11_000))]).toEqual([["ada1"], ["ada1"]]);
    await nodes.beats(2);
    expect([watcher.seen(room(7)), watcher.seen(room(11_000))]).toEqual([["ada2"], []]);
    const [asked, told] = [watcher.told(), owner.told()];
    expect([namedIn(told), askedIn(asked)]).toEqual([[room(7), room(11_000)], [room(7), room(11_000)]]);
    expect(Math.max(...[...asked, ...told].map(({ length }) => length))).toBeLessThan(500);
  }, 60_000);

  it("PRE-8 is found within two heartbeats where it is one of 6,000, in messages of a few kilobytes", async () => {
    const { nodes, watcher, owner, losing } = await manyChannels(12_000);
    const changed = Array.from({ length: 6_000 }, (_, index) => room(2 * index));
    await losing(onChannels, () => {
      for (const channel of changed) owner.enter(channel, "ada", "2");
      for (const channel of changed) owner.enter(channel, "bob", "1");
    });
    await nodes.beats(2);
    expect(changed.filter((channel) => watcher.seen(channel).join() !== "ada2,bob1")).toEqual([]);
    const told = owner.told();
    expect(namedIn(told)).toEqual(changed);
    expect(Math.max(...digestsOf(told).map(({ numbers }) => numbers.length))).toBe(128);
    expect(Math.max(...digestsOf(told).map(({ length }) => length))).toBeLessThan(8_000);
  }, 60_000);

  it("PRE-16 is all that is named, asked for and looked at: the others cost nothing", async () => {
    const { nodes, watcher, owner, losing } = await manyChannels(12_000);
    await nodes.beats(5);
    const [nobodys, quiet] = [watcher.told(), owner.told()];
    expect(kindsIn([...nobodys, ...quiet])).toEqual(["node:heartbeat"]);
    expect([digestsOf(nobodys), digestsOf(quiet).length, namedIn(quiet)]).toEqual([[], 5, []]);
    expect(Math.max(...quiet.map(({ length }) => length))).toBeLessThan(250);
    const sizes = await walkedSizes(async () => {
      await losing(onChannels, () => owner.enter(room(7), "ada", "2"));
      await nodes.beats(5);
    });
    expect(watcher.seen(room(7))).toEqual(["ada2"]);
    expect(sizes.length).toBeGreaterThan(0);
    expect(Math.max(...sizes)).toBeLessThan(100);
  }, 60_000);
});

/** How large the maps and sets are that are gone through meanwhile. */
async function walkedSizes(act: () => Promise<void>): Promise<readonly number[]> {
  const sizes: number[] = [];
  const restores: (() => void)[] = [];
  for (const prototype of [Map.prototype, Set.prototype]) {
    for (const name of ["entries", "keys", "values", "forEach", Symbol.iterator]) {
      const walk: unknown = Reflect.get(prototype, name);
      if (typeof walk !== "function") throw new Error(`cannot go through it by ${String(name)}`);
      const counted = function (this: { readonly size: number }, ...args: readonly unknown[]): unknown {
        sizes.push(this.size);
        return Reflect.apply(walk, this, args);
      };
      Object.defineProperty(prototype, name, { value: counted, writable: true, configurable: true });
      restores.push(() => void Object.defineProperty(prototype, name, { value: walk, writable: true, configurable: true }));
    }
  }
  try {
    await act();
  } finally {
    for (const restore of restores) restore();
  }
  return sizes;
}

describe("what heartbeats named", () => {
  it("PRE-7 is told behind none of them while no other node is known to live", async () => {
    const nodes = new PresenceNodes();
    const alone = nodes.start("alone");
    await nodes.beats(2);
    for (let index = 0; index < 500; index++) alone.enter(room(index), "ada", "1");
    alone.told();
    await nodes.beats(3);
    const told = alone.told();
    expect(told.map(({ message }) => message.kind)).toEqual(Array(3).fill("node:heartbeat"));
    expect(namedIn(told)).toHaveLength(128);
    const newcomer = nodes.start("newcomer");
    newcomer.look(room(300));
    await nodes.beats(2);
    expect(newcomer.seen(room(300))).toEqual(["ada1"]);
  });

  it("PRE-15 is asked for by who missed some, and found within three heartbeats", async () => {
    const { nodes, watcher, owner, losing } = await manyChannels(1_000);
    await losing(everywhere, async () => {
      for (const index of [3, 5, 7]) {
        owner.enter(room(index), "ada", "2");
        await nodes.beats(1);
      }
    });
    watcher.told();
    await nodes.beats(3);
    expect([3, 5, 7].map((index) => watcher.seen(room(index)))).toEqual([["ada2"], ["ada2"], ["ada2"]]);
    const asked = watcher.told();
    expect(askedIn(asked)).toEqual([room(3), room(5), room(7)]);
    expect(asked.filter(({ message }) => message.kind === "presence:since").map(({ topic }) => topic)).toEqual(["node:owner"]);
  });

  it("PRE-15 goes on where its first part came, and the others were lost", async () => {
    const { nodes, watcher, owner, losing } = await manyChannels(1_000, { presenceDigestMax: 10 });
    let count = 0;
    await losing(
      (topic) => onChannels(topic) || (topic === "nodes" && count++ > 0),
      async () => {
        for (let index = 0; index < 50; index++) owner.enter(room(index), "ada", "2");
        await nodes.beats(1);
      },
    );
    await nodes.beats(3);
    expect(Array.from({ length: 50 }, (_, index) => watcher.seen(room(index)).join())).toEqual(Array(50).fill("ada2"));
    // The first ten did not have to be named again.
    expect(namedIn(owner.told().filter(({ topic }) => topic === "node:watcher"))).toEqual(Array.from({ length: 40 }, (_, index) => room(10 + index)));
  });

  it("PRE-15 is asked for until it is told", async () => {
    const { nodes, watcher, owner, losing } = await manyChannels(100);
    await losing(everywhere, async () => {
      owner.enter(room(3), "ada", "2");
      await nodes.beats(1);
    });
    await losing((topic) => topic === "node:watcher", () => nodes.beats(4));
    expect(watcher.seen(room(3))).toEqual(["ada1"]);
    await nodes.beats(3);
    expect(watcher.seen(room(3))).toEqual(["ada2"]);
  });

  it("PRE-15 is forgotten one day, and then all is asked for", async () => {
    const { nodes, watcher, owner, losing } = await manyChannels(600);
    await losing(everywhere, async () => {
      owner.enter(room(3), "ada", "2");
      await nodes.beats(1);
    });
    // It does not hear who asks.
    owner.link.losesDelivery = (topic) => topic === "node:owner";
    for (let count = 0; count < 60; count++) {
      owner.enter(room(5), "ada", `${count}`);
      await nodes.beats(1);
    }
    expect(askedIn(watcher.told())).toEqual([]);
    for (let count = 0; count < 10; count++) {
      owner.enter(room(5), "ada", `${count}`);
      await nodes.beats(1);
    }
    expect(watcher.seen(room(3))).toEqual(["ada1"]);
    expect(new Set(askedIn(watcher.told())).size).toBe(600);
    owner.link.losesDelivery = nowhere;
    await nodes.beats(3);
    expect([watcher.seen(room(3)), watcher.seen(room(4)), watcher.seen(room(5))]).toEqual([["ada2"], ["ada1"], ["ada9"]]);
    watcher.told();
    await nodes.beats(5);
    expect(kindsIn(watcher.told())).toEqual(["node:heartbeat"]);
  });

  it("PRE-15 goes on over the lives of a node that was never missed", async () => {
    const { nodes, watcher, owner } = await manyChannels(100);
    owner.bus.incarnation++;
    // Told in a life that is not known yet.
    owner.enter(room(3), "ada", "2");
    await nodes.settle();
    expect(watcher.seen(room(3))).toEqual(["ada1"]);
    await nodes.beats(2);
    expect(watcher.seen(room(3))).toEqual(["ada2"]);
    expect(askedIn(watcher.told())).toEqual([room(3)]);
  });
});

describe("what comes later than the heartbeat that names it", () => {
  it("PRE-8 is not asked for", async () => {
    const { nodes, watcher, owner } = await manyChannels(1);
    const broadcast = owner.link.broadcast.bind(owner.link);
    const held: string[] = [];
    owner.link.broadcast = async (topic, message) => (onChannels(topic) ? void held.push(message) : broadcast(topic, message));
    owner.enter(room(0), "ada", "2");
    await nodes.beats(1);
    expect(watcher.seen(room(0))).toEqual(["ada1"]);
    for (const message of held) await broadcast(`channel:${room(0)}`, message);
    await nodes.beats(3);
    expect([watcher.seen(room(0)), askedIn(watcher.told())]).toEqual([["ada2"], []]);
  });
});

describe("what was asked for", () => {
  it.each([
    ["the question", (watcher: PresenceNode) => watcher],
    ["the answer", (_: PresenceNode, owner: PresenceNode) => owner],
  ])("PRE-15 is asked for again where %s was lost", async (_, whose) => {
    const { nodes, watcher, owner } = await manyChannels(1);
    owner.enter("room:unseen", "ada", "1");
    await nodes.beats(2);
    const { link } = whose(watcher, owner);
    link.losesBroadcast = (topic) => topic !== "nodes" || link === watcher.link;
    expect(watcher.seen("room:unseen")).toEqual([]);
    await nodes.settle();
    link.losesBroadcast = nowhere;
    expect(watcher.seen("room:unseen")).toEqual([]);
    await nodes.beats(2);
    expect(watcher.seen("room:unseen")).toEqual(["ada1"]);
  });

  it("PRE-15 is not settled by an answer to who looked here before", async () => {
    const { nodes, watcher, owner } = await manyChannels(1);
    owner.enter("room:again", "ada", "1");
    await nodes.beats(2);
    watcher.look("room:again");
    // The answer is on its way for long.
    const held: [string, string][] = [];
    const broadcast = owner.link.broadcast.bind(owner.link);
    owner.link.broadcast = async (topic, message) => (topic === "node:watcher" ? void held.push([topic, message]) : broadcast(topic, message));
    await nodes.settle();
    watcher.lookAway("room:again");
    await nodes.settle();
    owner.enter("room:again", "ada", "2");
    await nodes.beats(2);
    watcher.look("room:again");
    for (const [topic, message] of held.splice(0, 1)) await broadcast(topic, message);
    await nodes.settle();
    owner.link.broadcast = broadcast;
    await nodes.beats(3);
    expect(watcher.seen("room:again")).toEqual(["ada2"]);
  });
});

interface Step {
  readonly node: number;
  readonly channel: number;
  readonly act: "enter" | "update" | "leave" | "look" | "look away";
  readonly passBeats: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  node: fc.nat(2),
  channel: fc.nat(4),
  act: fc.constantFrom<Step["act"]>("enter", "update", "leave", "look", "look away"),
  passBeats: fc.constantFrom(0, 0, 0, 0.3, 1, 2),
});

describe("presence over a bus that loses", () => {
  it("PRE-13 is true at all nodes three heartbeats after the last loss, whatever that was", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.array(fc.boolean(), { minLength: 1, maxLength: 50 }), fc.boolean(), async (steps, losses, allLook) => {
        const nodes = new PresenceNodes({ presenceDigestMax: 2, presencePartMax: 2, nodeSilenceMsMax: 3_600_000 });
        const all = ["a", "b", "c"].map((name) => nodes.start(name));
        await nodes.beats(2);
        const truth = new Map(Array.from({ length: 5 }, (_, index) => [room(index), new Map<string, string>()]));
        if (allLook) for (const each of all) for (const channel of truth.keys()) each.look(channel);
        await nodes.settle();
        let broadcasts = 0;
        for (const { link } of all) link.losesBroadcast = () => losses[broadcasts++ % losses.length] === true;
        for (const [index, { node, channel, act, passBeats }] of steps.entries()) {
          take(all[node]!, act, room(channel), truth.get(room(channel))!, { session: `${node} `, state: `${index}` });
          await nodes.beats(passBeats);
        }
        for (const { link } of all) link.losesBroadcast = nowhere;
        await nodes.settle();
        await nodes.beats(3);
        for (const each of all) for (const channel of truth.keys()) each.look(channel);
        await nodes.settle();
        const there = [...truth].map(([channel, members]) => [channel, [...members].map((member) => member.join("")).toSorted()]);
        for (const each of all) expect([...truth.keys()].map((channel) => [channel, each.seen(channel)])).toEqual(there);
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});

/** Whoever owns members looks, too: a channel is not left while they are there. */
function take(node: PresenceNode, act: Step["act"], channel: string, truth: Map<string, string>, { session, state }: { session: string; state: string }): void {
  switch (act) {
    case "enter":
    case "update":
      if (act === "update" && !truth.has(session)) return;
      node.enter(channel, session, state);
      return void truth.set(session, state);
    case "leave":
      node.leave(channel, session);
      return void truth.delete(session);
    case "look":
      return void node.look(channel);
    case "look away":
      if (!truth.has(session)) node.lookAway(channel);
  }
}
