import { TuttiError } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { Neighbours, sessionOf, type Neighbour } from "./support/neighbours.js";
import { rooms } from "./support/rooms.js";

const room = "room:1";
const LOG = "$commands";
type Rooms = typeof rooms;

const neighbours = (authorize: () => boolean | Promise<boolean> = () => true, options: Partial<ConstructorParameters<typeof Neighbours<Rooms>>[0]> = {}) =>
  new Neighbours({
    contract: rooms,
    authenticate: ({ token }) => (token === undefined ? undefined : { id: token }),
    channels: { "room:{id}": { authorize: ({ action }) => (action === "subscribe" ? authorize() : true) } },
    ...options,
  });
const roomAt = (node: Neighbour<Rooms>) => node.server.channel("room:{id}", { id: "1" });
const codesOf = (left: readonly { readonly error: { readonly code: string } }[]): string[] => left.map(({ error }) => error.code);

/** What became of a promise so far. */
function watched(promise: Promise<unknown>): { outcome: unknown } {
  const watch = { outcome: "waits" as unknown };
  promise.then(
    () => (watch.outcome = "done"),
    (error: unknown) => (watch.outcome = error),
  );
  return watch;
}

/** Two nodes, with ada subscribed at the second one. */
async function two(nodes = neighbours()) {
  const [here, there] = [await nodes.start(), await nodes.start()];
  const ada = await nodes.peerAt(there, { token: "ada" });
  return { nodes, here, there, ada };
}

describe("a command", () => {
  it.each([
    ["kick", (at: Neighbour<Rooms>) => roomAt(at).kick({ user: "ada" }, "be kind"), "KICKED"],
    ["revoke", (at: Neighbour<Rooms>) => roomAt(at).revoke({ user: "ada" }), "SUBSCRIPTION_REVOKED"],
    ["remove", (at: Neighbour<Rooms>) => roomAt(at).remove({ user: "ada" }), "KICKED"],
    ["close", (at: Neighbour<Rooms>) => roomAt(at).close(), "ROOM_NOT_FOUND"],
  ])("CMD-1 %s ends the subscription at another node, and is done when it has", async (_, command, code) => {
    const { nodes, here, ada } = await two();
    await ada.subscribe(room);
    const done = watched(command(here));
    await nodes.settle();
    expect(codesOf(ada.of("left"))).toEqual([code]);
    expect(done.outcome).toBe("done");
    await roomAt(here).publish("note:add", { text: "x" }).catch(() => {});
    await nodes.settle();
    expect(ada.payloadsOf(room)).toEqual([]);
  });

  it("CMD-1 leaves others, and other channels, alone", async () => {
    const { nodes, here, there, ada } = await two();
    const bob = await nodes.peerAt(there, { token: "bob" });
    await bob.subscribe(room);
    await ada.subscribe("room:2");
    await roomAt(here).kick({ user: "ada" }, "off");
    await nodes.settle();
    expect([...bob.of("left"), ...ada.of("left")]).toEqual([]);
  });

  it("CMD-1 disconnect ends the connections of a user at all nodes", async () => {
    const { nodes, here, ada } = await two();
    const phone = await nodes.peerAt(here, { token: "ada" });
    const done = watched(here.server.disconnect({ user: "ada" }, "signed out everywhere"));
    expect(phone.errorCodes).toEqual(["KICKED"]);
    await nodes.settle();
    expect(ada.errorCodes).toEqual(["KICKED"]);
    expect(done.outcome).toBe("done");
  });

  it("CMD-1 add puts a user in at another node, and a connection that comes there later", async () => {
    const { nodes, here, there, ada } = await two(neighbours(() => false));
    await roomAt(here).add({ user: "ada" });
    const later = await nodes.peerAt(there, { token: "ada" });
    expect([ada, later].map((peer) => peer.of("joined").map(({ channel }) => channel))).toEqual([[room], [room]]);
    await roomAt(there).remove({ user: "ada" });
    await nodes.settle();
    expect(codesOf(ada.of("left"))).toEqual(["KICKED"]);
    expect((await nodes.peerAt(here, { token: "ada" })).of("joined")).toEqual([]);
  });

  it("CMD-1 reopen takes back close, at all nodes", async () => {
    const { nodes, here, there, ada } = await two();
    await roomAt(here).close();
    expect(await ada.codeOf({ op: "subscribe", channel: room })).toBe("ROOM_NOT_FOUND");
    await expect(roomAt(there).publish("note:add", { text: "x" })).rejects.toMatchObject({ code: "ROOM_NOT_FOUND" });
    await roomAt(there).reopen();
    expect(await ada.codeOf({ op: "subscribe", channel: room })).toBeUndefined();
    const bob = await nodes.peerAt(here, { token: "bob" });
    expect(await bob.codeOf({ op: "subscribe", channel: room })).toBeUndefined();
  });

  it("CMD-1 takes effect though the bus loses it: the log is read", async () => {
    const { nodes, here, there, ada } = await two();
    await ada.subscribe(room);
    there.link.losesDelivery = (about) => about === LOG || about === "nodes";
    const done = watched(roomAt(here).kick({ user: "ada" }, "off"));
    await nodes.settle();
    expect(ada.of("left")).toEqual([]);
    there.link.losesDelivery = (about) => about === LOG;
    await nodes.advance(500);
    expect(codesOf(ada.of("left"))).toEqual(["KICKED"]);
    expect(done.outcome).toBe("done");
  });

  it("CMD-1 is found by a look at the log's head where all that would tell of it is lost", async () => {
    const { nodes, here, there, ada } = await two();
    await ada.subscribe(room);
    there.link.losesDelivery = () => true;
    void roomAt(here).kick({ user: "ada" }, "off");
    await nodes.settle();
    expect(ada.of("left")).toEqual([]);
    await nodes.advance(20_000);
    expect(codesOf(ada.of("left"))).toEqual(["KICKED"]);
  });

  it("CMD-1 that came, and comes once more, takes effect once", async () => {
    const { nodes, here, there, ada } = await two();
    await ada.subscribe(room);
    const page = async () => nodes.shared.read(LOG, { ...(await nodes.shared.head(LOG)).position, seq: 0 }, { countMax: 10 });
    await roomAt(here).kick({ user: "ada" }, "off");
    await ada.subscribe(room);
    const logged = await page();
    if (logged.outcome !== "page") throw new Error("the log is not there");
    there.link.bringTo(LOG, logged.run);
    await nodes.settle();
    expect(codesOf(ada.of("left"))).toEqual(["KICKED"]);
  });
});

