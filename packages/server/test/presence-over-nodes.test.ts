import { TuttiError } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { Neighbours, sessionOf } from "./support/neighbours.js";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { called, membersAt, nameOf, namesAt, newsOf, room, topic, two } from "./support/two-nodes.js";

const secret = "the-secret-of-a-session";

describe("the members of a channel", () => {
  it("PRE-7 are one list, of all nodes at each of them", async () => {
    const { here, there, enter, watcherAt } = await two();
    const [hither, thither] = [await watcherAt(here), await watcherAt(there)];
    const ada = await enter(here, "Ada");
    await enter(there, "Bob");
    expect([namesAt(here), namesAt(there)]).toEqual([["Ada", "Bob"], ["Ada", "Bob"]]);
    expect([newsOf(hither), newsOf(thither)]).toEqual([["join Ada", "join Bob"], ["join Ada", "join Bob"]]);
    expect(membersAt(there).find(({ session }) => session === sessionOf(ada))).toEqual(membersAt(here).find(({ session }) => session === sessionOf(ada)));
    await ada.ask({ op: "presence", channel: room });
    expect([namesAt(here), namesAt(there)]).toEqual([["Bob"], ["Bob"]]);
    expect(newsOf(thither).at(-1)).toBe("leave Ada");
  });

  it("PRE-7 are told at the end of the turn, each once, whatever happened in it", async () => {
    const { nodes, here, there, enter, watcherAt } = await two();
    const watcher = await watcherAt(there);
    const [ada, bob] = [await enter(here, "Ada"), await enter(here, "Bob")];
    const before = here.link.toldOn(topic, "presence:changes").length;
    watcher.forget();
    for (const name of ["a", "b", "c"]) ada.request({ op: "presence", channel: room, member: called(name) });
    ada.send({ op: "activity", activity: "idle" });
    bob.send({ op: "activity", activity: "idle" });
    await nodes.settle();
    expect(newsOf(watcher).toSorted()).toEqual(["update Bob", "update c"]);
    expect(here.link.toldOn(topic, "presence:changes").length - before).toBeLessThanOrEqual(2);
  });

  it("PRE-7 are told to nobody while no other node lives", async () => {
    const nodes = new Neighbours({ contract: rooms });
    const alone = await nodes.start();
    await nodes.advance(2_000);
    const [ada, watcher] = [await nodes.peerAt(alone), await nodes.peerAt(alone)];
    await watcher.subscribe(room, { presence: true });
    await ada.subscribe(room, { member: called("Ada") });
    ada.drop();
    await nodes.advance(20_000);
    expect(new Set(alone.link.told.map(({ topic: about }) => about))).toEqual(new Set(["nodes"]));
    expect(alone.link.told.every(({ message }) => message.includes(`"kind":"node:heartbeat"`))).toBe(true);
  });

  it("PRE-7 are known to a node that starts, and those of one that was alone", async () => {
    const nodes = new Neighbours({ contract: rooms });
    const first = await nodes.start();
    await nodes.advance(2_000);
    const ada = await nodes.peerAt(first);
    await ada.subscribe(room, { member: called("Ada") });
    ada.request({ op: "presence", channel: room, member: called("Ada L.") });
    const second = await nodes.start();
    const bob = await nodes.peerAt(second);
    await bob.subscribe(room, { member: called("Bob") });
    await nodes.settle();
    expect([namesAt(first), namesAt(second)]).toEqual([["Ada L.", "Bob"], ["Ada L.", "Bob"]]);
  });

  it("PRE-7 are of one list for the application, which asks by that", async () => {
    const { nodes, here, there, enter } = await two();
    await enter(here, "Ada");
    const reader = await nodes.peerAt(there);
    await reader.subscribe(room);
    await nodes.settle();
    expect(there.link.toldOn("nodes", "presence:ask")).toEqual([]);
    expect(membersAt(there)).toEqual([]);
    await nodes.settle();
    expect(namesAt(there)).toEqual(["Ada"]);
  });
});

