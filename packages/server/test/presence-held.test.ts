import { describe, expect, it } from "vitest";
import { HeldMembers } from "../src/presence/presence-held.js";
import type { ToldChanges, ToldEntry } from "../src/presence/presence-messages.js";
import { PresenceNumbers } from "../src/presence/presence-numbers.js";
import { PresencePeer } from "../src/presence/presence-peer.js";

const entry = (session: string, state = "", ageMs = 0): ToldEntry => ({ member: { session, state, activity: "active", since: 1 }, ageMs });
const changes = (before: number, number: number, entered: readonly ToldEntry[], left: readonly string[] = []): ToldChanges => ({ channel: "room:1", before, number, entered, left });

/** What is held of a node, and whose entry changed. */
function holding({ membersMax = 10, emptyUpTo = 0 } = {}) {
  const changed: string[] = [];
  const held = new HeldMembers({ membersMax, emptyUpTo, elapsed: () => 1_000, onChange: (session) => void changed.push(session) });
  const seen = (...sessions: readonly string[]): unknown[] => sessions.map((session) => held.get(session)?.member.state);
  return { held, changed, seen };
}

describe("what is held of another node", () => {
  it("PRE-8 follows its numbers, and passes over what comes again", () => {
    const { held, changed, seen } = holding();
    const first = changes(0, 3, [entry("a", "1")]);
    held.take(first);
    held.take(changes(3, 7, [entry("b", "1")], ["a"]));
    held.take(first);
    expect([seen("a", "b"), held.number, held.lacks]).toEqual([[undefined, "1"], 7, undefined]);
    expect(changed).toEqual(["a", "b"].flatMap((session) => (session === "a" ? ["a", "a"] : ["b"])));
  });

  it("PRE-8 waits with what comes behind a hole until that is filled, and says what it lacks", () => {
    const { held, seen } = holding();
    held.take(changes(0, 1, [entry("a", "1")]));
    held.take(changes(2, 3, [entry("a", "3")]));
    held.take(changes(3, 4, [entry("b", "4")]));
    expect([seen("a", "b"), held.lacks]).toEqual([["1", undefined], 4]);
    held.take(changes(1, 2, [entry("a", "2")]));
    expect([seen("a", "b"), held.number, held.lacks]).toEqual([["3", "4"], 4, undefined]);
  });

  it("PRE-8 takes the whole for what was missed, and what is behind it after it", () => {
    const { held, seen } = holding();
    held.take(changes(0, 1, [entry("a", "1"), entry("gone", "1")]));
    held.take(changes(5, 6, [entry("b", "6")]));
    held.replace(5, [entry("a", "5")]);
    expect([seen("a", "b", "gone"), held.number, held.lacks]).toEqual([["5", "6", undefined], 6, undefined]);
    held.take(changes(8, 9, []));
    held.replace(7, [entry("a", "7")]);
    expect([held.number, held.lacks]).toEqual([7, 9]);
  });

  it("PRE-8 does not go back to a whole that is older than what is known", () => {
    const { held, seen } = holding();
    held.take(changes(0, 1, [entry("a", "1")]));
    held.take(changes(1, 2, [entry("a", "2")]));
    held.replace(1, [entry("a", "1"), entry("b", "1")]);
    expect([seen("a", "b"), held.number]).toEqual([["2", undefined], 2]);
  });

  it("PRE-8 knows that everybody had left before a change that is the first again", () => {
    const { held, changed, seen } = holding();
    held.take(changes(0, 1, [entry("a", "1")]));
    held.take(changes(0, 9, [entry("b", "9")]));
    expect([seen("a", "b"), held.number]).toEqual([[undefined, "9"], 9]);
    expect(changed).toEqual(["a", "a", "b"]);
    held.take(changes(0, 1, [entry("a", "1")]));
    expect(seen("a", "b")).toEqual([undefined, "9"]);
  });

  it("PRE-8 passes over what comes late of a time of which it is known that nobody is left", () => {
    const { held, seen } = holding({ emptyUpTo: 5 });
    held.take(changes(0, 4, [entry("a", "4")]));
    expect([held.number, seen("a")]).toEqual([5, [undefined]]);
    held.take(changes(0, 7, [entry("a", "7")]));
    expect([held.number, held.lacks, seen("a")]).toEqual([7, undefined, ["7"]]);
  });

  it("PRE-8 holds so many changes behind a hole, and lacks what it cannot hold", () => {
    const { held, seen } = holding();
    held.take(changes(0, 1, [entry("a", "1")]));
    for (let number = 3; number < 400; number++) held.take(changes(number - 1, number, [entry("a", `${number}`)]));
    held.replace(2, [entry("a", "2")]);
    expect([seen("a"), held.lacks]).toEqual([["2"], 399]);
    held.replace(399, [entry("a", "399")]);
    expect([seen("a"), held.lacks]).toEqual([["399"], undefined]);
  });

  it("PRE-12 is so many members, however they come; who is there already changes", () => {
    const { held, seen } = holding({ membersMax: 2 });
    held.replace(1, ["a", "b", "c"].map((session) => entry(session, "1")));
    held.take(changes(1, 2, [entry("a", "2"), entry("d", "2")]));
    expect([held.size, seen("a", "b", "c", "d")]).toEqual([2, ["2", "1", undefined, undefined]]);
    held.take(changes(2, 3, [entry("d", "3")], ["b"]));
    expect(seen("a", "b", "d")).toEqual(["2", undefined, "3"]);
  });

  it("PRE-11 counts the age of what a member did back on the own clock", () => {
    const { held } = holding();
    held.replace(1, [entry("a", "1", 400)]);
    expect(held.get("a")?.actedAt).toBe(600);
  });
});