describe("the promise of a command", () => {
  it("CMD-2 waits until the other node has answered, and asks it again", async () => {
    const { nodes, here, there } = await two();
    there.link.losesBroadcast = (topic) => topic.startsWith("node:");
    const done = watched(roomAt(here).kick({ user: "ada" }, "off"));
    await nodes.settle();
    await nodes.advance(1_900);
    expect(done.outcome).toBe("waits");
    there.link.losesBroadcast = () => false;
    await nodes.advance(500);
    expect(done.outcome).toBe("done");
    const asked = here.link.toldOn("nodes", "command:await").length;
    expect(asked).toBe(5);
    await nodes.advance(5_000);
    expect(here.link.toldOn("nodes", "command:await").length).toBe(asked);
  });

  it("CMD-2 reads the log where this node itself does not hear of its command", async () => {
    const { nodes, here } = await two(neighbours(() => false));
    const phone = await nodes.peerAt(here, { token: "ada" });
    here.link.losesDelivery = (about) => about === LOG;
    const done = watched(roomAt(here).add({ user: "ada" }));
    await nodes.settle();
    expect(done.outcome).toBe("done");
    expect(phone.of("joined").length).toBe(1);
  });

  it("CMD-2 rejects when the time is over, and names who has not answered", async () => {
    const { nodes, here, there } = await two(neighbours(undefined, { commandTimeoutMs: 3_000 }));
    there.link.losesBroadcast = (topic) => topic.startsWith("node:");
    const id = there.server.nodes().find(({ self }) => self)?.id;
    const done = watched(roomAt(here).kick({ user: "ada" }, "off"));
    await nodes.settle();
    await nodes.advance(2_900);
    expect(done.outcome).toBe("waits");
    await nodes.advance(200);
    expect(done.outcome).toMatchObject({ code: "UNAVAILABLE", data: { nodes: [id] } });
    expect(here.linesOf("warn")).toContain("a command is not known to have reached all nodes");
  });

  it("CMD-2 is done when it was taken where the log had lost what stood at its place, which that node had taken", async () => {
    const { nodes, here, there, ada } = await two();
    await ada.subscribe(room);
    const { position: { epoch, seq } } = await nodes.shared.head(LOG);
    const lost = { eventId: "lost", type: "add", payload: { channel: "room:2", target: { user: "bob" } }, timestamp: 1 };
    there.link.bringTo(LOG, { epoch, events: [{ ...lost, seq: seq + 1, prev: seq }] });
    there.link.losesDelivery = (about) => about === LOG;
    const done = watched(roomAt(here).revoke({ user: "ada" }));
    await nodes.settle();
    expect(codesOf(ada.of("left"))).toEqual(["SUBSCRIPTION_REVOKED"]);
    await nodes.advance(500);
    expect(done.outcome).toBe("done");
  });

  it("CMD-2 does not wait for a node that died", async () => {
    const { nodes, here, there } = await two();
    there.link.cut();
    const done = watched(roomAt(here).kick({ user: "ada" }, "off"));
    await nodes.advance(3_000);
    expect(done.outcome).toBe("waits");
    await nodes.advance(5_000);
    expect(here.server.nodes().length).toBe(1);
    expect(done.outcome).toBe("done");
  });

  it("CMD-2 asks nobody where nobody else is known to live", async () => {
    const nodes = neighbours();
    const here = await nodes.start();
    await roomAt(here).kick({ user: "ada" }, "off");
    expect(here.link.toldOn("nodes", "command:await")).toEqual([]);
  });

  it("CMD-2 rejects as the broker does where the log cannot be written; what ends something has ended it here", async () => {
    const { here, nodes } = await two();
    const phone = await nodes.peerAt(here, { token: "ada" });
    await phone.subscribe(room);
    here.link.refusesAppend = (channel) => channel === LOG;
    const refused = roomAt(here).kick({ user: "ada" }, "off");
    await expect(refused).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await nodes.settle();
    expect(codesOf(phone.of("left"))).toEqual(["KICKED"]);
  });

  it("CMD-2 rejects harmlessly where nobody waits for it", async () => {
    const { here, nodes } = await two();
    here.link.refusesAppend = (channel) => channel === LOG;
    const room2 = here.server.channel("room:{id}", { id: "2" });
    void room2.add({ user: "ada" });
    void room2.remove({ user: "ada" });
    void room2.close();
    void here.server.disconnect({ user: "nobody" }, "off");
    await nodes.settle();
    expect(here.linesOf("warn").filter((line) => line.includes("not known to have reached")).length).toBe(4);
  });

  it("CMD-2 of add waits until those who are here are in, however late this node hears of it", async () => {
    const { here, nodes } = await two(neighbours(() => false));
    const phone = await nodes.peerAt(here, { token: "ada" });
    here.link.losesDelivery = (about) => about === LOG;
    const open = here.link.holdNext("subscribe");
    const done = watched(roomAt(here).add({ user: "ada" }));
    await nodes.settle();
    expect(done.outcome).toBe("waits");
    open();
    await nodes.settle();
    expect(done.outcome).toBe("done");
    expect(phone.of("joined").length).toBe(1);
  });

  it("CMD-2 is settled where the server closes", async () => {
    const { nodes, here, there } = await two();
    there.link.losesBroadcast = () => true;
    const done = watched(roomAt(here).kick({ user: "ada" }, "off"));
    await nodes.settle();
    await Promise.all([here.server.close(), nodes.settle()]);
    expect(done.outcome).toMatchObject({ code: "UNAVAILABLE" });
    await there.server.close();
    expect(nodes.environment.timerCount).toBe(0);
  });
});