describe("a change that the bus lost", () => {
  it("PRE-8 is found by the number of the next one", async () => {
    const { nodes, here, there, enter, watcherAt } = await two();
    const watcher = await watcherAt(there);
    await enter(here, "Ada");
    here.link.losesBroadcast = (about) => about === topic;
    await enter(here, "Bob");
    here.link.losesBroadcast = () => false;
    expect(namesAt(there)).toEqual(["Ada"]);
    await enter(here, "Cy");
    expect(namesAt(there)).toEqual(["Ada", "Bob", "Cy"]);
    expect(newsOf(watcher).toSorted()).toEqual(["join Ada", "join Bob", "join Cy"]);
    expect(there.link.toldOn(`node:${here.server.nodes()[0]?.id}`, "presence:ask")).toHaveLength(1);
    await nodes.advance(5_000);
    expect(there.link.toldOn(`node:${here.server.nodes()[0]?.id}`, "presence:ask")).toHaveLength(1);
  });

  it.each([
    ["the last to come", async (ada: Peer) => void (await ada.ask({ op: "presence", channel: room, member: called("Ada L.") })), ["Ada L."]],
    ["the last to leave", async (ada: Peer) => void (await ada.ask({ op: "presence", channel: room })), []],
  ])("PRE-8 of %s is found by a heartbeat", async (_, change, names) => {
    const { nodes, here, there, enter, watcherAt } = await two();
    await watcherAt(there);
    const ada = await enter(here, "Ada");
    await nodes.advance(2_000);
    here.link.losesBroadcast = (about) => about === topic;
    await change(ada);
    here.link.losesBroadcast = () => false;
    expect(namesAt(there)).toEqual(["Ada"]);
    await nodes.advance(2_000);
    expect(namesAt(there)).toEqual(names);
  });

  it("PRE-8 of the first member is found by a heartbeat", async () => {
    const { nodes, here, there, enter, watcherAt } = await two();
    await watcherAt(there);
    here.link.losesBroadcast = (about) => about === topic;
    await enter(here, "Ada");
    here.link.losesBroadcast = () => false;
    expect(namesAt(there)).toEqual([]);
    await nodes.advance(2_000);
    expect(namesAt(there)).toEqual(["Ada"]);
  });

  it("PRE-8 is asked for until it is answered", async () => {
    const { nodes, here, there, enter, watcherAt, pass } = await two();
    await watcherAt(there);
    const ada = await enter(here, "Ada");
    here.link.losesBroadcast = (about) => about !== "nodes";
    await enter(here, "Bob");
    await pass(4_000, ada);
    expect(namesAt(there)).toEqual(["Ada"]);
    here.link.losesBroadcast = () => false;
    await nodes.advance(2_000);
    expect(namesAt(there)).toEqual(["Ada", "Bob"]);
  });

  it("PRE-8 is found in the one of many channels, though a message names a few", async () => {
    const { nodes, here, there, pass } = await two({ presenceDigestMax: 4 });
    const [ada, watcher] = [await nodes.peerAt(here), await nodes.peerAt(there)];
    const channels = Array.from({ length: 21 }, (_, index) => `room:${index}`);
    for (const channel of channels) {
      await watcher.subscribe(channel, { presence: true });
      await ada.subscribe(channel, { member: called("Ada") });
    }
    await pass(3_000, ada, watcher);
    const namesIn = (id: string): unknown[] => membersAt(there, id).map(nameOf);
    here.link.losesBroadcast = (about) => about.startsWith("channel:");
    await ada.ask({ op: "presence", channel: "room:3" });
    await ada.ask({ op: "presence", channel: "room:17", member: called("Ada L.") });
    here.link.losesBroadcast = () => false;
    expect([namesIn("3"), namesIn("17")]).toEqual([["Ada"], ["Ada"]]);
    await pass(2_000, ada, watcher);
    expect([namesIn("3"), namesIn("17")]).toEqual([[], ["Ada L."]]);
    expect(channels.filter((channel) => namesIn(channel.slice("room:".length)).length === 0)).toEqual(["room:3"]);
  });

  it("PRE-8 is no hole where it only comes twice, late or in another order", async () => {
    const { nodes, here, there, enter, watcherAt } = await two();
    const watcher = await watcherAt(there);
    const ada = await enter(here, "Ada");
    here.link.losesBroadcast = (about) => about === topic;
    const lost = nodes.shared;
    const told: string[] = [];
    const broadcast = here.link.broadcast.bind(here.link);
    here.link.losesBroadcast = () => false;
    here.link.broadcast = async (about, message) => (about === topic ? void told.push(message) : broadcast(about, message));
    await ada.ask({ op: "presence", channel: room, member: called("1") });
    await ada.ask({ op: "presence", channel: room, member: called("2") });
    await ada.ask({ op: "presence", channel: room, member: called("3") });
    const [first = "", second = "", third = ""] = told;
    // The asks that the hole leads to are lost, so that it is what comes late that fills it.
    there.link.losesBroadcast = () => true;
    for (const message of [first, third, second, second, first, third]) {
      await lost.broadcast(topic, message);
      await nodes.settle();
    }
    expect(namesAt(there)).toEqual(["3"]);
    expect(newsOf(watcher)).toEqual(["join Ada", "update 1", "update 3"]);
  });
});