describe("the numbers of a node", () => {
  it("PRE-8 rise over all channels, and begin at 0 where nobody was", () => {
    const numbers = new PresenceNumbers();
    expect([numbers.advance("a", false), numbers.advance("b", false), numbers.advance("a", true), numbers.advance("a", false)]).toEqual([
      { before: 0, number: 1 },
      { before: 0, number: 2 },
      { before: 1, number: 3 },
      { before: 0, number: 4 },
    ]);
    expect([numbers.of("a"), numbers.of("b"), numbers.of("c"), numbers.last]).toEqual([4, 2, 0, 4]);
  });

  /** What heartbeats name from now on, as `after-upTo: channels`. */
  function naming(channelsMax: number) {
    const numbers = new PresenceNumbers();
    const told = (from: number): string[] =>
      [...numbers.since(from, channelsMax)].map(({ after, upTo, numbers: named }) => `${after}-${upTo}: ${named.map(({ channel, number }) => `${channel}${number}`).join(" ")}`);
    const beat = (): string[] => told(numbers.close());
    const change = (channels: string): void => void Array.from(channels, (channel) => numbers.advance(channel, false));
    return { numbers, told, beat, change };
  }

  it("PRE-8 are named once after they changed, the last of each channel, so many in a message", () => {
    const { numbers, beat, change } = naming(2);
    change("abcab");
    expect(beat()).toEqual(["0-4: c3 a4", "4-5: b5"]);
    expect(beat()).toEqual(["5-5: "]);
    numbers.advance("a", true);
    expect(beat()).toEqual(["5-6: a6"]);
    change("bc");
    expect(beat()).toEqual(["6-8: b7 c8"]);
  });

  it("PRE-15 are named again from where somebody was", () => {
    const { numbers, beat, told, change } = naming(2);
    for (const channels of ["abc", "ad", "a"]) {
      change(channels);
      beat();
    }
    // Not named before the next heartbeat.
    change("e");
    expect(told(0)).toEqual(["0-2: a1 b2", "2-3: c3", "3-5: a4 d5", "5-6: a6"]);
    expect(told(2)).toEqual(["2-3: c3", "3-5: a4 d5", "5-6: a6"]);
    expect(told(4)).toEqual(["4-5: d5", "5-6: a6"]);
    expect(told(6)).toEqual(["6-6: "]);
    expect([numbers.namedUpTo, numbers.last]).toEqual([6, 7]);
  });

  it("PRE-15 are forgotten after 64 heartbeats that named something, and it is said which", () => {
    const { numbers, beat, told, change } = naming(9);
    for (let count = 0; count < 70; count++) {
      change("a");
      beat();
      beat();
    }
    expect(told(0)).toHaveLength(64);
    expect(told(0)[0]).toBe("6-7: a7");
    expect(numbers.since(0, 9).next().value).toMatchObject({ forgottenUpTo: 6 });
  });

  it("PRE-15 are remembered of so many channels in all", () => {
    const { numbers, told } = naming(1_000_000);
    for (let beat = 0; beat < 3; beat++) {
      for (let index = 0; index < 30_000; index++) numbers.advance(`${beat}:${index}`, false);
      numbers.close();
    }
    expect(told(0)).toHaveLength(2);
    expect(numbers.since(0, 1).next().value).toMatchObject({ forgottenUpTo: 30_000, after: 30_000 });
    for (let index = 0; index < 65_537; index++) numbers.advance(`more:${index}`, false);
    numbers.advance("the last", false);
    expect(numbers.since(numbers.close(), 9).next().value).toEqual({
      forgottenUpTo: 155_537,
      after: 155_537,
      upTo: 155_538,
      numbers: [{ channel: "the last", number: 155_538 }],
    });
  });
});

