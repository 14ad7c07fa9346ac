import { describe, expect, it } from "vitest";
import { HeldMembers } from "../src/presence/presence-held.js";
import type { ToldChanges, ToldEntry } from "../src/presence/presence-messages.js";
import { PresenceNumbers } from "../src/presence/presence-numbers.js";
import { PresencePeer } from "../src/presence/presence-peer.js";

const entry = (session: string, state = "", ageMs = 0): ToldEntry => ({ member: { session, state, activity: "active", since: 1 }, ageMs });
const changes = (before: number, number: number, entered: readonly ToldEntry[], left: readonly string[] = []): ToldChanges => ({ channel: "room:1", before, number, entered, left });

/** What is held of a node, and whose entry changed. */
function holding({ membersMax = 10 } = {}) {
  const changed: string[] = [];
  const held = new HeldMembers({ membersMax, elapsed: () => 1_000, onChange: (session) => void changed.push(session) });
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

  it("PRE-8 are named in rounds, so many at a time, whatever changes meanwhile", () => {
    const numbers = new PresenceNumbers();
    expect(numbers.page(2)).toBeUndefined();
    for (const channel of ["a", "b", "c", "d", "e"]) numbers.advance(channel, false);
    const names = (): unknown => {
      const { page, isLast, numbers: named } = numbers.page(2)!;
      return [page, named.map(({ channel }) => channel).join(""), isLast];
    };
    expect([names(), names()]).toEqual([[0, "ab", false], [1, "cd", false]]);
    numbers.advance("a", true);
    numbers.advance("a", false);
    expect(names()).toEqual([2, "e", true]);
    expect([names(), names(), names()]).toEqual([[0, "bc", false], [1, "de", false], [2, "a", true]]);
  });

  it("PRE-8 come to the end of a round though channels come and go faster than they are named", () => {
    const numbers = new PresenceNumbers();
    for (const channel of ["a", "b", "c"]) numbers.advance(channel, false);
    const ends: boolean[] = [];
    for (let page = 0; page < 3; page++) {
      for (const channel of ["a", "b", "c"]) numbers.advance(`${channel}${page}`, false);
      ends.push(numbers.page(2)?.isLast === true);
    }
    expect(ends).toEqual([false, false, true]);
  });

  it("PRE-8 are named to their end where all members leave in the middle of a round", () => {
    const numbers = new PresenceNumbers();
    for (const channel of ["a", "b", "c"]) numbers.advance(channel, false);
    numbers.page(2);
    for (const channel of ["a", "b", "c"]) numbers.advance(channel, true);
    expect(numbers.page(2)).toMatchObject({ page: 1, isLast: true, numbers: [] });
    expect(numbers.page(2)).toBeUndefined();
  });
});

type Page = readonly [round: number, page: number, isLast: boolean, named: Readonly<Record<string, number>>];

describe("a heartbeat's numbers", () => {
  /** A node of which something is held in some channels. */
  function peerOf(sizes: Readonly<Record<string, number>>) {
    const peer = new PresencePeer(1);
    for (const [channel, number] of Object.entries(sizes)) {
      const { held } = holding();
      held.replace(number, [entry("s")]);
      peer.held.set(channel, held);
    }
    const page = (...[round, index, isLast, named]: Page): readonly string[] => {
      const numbers = Object.entries(named).map(([channel, number]) => ({ channel, number }));
      return peer.compare({ round, page: index, isLast, numbers }, (channel) => peer.held.get(channel));
    };
    return { peer, page };
  }

  it("PRE-8 tell what is missing, and nothing of what nobody here is interested in", () => {
    const { peer, page } = peerOf({ a: 4, b: 7, c: 9 });
    page(1, 0, true, { a: 5, b: 7, c: 8, d: 3 });
    expect(peer.missing()).toEqual(["a"]);
    peer.held.get("a")?.replace(5, []);
    expect(peer.missing()).toEqual([]);
  });

  it("PRE-8 tell at once of a channel of which nothing was known", () => {
    const { peer, page } = peerOf({});
    peer.held.set("a", holding().held);
    expect([page(1, 0, true, { a: 5 }), page(2, 0, true, { a: 5 }), peer.missing()]).toEqual([["a"], [], ["a"]]);
  });

  it("PRE-8 tell of a channel that no page of a whole round has named", () => {
    const { peer, page } = peerOf({ a: 1, b: 2, c: 3 });
    page(1, 0, false, { a: 1 });
    page(1, 1, true, { c: 3 });
    expect(peer.missing()).toEqual(["b"]);
  });

  it.each<[string, readonly Page[]]>([
    ["a page of it was lost", [[1, 0, false, { a: 1 }], [1, 2, true, { c: 3 }]]],
    ["its beginning was lost", [[1, 1, false, { b: 2 }], [1, 2, true, { c: 3 }]]],
    ["its end is another's", [[1, 0, false, { a: 1 }], [2, 1, true, { c: 3 }]]],
  ])("PRE-8 tell nothing of what a round did not name where %s", (_, pages) => {
    const { peer, page } = peerOf({ a: 1, b: 2, c: 3 });
    for (const each of pages) page(...each);
    expect(peer.missing()).toEqual([]);
  });

  it("PRE-8 tell, where there are none, that nobody is left", () => {
    const { peer } = peerOf({ a: 1 });
    expect(peer.compare(undefined, () => undefined)).toEqual([]);
    expect(peer.missing()).toEqual(["a"]);
    peer.settle("a");
    expect(peer.missing()).toEqual([]);
  });
});