describe("a change that was not told", () => {
  it("PRE-8 because nobody seemed to be there, is found by who was there all the time", async () => {
    const { here, there, enter, watcherAt, pass } = await two();
    const watcher = await watcherAt(there);
    const ada = await enter(here, "Ada");
    const bob = await enter(here, "Bob");
    here.link.losesDelivery = () => true;
    await pass(7_000, watcher, ada, bob);
    expect(here.server.nodes()).toHaveLength(1);
    await ada.ask({ op: "presence", channel: room });
    expect(namesAt(there)).toEqual(["Ada", "Bob"]);
    here.link.losesDelivery = () => false;
    await pass(3_000, watcher, bob);
    expect(namesAt(there)).toEqual(["Bob"]);
  });
});

describe("the first list", () => {
  it("PRE-9 comes when all nodes that live have answered, and is complete", async () => {
    const { nodes, here, there, enter } = await two();
    await enter(here, "Ada");
    const watcher = await nodes.peerAt(there);
    const answer = here.link.holdNext("broadcast");
    await watcher.subscribe(room, { presence: true });
    await enter(there, "Bob");
    expect(watcher.of("presence")).toEqual([]);
    answer();
    await nodes.settle();
    expect(watcher.of("presence").map(({ members = [], complete }) => ({ names: members.map(nameOf).toSorted(), complete }))).toEqual([
      { names: ["Ada", "Bob"], complete: true },
    ]);
  });

  it("PRE-9 comes after 500 ms, whoever has not answered", async () => {
    const { nodes, here, there } = await two();
    here.link.losesBroadcast = (about) => about.startsWith("node:");
    const watcher = await nodes.peerAt(there);
    await watcher.subscribe(room, { presence: true });
    await nodes.advance(499);
    expect(watcher.of("presence").map(({ complete }) => complete)).toEqual([]);
    await nodes.advance(1);
    expect(watcher.of("presence").map(({ complete }) => complete)).toEqual([true]);
  });

  it("PRE-9 comes at once where everybody is known, and where nobody else lives", async () => {
    const { nodes, here, there, enter, watcherAt } = await two();
    await enter(here, "Ada");
    await watcherAt(there);
    const second = await nodes.peerAt(there);
    await second.subscribe(room, { presence: true });
    expect(second.of("presence")).toMatchObject([{ complete: true, members: [{ state: called("Ada") }] }]);
    await here.server.close();
    const alone = await nodes.peerAt(there);
    await alone.subscribe("room:2", { presence: true });
    expect(alone.of("presence").map(({ complete }) => complete)).toEqual([true]);
  });

  it("PRE-9 does not wait for a node that goes", async () => {
    const { nodes, here, there } = await two();
    here.link.losesBroadcast = (about) => about.startsWith("node:");
    const watcher = await nodes.peerAt(there);
    await watcher.subscribe(room, { presence: true });
    await nodes.settle();
    expect(watcher.of("presence").map(({ complete }) => complete)).toEqual([]);
    await here.server.close();
    await nodes.settle();
    expect(watcher.of("presence").map(({ complete }) => complete)).toEqual([true]);
  });

  it("PRE-9 waits at a node that has just started, and cannot know who there is", async () => {
    const nodes = new Neighbours({ contract: rooms });
    const node = await nodes.start();
    const watcher = await nodes.peerAt(node);
    await watcher.subscribe(room, { presence: true });
    await nodes.settle();
    expect(watcher.of("presence").map(({ complete }) => complete)).toEqual([]);
    await nodes.advance(500);
    expect(watcher.of("presence").map(({ complete }) => complete)).toEqual([true]);
  });

  it("PRE-9 brings who comes back to the channel no news of those who were there all the time", async () => {
    const { nodes, here, there, enter } = await two();
    await enter(here, "Ada");
    const before = await nodes.peerAt(here, { secret });
    const { position } = await before.subscribe(room, { presence: true });
    before.drop();
    const back = await nodes.peerAt(there, { secret });
    await back.subscribe(room, { presence: true, since: position });
    await nodes.settle();
    expect(back.of("presence")).toMatchObject([{ complete: true, members: [{ state: called("Ada") }] }]);
    await enter(here, "Bob");
    expect(newsOf(back)).toEqual(["join Bob"]);
  });

  it("PRE-9 comes though the broker did not listen at first", async () => {
    const { nodes, here, there, enter, pass } = await two();
    await enter(here, "Ada");
    const watcher = await nodes.peerAt(there);
    const before = there.linesOf("warn").length;
    const listen = there.link.listen.bind(there.link);
    there.link.listen = () => Promise.reject(new TuttiError("UNAVAILABLE"));
    for (const channel of [room, "room:2"]) await watcher.subscribe(channel, { presence: true });
    there.link.listen = listen;
    await pass(3_000, watcher);
    expect(namesAt(there)).toEqual(["Ada"]);
    expect(there.linesOf("warn").slice(before).filter((line) => line.includes("members"))).toHaveLength(1);
  });
});