describe("readiness", () => {
  it("CMD-3 waits for the log of commands", async () => {
    const nodes = neighbours();
    const late = nodes.starting();
    const load = late.link.holdNextOf(LOG, "head");
    await nodes.advance(2_000);
    expect(late.server.readiness()).toMatchObject({ status: "not-ready", reasons: [{ code: "starting", waitsFor: ["the log of commands"] }] });
    load();
    await nodes.settle();
    expect(late.server.readiness().status).toBe("ready");
  });
});

describe("a subscription on its way", () => {
  it("CMD-3 ends where its target is revoked at another node meanwhile", async () => {
    let decide = (_: boolean): void => {};
    const { nodes, here, ada } = await two(neighbours(() => new Promise((resolve) => (decide = resolve))));
    const id = ada.request({ op: "subscribe", channel: room });
    await nodes.settle();
    await roomAt(here).revoke({ user: "ada" });
    decide(true);
    await nodes.settle();
    expect(ada.replyTo(id)?.error?.code).toBe("SUBSCRIPTION_REVOKED");
  });

  it("CMD-3 waits at a node that has not loaded the log of commands, and asks for permission then", async () => {
    let asked = 0;
    const nodes = neighbours(() => ++asked > 0);
    await nodes.start();
    const late = nodes.starting();
    const load = late.link.holdNextOf(LOG, "head");
    const ada = await nodes.peerAt(late, { token: "ada" });
    const id = ada.request({ op: "subscribe", channel: room });
    await nodes.settle();
    expect([asked, ada.replyTo(id)]).toEqual([0, undefined]);
    load();
    await nodes.settle();
    expect([asked, ada.replyTo(id)?.success]).toEqual([1, true]);
  });

  it("CMD-3 is refused with UNAVAILABLE where the log of commands cannot be loaded, and let in once it can", async () => {
    const nodes = neighbours();
    const late = nodes.starting();
    late.link.failNextOf(LOG, "head");
    const ada = await nodes.peerAt(late, { token: "ada" });
    expect(await ada.codeOf({ op: "subscribe", channel: room })).toBe("UNAVAILABLE");
    await nodes.advance(1_000);
    expect(await ada.codeOf({ op: "subscribe", channel: room })).toBeUndefined();
  });
});

