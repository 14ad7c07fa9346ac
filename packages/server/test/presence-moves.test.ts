import { describe, expect, it } from "vitest";
import type { Peer } from "./support/peer.js";
import { called, membersAt, namesAt, newsOf, room, topic, two } from "./support/two-nodes.js";

const secret = "the-secret-of-a-session";

describe("the members of a node that is gone", () => {
  it("PRE-10 leave everywhere at once where it fell silent", async () => {
    const { nodes, here, there, enter, watcherAt, pass } = await two();
    const watcher = await watcherAt(there);
    await enter(here, "Ada");
    await enter(there, "Bob");
    here.link.cut();
    await pass(4_500, watcher);
    expect(newsOf(watcher)).toEqual(["join Ada", "join Bob"]);
    await pass(2_500, watcher);
    expect(newsOf(watcher)).toEqual(["join Ada", "join Bob", "leave Ada"]);
    await nodes.settle();
    expect(there.server.nodes()).toMatchObject([{ self: true }]);
  });

  it("PRE-10 are there again when it comes back in a new life, and nothing of the old one is believed", async () => {
    const { here, there, enter, watcherAt, pass } = await two();
    const watcher = await watcherAt(there);
    const ada = await enter(here, "Ada");
    here.link.cut();
    await pass(7_000, watcher, ada);
    expect(namesAt(there)).toEqual([]);
    const stale = { channel: room, before: 0, number: 99, entered: [{ member: { session: "x", activity: "active", since: 1 }, ageMs: 0 }], left: [] };
    const { id } = here.server.nodes()[0] ?? { id: "" };
    await there.link.inner.broadcast(topic, JSON.stringify({ node: id, incarnation: 1, message: { kind: "presence:changes", ...stale } }));
    expect(namesAt(there)).toEqual([]);
    here.link.losesBroadcast = here.link.losesDelivery = () => false;
    await pass(3_000, watcher, ada);
    expect(there.server.nodes().find((node) => node.id === id)?.incarnation).toBe(2);
    expect(namesAt(there)).toEqual(["Ada"]);
    await there.link.inner.broadcast(topic, JSON.stringify({ node: id, incarnation: 1, message: { kind: "presence:changes", ...stale } }));
    expect(namesAt(there)).toEqual(["Ada"]);
    expect(newsOf(watcher)).toEqual(["join Ada", "leave Ada", "join Ada"]);
  });

  it("PRE-10 are there again at once when it comes back, in however many channels", async () => {
    const { nodes, here, there, pass } = await two({ presenceDigestMax: 1 });
    const [ada, watcher] = [await nodes.peerAt(here), await nodes.peerAt(there)];
    for (const id of ["1", "2", "3", "4", "5"]) {
      await ada.subscribe(`room:${id}`, { member: called("Ada") });
      await watcher.subscribe(`room:${id}`, { presence: true });
    }
    here.link.cut();
    await pass(7_000, watcher, ada);
    const roomsOfAda = (): string[] => ["1", "2", "3", "4", "5"].filter((id) => membersAt(there, id).length > 0);
    expect(roomsOfAda()).toEqual([]);
    here.link.losesBroadcast = here.link.losesDelivery = () => false;
    await pass(2_000, watcher, ada);
    expect(roomsOfAda()).toEqual(["1", "2", "3", "4", "5"]);
  });

  it("PRE-10 are away for a while where it said goodbye, and come back elsewhere unnoticed", async () => {
    const { nodes, here, there, enter, watcherAt, pass } = await two();
    const watcher = await watcherAt(there);
    await enter(here, "Ada", { secret });
    await enter(here, "Bob");
    watcher.forget();
    await here.server.close();
    await nodes.settle();
    expect(there.server.nodes()).toMatchObject([{ self: true }]);
    expect(namesAt(there)).toEqual(["Ada away", "Bob away"]);
    await pass(2_000, watcher);
    const ada = await enter(there, "Ada", { secret });
    await pass(20_000, watcher, ada);
    expect(newsOf(watcher)).toEqual(["update Ada away", "update Bob away", "update Ada", "leave Bob away"]);
    expect(namesAt(there)).toEqual(["Ada"]);
  });

  it("PRE-10 leave at once where they said bye before it went", async () => {
    const { nodes, here, there, enter, watcherAt } = await two();
    const watcher = await watcherAt(there);
    const ada = await enter(here, "Ada");
    ada.send({ op: "bye" });
    await here.server.close();
    await nodes.settle();
    expect(newsOf(watcher)).toEqual(["join Ada", "leave Ada"]);
  });
});