describe("what is taken from another node", () => {
  it("PRE-12 is so many members of a channel at most, told in parts", async () => {
    const { nodes, here, there } = await two({ presenceMembersMax: 5, presencePartMax: 2, subscriptionsMax: 10 });
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    const peers = await Promise.all(names.map(() => nodes.peerAt(here)));
    for (const [index, peer] of peers.entries()) peer.request({ op: "subscribe", channel: room, member: called(names[index] ?? "") });
    await nodes.settle();
    const watcher = await nodes.peerAt(there);
    await watcher.subscribe(room, { presence: true });
    await nodes.settle();
    expect(namesAt(here)).toHaveLength(7);
    expect(namesAt(there)).toHaveLength(5);
    const answers = here.link.toldOn(`node:${there.server.nodes()[0]?.id}`, "presence:answer");
    expect(answers).toHaveLength(4);
    peers[0]?.send({ op: "bye" });
    peers[1]?.send({ op: "bye" });
    peers[2]?.send({ op: "bye" });
    await nodes.settle();
    const changes = here.link.toldOn(topic, "presence:changes").slice(-2);
    expect(changes.map((message) => Object(JSON.parse(message)).message.left.length)).toEqual([2, 1]);
    expect(namesAt(there).length).toBeLessThanOrEqual(4);
  });

  it("PRE-12 is whole in spite of its parts, whichever of them is lost", async () => {
    const { nodes, here, there, pass } = await two({ presencePartMax: 2 });
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) {
      const peer = await nodes.peerAt(here);
      await peer.subscribe(room, { member: called(name) });
    }
    let count = 0;
    here.link.losesBroadcast = (about) => about.startsWith("node:") && count++ === 1;
    const watcher = await nodes.peerAt(there);
    await watcher.subscribe(room, { presence: true });
    await nodes.settle();
    expect(namesAt(there)).toEqual([]);
    await pass(3_000, watcher);
    expect(namesAt(there)).toEqual(names);
  });
});

describe("nodes", () => {
  it("NODE-5 are told of by the server, with what is known of each", async () => {
    const { here, there } = await two();
    const since = 1_700_000_000_000;
    const [self, other] = here.server.nodes();
    expect([self, other]).toEqual([
      { id: self?.id, incarnation: 1, since, self: true },
      { id: there.server.nodes()[0]?.id, incarnation: 1, since, self: false },
    ]);
    expect(here.server.stats().nodes).toBe(2);
    await there.server.close();
    expect([here.server.nodes(), here.server.stats().nodes]).toEqual([[self], 1]);
  });
});