describe("what stands", () => {
  it("CMD-4 survives the node that did it, and is known at one that starts later", async () => {
    const nodes = neighbours(() => false);
    const first = await nodes.start();
    await roomAt(first).add({ user: "ada" });
    await roomAt(first).add({ user: "__proto__" });
    await roomAt(first).add({ user: "gone" });
    await roomAt(first).remove({ user: "gone" });
    await first.server.channel("room:{id}", { id: "2" }).close();
    first.link.cut();
    const late = await nodes.start();
    for (const token of ["ada", "__proto__"]) expect((await nodes.peerAt(late, { token })).of("joined").map(({ channel }) => channel)).toEqual([room]);
    for (const token of ["gone", "constructor"]) expect((await nodes.peerAt(late, { token })).of("joined")).toEqual([]);
    const bob = await nodes.peerAt(late, { token: "bob" });
    expect(await bob.codeOf({ op: "subscribe", channel: "room:2" })).toBe("ROOM_NOT_FOUND");
  });

  it("CMD-4 is loaded from the snapshot that a node leaves when it stops", async () => {
    const nodes = neighbours(() => false);
    const first = await nodes.start();
    for (let each = 0; each < 5; each++) await roomAt(first).add({ user: `ada-${each}` });
    await first.server.channel("room:{id}", { id: "2" }).close();
    await first.server.close();
    const { position } = await nodes.shared.head(LOG);
    expect((await nodes.shared.loadSnapshot(LOG))?.position).toEqual(position);
    await nodes.shared.trim(LOG, position);
    const late = await nodes.start();
    expect((await nodes.peerAt(late, { token: "ada-3" })).of("joined").length).toBe(1);
    expect(await (await nodes.peerAt(late)).codeOf({ op: "subscribe", channel: "room:2" })).toBe("ROOM_NOT_FOUND");
  });

  it("CMD-4 puts in who said hello before the node knew", async () => {
    const nodes = neighbours(() => false);
    await roomAt(await nodes.start()).add({ user: "ada" });
    const late = nodes.starting();
    const load = late.link.holdNextOf(LOG, "loadSnapshot");
    const ada = await nodes.peerAt(late, { token: "ada" });
    expect(ada.of("joined")).toEqual([]);
    load();
    await nodes.settle();
    expect(ada.of("joined").map(({ channel }) => channel)).toEqual([room]);
  });

  it("CMD-4 takes what is commanded while it is loaded after what it loads", async () => {
    const nodes = neighbours(() => false);
    const first = await nodes.start();
    await roomAt(first).add({ user: "ada" });
    const late = nodes.starting();
    const load = late.link.holdNextOf(LOG, "read");
    await nodes.settle();
    void roomAt(first).remove({ user: "ada" });
    await nodes.settle();
    load();
    await nodes.settle();
    expect((await nodes.peerAt(late, { token: "ada" })).of("joined")).toEqual([]);
  });

  it("CMD-4 goes on where the log starts over, as the broker kept it", async () => {
    const { nodes, here, there } = await two(neighbours(() => false));
    await roomAt(here).add({ user: "ada" });
    await nodes.shared.saveSnapshot(LOG, { position: (await nodes.shared.head(LOG)).position, version: 1, state: { memberships: [{ target: { user: "eve" }, channels: [room] }], closed: [] } });
    there.link.losesDelivery = () => true;
    void roomAt(here).add({ user: "bob" });
    await nodes.settle();
    await nodes.shared.trim(LOG, (await nodes.shared.head(LOG)).position);
    await nodes.shared.saveSnapshot(LOG, { position: (await nodes.shared.head(LOG)).position, version: 1, state: { memberships: [{ target: { user: "eve" }, channels: [room] }], closed: [] } });
    there.link.losesDelivery = () => false;
    await nodes.advance(500);
    expect((await nodes.peerAt(there, { token: "eve" })).of("joined").length).toBe(1);
    expect(there.linesOf("warn").join()).toContain("does not go on");
  });
});

