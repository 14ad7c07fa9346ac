import { describe, expect, it } from "vitest";
import type { LoggedEvent } from "@tutti/server";
import { audit } from "./chaos/audit.js";
import type { Fate, Guest, Sighting } from "./chaos/guest.js";
import { kindsOf, faultKinds } from "./chaos/fault.js";
import { RandomStream } from "@tutti/testkit";

const epoch = "e1";
const at = (seq: number, id: string, in_ = epoch): Sighting => ({ epoch: in_, seq, id });
const ack = (seq: number, in_ = epoch): Fate => ({ position: { epoch: in_, seq } });
const feedOf = (...ids: string[]) => ({
  epoch,
  events: ids.map((id, index): LoggedEvent => ({ seq: index + 1, prev: index, eventId: id, type: "item:add", payload: { id }, timestamp: 0 })),
});

interface Account {
  readonly name?: string;
  readonly seen?: readonly Sighting[];
  readonly fates?: Readonly<Record<string, Fate>>;
  readonly boardFates?: Readonly<Record<string, Fate>>;
  readonly counts?: Readonly<Record<string, number>>;
  readonly strays?: readonly string[];
}

/** What a guest says of a round. */
function guest({ name = "ada", seen = [], fates = {}, boardFates = {}, counts = {}, strays = [] }: Account = {}): Guest {
  const tally = { position: undefined, state: { counts, strays } };
  const account = { name, seen, last: seen.at(-1), feedFates: new Map(Object.entries(fates)), boardFates: new Map(Object.entries(boardFates)), tally: () => tally };
  return account as unknown as Guest;
}

const violationsOf = (guests: readonly Guest[], feed = feedOf(), mayLose = false) => audit([{ name: "room", guests, feed }], mayLose).violations;

/** What two see who see all. */
const all = [at(1, "ada-0"), at(2, "bob-0")];
const published = { "ada-0": ack(1) };
const feed = feedOf("ada-0", "bob-0");

describe("what is found in a round of a cluster with faults", () => {
  it("INV-1 INV-2 INV-3 is nothing where everybody saw everything once, and every acknowledgement is kept", () => {
    const guests = [guest({ seen: all, fates: published }), guest({ name: "bob", seen: all, fates: { "bob-0": ack(2) } })];
    const findings = audit([{ name: "room", guests, feed }], false);
    expect(findings).toEqual({ violations: [], acknowledged: 2, lost: 0, deliveries: 4, gaps: 0 });
  });

  it.each([
    ["INV-1", "was acknowledged", guest({ seen: all, fates: { "ada-0": ack(1), "ada-1": ack(3) } })],
    ["INV-1", "was acknowledged", guest({ seen: all, fates: { "ada-0": ack(2) } })],
    ["INV-1", "has counted 1 of ada, who has 2", guest({ seen: all, boardFates: { "ada-0": ack(1), "ada-1": ack(2) }, counts: { ada: 1 } })],
    ["INV-1", "has counted 2 of ada, who has 1", guest({ seen: all, boardFates: { "ada-0": ack(1), "ada-1": "refused" }, counts: { ada: 2 } })],
    ["INV-2", "and nothing between", guest({ seen: [at(1, "ada-0"), at(3, "cy-0")] })],
    ["INV-2", "and somebody else", guest({ seen: [at(1, "ada-0"), at(2, "cy-0")] })],
    ["INV-2", "and no gap", guest({ seen: [at(9, "ada-0", "e0"), ...all] })],
    ["INV-2", "though nothing was lost", guest({ seen: ["gap", ...all] })],
    ["INV-3", "after 2", guest({ seen: [...all, at(1, "ada-0"), at(2, "bob-0")] })],
    ["INV-3", "twice", guest({ seen: [at(1, "ada-0"), "gap", at(1, "ada-0"), at(2, "bob-0")] })],
    ["INV-4", "was refused, and is in the log", guest({ seen: all, fates: { "ada-0": "refused" } })],
    ["INV-5", "nothing became of ada-7", guest({ seen: all, fates: { "ada-7": "open" } })],
    ["INV-5", "is not at the head", guest({ seen: [at(1, "ada-0")] })],
    ["INV-8", "came out of turn", guest({ seen: all, strays: ["ada-3"] })],
  ] as const)("%s is told where something %s", (rule, what, one) => {
    const witness = guest({ name: "bob", seen: [...all, at(3, "cy-0")], counts: one.tally().state.counts, strays: one.tally().state.strays });
    const isSeen = (violation: string): boolean => violation.includes(rule) && violation.includes(what);
    // What the log does not have, somebody saw.
    const guests = what === "and nothing between" ? [one, witness] : [one];
    expect(violationsOf(guests, what === "and nothing between" ? feedOf("ada-0", "bob-0", "cy-0") : feed).some(isSeen)).toBe(true);
  });

  it("INV-4, INV-8 are told where the log has something twice, or a publisher's events out of their order", () => {
    expect(violationsOf([guest({ seen: [at(1, "ada-0"), at(2, "ada-0")] })], feedOf("ada-0", "ada-0")).join()).toMatch(/INV-4: ada-0 is in the log twice/);
    expect(violationsOf([guest({ seen: [at(1, "ada-1"), at(2, "ada-0")] })], feedOf("ada-1", "ada-0")).join()).toMatch(/INV-8: ada-0 is behind ada-1/);
  });

  it("INV-5 is told where two see different boards", () => {
    const guests = [guest({ seen: all, counts: { ada: 0 } }), guest({ name: "bob", seen: all })];
    expect(violationsOf(guests, feed).join()).toMatch(/INV-5: the board is not the same/);
  });

  it("INV-1, INV-2 allow what was acknowledged to be gone, and a new epoch after a gap, where Redis was made to lose something", () => {
    const seen: readonly Sighting[] = [at(7, "ada-0", "e0"), "gap", ...all];
    const findings = audit([{ name: "room", guests: [guest({ seen, fates: { "ada-7": ack(8, "e0") } })], feed }], true);
    expect(findings).toMatchObject({ violations: [], lost: 1, gaps: 1 });
    expect(violationsOf([guest({ seen: seen.filter((each) => each !== "gap") })], feed, true)).not.toEqual([]);
  });
});

describe("the faults of a round", () => {
  it("are all seen in so many rounds as there are kinds, and the same for the same seed", () => {
    const kinds = (seed: number) => faultKinds.map((_, round) => kindsOf(round, new RandomStream(seed, "round")));
    expect(new Set(kinds(1).flat())).toEqual(new Set(faultKinds));
    expect(kinds(1)).toEqual(kinds(1));
    expect(kinds(1).every((each) => new Set(each).size === each.length)).toBe(true);
  });
});