describe("a session that moves", () => {
  it("PRE-11 is seen neither to leave nor to join, by whoever looks wherever", async () => {
    const { nodes, here, there, enter, watcherAt, pass } = await two();
    const [hither, thither] = [await watcherAt(here), await watcherAt(there)];
    const before = await enter(here, "Ada", { secret });
    const since = membersAt(there)[0]?.since;
    await pass(3_000, hither, thither, before);
    before.drop();
    await pass(1_000, hither, thither);
    const after = await enter(there, "Ada", { secret });
    await pass(30_000, hither, thither, after);
    for (const watcher of [hither, thither]) expect(newsOf(watcher)).toEqual(["join Ada", "update Ada away", "update Ada"]);
    expect([membersAt(here), membersAt(there)]).toMatchObject([[{ since }], [{ since }]]);
    after.send({ op: "bye" });
    await nodes.settle();
    expect([membersAt(here), membersAt(there)]).toEqual([[], []]);
  });

  it.each([
    ["is away", (before: Peer) => before.drop(), () => {}],
    ["was not known to be broken", () => {}, (before: Peer) => before.drop()],
  ])("PRE-11 leaves nothing where its old connection %s", async (_, breakBefore, breakAfter) => {
    const { nodes, here, there, enter, watcherAt } = await two();
    await watcherAt(there);
    // The old connection is not ended by the new one, but where the node finds out by itself.
    here.link.losesDelivery = (about) => about === "nodes";
    const before = await enter(here, "Ada", { secret });
    breakBefore(before);
    await nodes.settle();
    const after = await enter(there, "Ada", { secret });
    breakAfter(before);
    await nodes.settle();
    expect([namesAt(here), namesAt(there)]).toEqual([["Ada"], ["Ada"]]);
    after.send({ op: "bye" });
    await nodes.settle();
    expect([namesAt(here), namesAt(there)]).toEqual([[], []]);
  });

  it("PRE-11 counts where it acted last, as long as its old connection is not known to be broken", async () => {
    const { here, there, enter, watcherAt, pass } = await two();
    const watcher = await watcherAt(here);
    here.link.losesDelivery = there.link.losesDelivery = (about) => about === "nodes";
    await enter(here, "Ada of old", { secret });
    await pass(2_000, watcher);
    await enter(there, "Ada", { secret });
    expect([namesAt(here), namesAt(there)]).toEqual([["Ada"], ["Ada"]]);
    expect(newsOf(watcher)).toEqual(["join Ada of old", "update Ada"]);
  });

  it("PRE-11 is not away where one of its connections is not known to be broken", async () => {
    const { nodes, here, there, enter } = await two();
    here.link.losesDelivery = there.link.losesDelivery = (about) => about === "nodes";
    await enter(there, "Ada of old", { secret });
    await nodes.advance(1_000);
    await enter(here, "Ada", { secret });
    expect(namesAt(there)).toEqual(["Ada"]);
    there.link.losesDelivery = () => false;
    await here.server.close();
    await nodes.settle();
    expect(namesAt(there)).toEqual(["Ada of old"]);
  });

  it("PRE-11 keeps its since where it is found late that it was elsewhere before", async () => {
    const { nodes, here, there, enter, pass } = await two();
    const before = await enter(here, "Ada", { secret });
    const since = membersAt(here)[0]?.since ?? 0;
    await nodes.advance(5_000);
    before.drop();
    const after = await enter(there, "Ada", { secret });
    await pass(12_000, after);
    expect([membersAt(here), membersAt(there)]).toMatchObject([[{ since }], [{ since }]]);
    expect(nodes.environment.now()).toBeGreaterThan(since);
  });
});
