import { memoryBroker, silentLog } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { Bus } from "../src/bus/bus.js";
import type { BusMessageOf } from "../src/bus/bus-messages.js";
import { PresenceAnswers, type OwnedList } from "../src/presence/presence-answers.js";
import { PresenceAsks, type AnsweredList } from "../src/presence/presence-asks.js";
import type { ToldMembers } from "../src/presence/presence-messages.js";
import { BrokerLink } from "./support/neighbours.js";
import { ManualEnvironment } from "./support/manual-environment.js";

const entry = (session: string) => ({ member: { session, activity: "active" as const, since: 1 }, ageMs: 0 });
const members = (channel: string, number: number, from: number, sessions: string, isWhole = true): ToldMembers => ({
  channel,
  number,
  from,
  isWhole,
  entries: Array.from(sessions, entry),
});
const answer = (part: number, isLast: boolean, ...lists: readonly ToldMembers[]): BusMessageOf<"presence:answer"> => ({
  kind: "presence:answer",
  ask: 1,
  part,
  isLast,
  at: 9,
  lists,
});

function link() {
  const environment = new ManualEnvironment();
  const broker = new BrokerLink(memoryBroker({ environment }));
  return { broker, bus: new Bus({ node: "here", environment, broker, log: silentLog }) };
}

/** Asks that were sent, and what came of them. */
function asking(...channels: readonly string[]) {
  const { broker, bus } = link();
  const heard: string[] = [];
  const listener = {
    listed: (node: string, { channel, number, at, entries }: AnsweredList) =>
      void heard.push(`${node} ${channel} ${number}/${at} ${entries.map(({ member }) => member.session).join("")}`),
    answered: (node: string, of: Iterable<string>) => void heard.push(`${node} has answered for ${[...of].join("")}`),
  };
  const asks = new PresenceAsks({ bus, membersMax: 3, listener });
  for (const channel of channels) asks.want("nodes", channel);
  asks.send(10);
  return { broker, asks, heard };
}

describe("an answer of another node", () => {
  it("PRE-8 is taken in its parts, and says of what it leaves out that nobody is there", () => {
    const { asks, heard } = asking("a", "b", "c");
    asks.take("x", answer(0, false, members("a", 4, 0, "s"), members("c", 6, 0, "tu", false)));
    asks.take("x", answer(1, true, members("c", 6, 2, "v")));
    expect(heard).toEqual(["x a 4/9 s", "x c 6/9 tuv", "x b 9/9 ", "x has answered for abc"]);
  });

  it.each([
    ["was not asked for", [answer(0, true, members("z", 4, 0, "s"))]],
    ["does not begin with its beginning", [answer(1, true, members("a", 4, 0, "s"))]],
    ["lacks a part", [answer(0, false), answer(2, true, members("a", 4, 0, "s"))]],
    ["goes on with a list that was not begun", [answer(0, true, members("a", 4, 2, "s"))]],
    ["goes on with another list", [answer(0, false, members("a", 4, 0, "s", false)), answer(1, true, members("a", 5, 1, "t"))]],
    ["goes on elsewhere in the list", [answer(0, false, members("a", 4, 0, "s", false)), answer(1, true, members("a", 4, 2, "t"))]],
    ["is of another ask", [{ ...answer(0, true, members("a", 4, 0, "s")), ask: 7 }]],
  ])("PRE-8 is none where it %s", (_, parts) => {
    const { asks, heard } = asking("a");
    for (const part of parts) asks.take("x", part);
    asks.take("x", answer(parts.length, true));
    expect(heard).toEqual([]);
  });

  it("PRE-8 is taken once, though it comes twice", () => {
    const { asks, heard } = asking("a");
    for (let count = 0; count < 2; count++) for (const part of [answer(0, false, members("a", 4, 0, "s")), answer(1, true)]) asks.take("x", part);
    expect(heard).toEqual(["x a 4/9 s", "x has answered for a"]);
  });

  it("PRE-8 is waited for over three heartbeats", () => {
    const { asks, heard } = asking("a");
    asks.beat();
    asks.beat();
    asks.take("x", answer(0, true));
    asks.beat();
    asks.take("y", answer(0, true));
    expect(heard).toEqual(["x a 9/9 ", "x has answered for a"]);
  });

  it("PRE-12 is kept up to the bound, however long its lists are", () => {
    const { asks, heard } = asking("a");
    asks.take("x", answer(0, false, members("a", 4, 0, "st", false)));
    asks.take("x", answer(1, true, members("a", 4, 2, "uvw")));
    expect(heard[0]).toBe("x a 4/9 stu");
  });
});

describe("asking", () => {
  it("PRE-12 goes in messages of 256 channels, so many in a turn", () => {
    const { broker, bus } = link();
    const asks = new PresenceAsks({ bus, membersMax: 3, listener: { listed: () => {}, answered: () => {} } });
    for (let index = 0; index < 600; index++) asks.want("nodes", `room:${index}`);
    for (let index = 0; index < 600; index++) asks.want("nodes", `room:${index}`);
    expect([asks.send(2), asks.send(2), asks.send(2)]).toEqual([true, false, false]);
    expect(broker.toldOn("nodes", "presence:ask").map((message) => Object(JSON.parse(message)).message.channels.length)).toEqual([256, 256, 88]);
  });
});

describe("answering", () => {
  it("PRE-12 goes in parts, so many in a turn, of what there was when it began", () => {
    const { broker, bus } = link();
    let owned: readonly OwnedList[] = ["abc", "de"].map((sessions, index) => ({
      channel: `room:${index}`,
      number: 1,
      entries: Array.from(sessions, (session) => ({ member: entry(session).member, actedAt: 0 })),
    }));
    const answers = new PresenceAnswers({ bus, partMax: 2, elapsed: () => 5, look: () => ({ at: 1, lists: owned }) });
    answers.owe("there", { kind: "presence:ask", ask: 1, channels: ["room:0", "room:1"] });
    expect(answers.send(2)).toBe(true);
    owned = [];
    expect(answers.send(2)).toBe(false);
    const parts = broker.toldOn("node:there", "presence:answer").map((message): ReturnType<typeof answer> => Object(JSON.parse(message)).message);
    expect(parts.map(({ part, isLast }) => [part, isLast])).toEqual([[0, false], [1, false], [2, true]]);
    expect(parts.map(({ lists }) => lists.map(({ channel, from, isWhole, entries }) => `${channel} ${from} ${entries.length}${isWhole ? " whole" : ""}`))).toEqual([
      ["room:0 0 2"],
      ["room:0 2 1 whole", "room:1 0 1"],
      ["room:1 1 1 whole"],
    ]);
    expect(parts[0]?.lists[0]?.entries[0]?.ageMs).toBe(5);
  });

  it("PRE-12 remembers so many asks; who is not answered asks again", () => {
    const { broker, bus } = link();
    const answers = new PresenceAnswers({ bus, partMax: 2, elapsed: () => 0, look: () => ({ at: 1, lists: [] }) });
    for (let ask = 0; ask < 2_000; ask++) answers.owe("there", { kind: "presence:ask", ask, channels: [] });
    expect(answers.send(10_000)).toBe(false);
    expect(broker.toldOn("node:there", "presence:answer")).toHaveLength(1_024);
  });
});