describe("a snapshot of what stands", () => {
  it("CMD-4 is of the position that it names, also where a node catches up with what came while it loaded", async () => {
    const nodes = neighbours(() => false, { snapshotEvery: 2 });
    const first = await nodes.start();
    const late = nodes.starting();
    const load = late.link.holdNextOf(LOG, "loadSnapshot");
    await nodes.settle();
    for (let each = 0; each < 7; each++) {
      void roomAt(first).add({ user: `user-${each}` });
      await nodes.settle();
    }
    load();
    await nodes.settle();
    const snapshot = await nodes.shared.loadSnapshot(LOG);
    expect(snapshot?.state).toMatchObject({ memberships: Array.from({ length: snapshot?.position.seq ?? 0 }, (_, each) => ({ target: { user: `user-${each}` } })) });
  });
});

describe("bounds of commands", () => {
  it("CMD-5 refuses more memberships than membershipsMax", async () => {
    const nodes = neighbours(() => false, { membershipsMax: 2 });
    const here = await nodes.start();
    await roomAt(here).add({ user: "ada" });
    await roomAt(here).add({ user: "ada" });
    await roomAt(here).add({ user: "bob" });
    await expect(roomAt(here).add({ user: "eve" })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    await roomAt(here).remove({ user: "bob" });
    await roomAt(here).add({ user: "eve" });
  });

  it("CMD-5 refuses to let more than commandsMax wait", async () => {
    const { nodes, here, there } = await two(neighbours(undefined, { commandsMax: 2 }));
    there.link.losesBroadcast = () => true;
    for (let each = 0; each < 2; each++) void roomAt(here).kick({ user: "ada" }, "off");
    await nodes.settle();
    await expect(roomAt(here).kick({ user: "ada" }, "off")).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  });

  it("CMD-5 keeps the log short: a snapshot is saved, and what lies before it goes when it is old", async () => {
    const nodes = neighbours(() => false, { snapshotEvery: 10 });
    const here = await nodes.start();
    for (let each = 0; each < 2_000; each++) void roomAt(here).add({ user: `user-${each % 7}` });
    await nodes.settle();
    await nodes.advance(300_001);
    for (let each = 0; each < 20; each++) await roomAt(here).add({ user: "ada" });
    await nodes.settle();
    const { floor, position } = await nodes.shared.head(LOG);
    expect(position.seq).toBe(2_020);
    expect(floor).toBeGreaterThan(900);
    expect((await nodes.peerAt(await nodes.start(), { token: "user-3" })).of("joined").length).toBe(1);
  });

  it("CMD-5 remembers the channels that were closed last", async () => {
    const nodes = neighbours();
    const here = await nodes.start();
    const roomOf = (id: number) => here.server.channel("room:{id}", { id: `${id}` });
    for (let id = 0; id < 10_001; id++) void roomOf(id).close();
    await nodes.settle();
    const ada = await nodes.peerAt(here);
    expect(await ada.codeOf({ op: "subscribe", channel: "room:0" })).toBeUndefined();
    expect(await ada.codeOf({ op: "subscribe", channel: room })).toBe("ROOM_NOT_FOUND");
  });
});

describe("what is no command", () => {
  const strange: [string, string, unknown][] = [
    ["of a type that nobody knows", "toString", { channel: room }],
    ["without a target", "evict", { channel: room, code: "KICKED", reason: "x" }],
    ["with two targets", "evict", { channel: room, target: { user: "ada", session: "s" }, code: "KICKED", reason: "x" }],
    ["with a code of its own", "evict", { channel: room, target: { user: "ada" }, code: "INTERNAL", reason: "x" }],
    ["without a payload", "close", undefined],
    ["with a channel that is no text", "close", { channel: { toString: room } }],
  ];

  it.each(strange)("CMD-6 in the log is passed over: one %s", async (_, type, payload) => {
    const { nodes, here, there, ada } = await two();
    await ada.subscribe(room);
    await nodes.shared.append(LOG, { event: { eventId: "strange", type, payload, timestamp: 0 } });
    await nodes.settle();
    expect(ada.of("left")).toEqual([]);
    expect(there.linesOf("warn")).toContain("what stands in the log of commands is no command");
    await roomAt(here).kick({ user: "ada" }, "off");
    await nodes.settle();
    expect(codesOf(ada.of("left"))).toEqual(["KICKED"]);
  });

  it("CMD-6 in the log's snapshot is passed over, and the log is read instead", async () => {
    const nodes = neighbours(() => false);
    await roomAt(await nodes.start()).add({ user: "ada" });
    await nodes.shared.saveSnapshot(LOG, { position: (await nodes.shared.head(LOG)).position, version: 1, state: { memberships: "all", closed: [] } });
    const late = await nodes.start();
    expect((await nodes.peerAt(late, { token: "ada" })).of("joined").length).toBe(1);
    expect(late.linesOf("error")).toContain("the snapshot of the log of commands cannot be read");
  });

  it("CMD-6 a state of a newer node is not gone on from", async () => {
    const nodes = neighbours();
    const first = await nodes.start();
    await roomAt(first).add({ user: "ada" });
    await nodes.shared.saveSnapshot(LOG, { position: (await nodes.shared.head(LOG)).position, version: 2, state: {} });
    const late = await nodes.start();
    expect(await (await nodes.peerAt(late)).codeOf({ op: "subscribe", channel: room })).toBe("UNAVAILABLE");
  });

  it("CMD-6 a client cannot name the log", async () => {
    const { ada } = await two();
    expect(await ada.codeOf({ op: "subscribe", channel: LOG })).toBe("CHANNEL_INVALID");
    expect(await ada.codeOf(ada.publishing(LOG, 1, {}))).toBe("CHANNEL_INVALID");
  });

  it("CMD-6 an answer of a node that is not there counts for nothing", async () => {
    const { nodes, here, there } = await two();
    there.link.losesBroadcast = (topic) => topic.startsWith("node:");
    const own = here.server.nodes().find(({ self }) => self)?.id ?? "";
    const done = watched(roomAt(here).kick({ user: "ada" }, "off"));
    await nodes.settle();
    const { position } = await nodes.shared.head(LOG);
    const say = (node: string, message: object) => nodes.shared.broadcast(`node:${own}`, JSON.stringify({ node, incarnation: 1, message: { kind: "command:done", ...position, ...message } }));
    const neighbour = there.server.nodes().find(({ self }) => self)?.id ?? "";
    await say("stranger", {});
    await say(neighbour, { seq: position.seq - 1 });
    await say(neighbour, { epoch: "another" });
    await say(neighbour, { seq: -1 });
    await nodes.settle();
    expect(done.outcome).toBe("waits");
    await say(neighbour, {});
    await nodes.settle();
    expect(done.outcome).toBe("done");
  });

  it("CMD-6 a target that can be nobody's is refused before it is written", async () => {
    const { nodes, here } = await two();
    await expect(here.server.disconnect({ user: "u".repeat(129) }, "x")).rejects.toBeInstanceOf(TuttiError);
    expect((await nodes.shared.head(LOG)).position.seq).toBe(0);
    await here.server.disconnect({ session: sessionOf(await nodes.peerAt(here)) }, "r".repeat(5_000));
    expect((await nodes.shared.head(LOG)).position.seq).toBe(1);
  });
});