describe("what a node names", () => {
  /** A node of which something is held in some channels, and that has named all up to a number. */
  function peerOf(sizes: Readonly<Record<string, number>>, knownUpTo: number) {
    const peer = new PresencePeer(knownUpTo);
    for (const [channel, number] of Object.entries(sizes)) {
      const { held } = holding();
      held.replace(number, [entry("s")]);
      peer.held.set(channel, held);
    }
    const take = (after: number, upTo: number, named: Readonly<Record<string, number>> = {}, forgottenUpTo = 0): void => {
      const numbers = Object.entries(named).map(([channel, number]) => ({ channel, number }));
      peer.take({ forgottenUpTo, after, upTo, numbers }, (channel) => channel !== "unseen");
    };
    return { peer, take };
  }

  it("PRE-8 tells what is missing, also where nothing is held, and nothing of what nobody here is interested in", () => {
    const { peer, take } = peerOf({ a: 4, b: 7, c: 9 }, 3);
    take(3, 9, { a: 5, b: 7, c: 8, d: 6, unseen: 9 });
    expect([peer.beat(), peer.lag, peer.knownUpTo]).toEqual([["a", "d"], "none", 9]);
    peer.settle("a", 5);
    peer.settle("d", 5);
    expect([peer.beat(), peer.beat()]).toEqual([[], ["d"]]);
    peer.settle("d", 6);
    expect([peer.beat(), peer.beat()]).toEqual([[], []]);
  });

  it("PRE-15 is asked for every other heartbeat, and not in the one that follows a question", () => {
    const { peer } = peerOf({}, 3);
    peer.miss("a");
    expect(peer.lack("b", 5)).toBe(true);
    expect(peer.lack("b", 6)).toBe(false);
    expect([peer.beat(), peer.beat(), peer.beat(), peer.beat()]).toEqual([[], ["a", "b"], [], ["a", "b"]]);
    peer.settle("a", 2);
    peer.settle("b", 5);
    expect([peer.beat(), peer.beat()]).toEqual([[], ["a", "b"]]);
    peer.settle("a", 3);
    peer.forget("b");
    expect([peer.beat(), peer.beat()]).toEqual([[], []]);
  });

  it("PRE-15 is missed where a part of it is, until that is there or forgotten", () => {
    const { peer, take } = peerOf({ a: 4 }, 4);
    take(6, 8, { a: 8 });
    expect([peer.lag, peer.knownUpTo, peer.beat()]).toEqual(["missed", 4, ["a"]]);
    take(4, 6, { b: 5 });
    expect([peer.lag, peer.knownUpTo]).toEqual(["missed", 6]);
    take(6, 8, { a: 8 });
    expect([peer.lag, peer.knownUpTo]).toEqual(["none", 8]);
    take(9, 9);
    take(12, 12, {}, 8);
    expect(peer.lag).toBe("missed");
    take(12, 12, {}, 9);
    expect(peer.lag).toBe("forgotten");
    peer.startOver();
    expect([peer.lag, peer.knownUpTo]).toEqual(["none", 12]);
  });

  it("PRE-15 is not taken back by what comes late or twice", () => {
    const { peer, take } = peerOf({}, 4);
    take(4, 8, { a: 8 });
    take(4, 6, { b: 6 });
    take(0, 3, { c: 3 });
    expect([peer.lag, peer.knownUpTo, peer.beat()]).toEqual(["none", 8, ["a"]]);
    expect([peer.emptyUpTo("a"), peer.emptyUpTo("b")]).toEqual([0, 8]);
  });
});
