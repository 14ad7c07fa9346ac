import { describe, expect, it } from "vitest";
import { Neighbours, sessionOf, type Neighbour } from "./support/neighbours.js";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";

const room = "room:1";
const TOPIC = `channel:${room}`;
type Rooms = typeof rooms;

const at = (x: number, channel = room) => ({ op: "signal", channel, type: "cursor:move", payload: { x } }) as const;
const roomAt = (node: Neighbour<Rooms>) => node.server.channel("room:{id}", { id: "1" });
const xsOf = (peer: Peer): unknown[] => peer.signalsOf(room).map(({ payload }) => (payload as { readonly x: unknown }).x);
const idOf = (node: Neighbour<Rooms>): string => node.server.nodes().find(({ self }) => self)?.id ?? "";
const told = (node: Pick<Neighbour<Rooms>, "link">): number => node.link.toldOn(TOPIC, "signals:left").length;

async function two(options: Partial<ConstructorParameters<typeof Neighbours<Rooms>>[0]> = {}) {
  const nodes = new Neighbours({ contract: rooms, authenticate: ({ token }) => (token === undefined ? undefined : { id: token }), ...options });
  const [here, there] = [await nodes.start(), await nodes.start()];
  const [ada, bob] = [await nodes.peerAt(here, { token: "ada" }), await nodes.peerAt(there, { token: "bob" })];
  await ada.subscribe(room);
  await bob.subscribe(room);
  return { nodes, here, there, ada, bob };
}

/** Says something on the bus as another node would. */
function tell({ nodes, from, message }: { readonly nodes: Neighbours<Rooms>; readonly from: string; readonly message: object }): Promise<void> {
  return nodes.shared.broadcast(TOPIC, JSON.stringify({ node: from, incarnation: 1, message: { kind: "signals:left", ...message } }));
}

describe("a signal over nodes", () => {
  it("SIG-7 reaches the subscribers at another node, once, as one of its sender", async () => {
    const { nodes, here, there, ada, bob } = await two();
    const eve = await nodes.peerAt(here);
    await eve.subscribe(room);
    ada.send(at(1));
    await nodes.settle();
    const signal = { type: "cursor:move", payload: { x: 1 }, session: sessionOf(ada), user: "ada" };
    for (const peer of [bob, eve]) expect(peer.of("signals")).toEqual([{ op: "signals", channel: room, signals: [signal] }]);
    await nodes.advance(1_000);
    expect([told(here), told(there)]).toEqual([1, 0]);
    expect(bob.signalsOf(room).length).toBe(1);
  });

  it("SIG-7 is told once a turn, the latest of each sender and type, however many get it", async () => {
    const { nodes, here, ada, bob } = await two();
    for (let each = 0; each < 20; each++) await (await nodes.peerAt(here)).subscribe(room);
    ada.send(at(1), at(2), { op: "signal", channel: room, type: "cursor:hide", payload: {} }, at(3));
    await nodes.settle();
    expect(told(here)).toBe(1);
    expect(bob.signalsOf(room).map(({ type, payload }) => [type, payload])).toEqual([["cursor:hide", {}], ["cursor:move", { x: 3 }]]);
  });

  it("SIG-7 of the server reaches them too, also from a node where nobody has the channel open", async () => {
    const { nodes, here, ada, bob } = await two();
    const third = await nodes.start();
    await roomAt(third).signal("cursor:move", { x: 7 });
    await roomAt(here).signal("cursor:move", { x: 8 });
    await nodes.settle();
    for (const peer of [ada, bob]) expect(peer.signalsOf(room).map(({ session, payload }) => [session, payload])).toEqual([[idOf(third), { x: 7 }], [idOf(here), { x: 8 }]]);
  });

  it("SIG-7 is told to nobody while no other node is known to live, and nothing is listened to", async () => {
    const nodes = new Neighbours({ contract: rooms });
    const alone = await nodes.start();
    const [ada, bob] = [await nodes.peerAt(alone), await nodes.peerAt(alone)];
    await ada.subscribe(room);
    await bob.subscribe(room);
    const listens = alone.link.countOf("listen");
    ada.send(at(1));
    await roomAt(alone).signal("cursor:move", { x: 2 });
    await alone.server.channel("room:{id}", { id: "2" }).signal("cursor:move", { x: 3 });
    await nodes.settle();
    expect(xsOf(bob)).toEqual([1, 2]);
    expect(alone.link.told.filter(({ message }) => message.includes("signals"))).toEqual([]);
    expect(alone.link.countOf("listen")).toBe(listens);
    await nodes.start();
    expect(alone.link.countOf("listen")).toBe(listens + 1);
    ada.send(at(4));
    await nodes.settle();
    expect(told(alone)).toBe(1);
  });

  it("SIG-7 is not heard by a node that does not have the channel open", async () => {
    const { nodes, there, ada, bob } = await two({ channelIdleMs: 1_000, presenceGraceMs: 0 });
    const heard: string[] = [];
    there.link.losesDelivery = (about) => {
      heard.push(about);
      return false;
    };
    ada.send(at(1));
    await nodes.settle();
    expect(heard).toContain(TOPIC);
    bob.drop();
    await nodes.advance(5_000);
    heard.length = 0;
    ada.send(at(2));
    await nodes.settle();
    expect(heard).not.toContain(TOPIC);
  });

  it("SIG-7 goes on being heard after the topic could not be listened to", async () => {
    const nodes = new Neighbours({ contract: rooms });
    const [here, there] = [await nodes.start(), await nodes.start()];
    const [ada, bob] = [await nodes.peerAt(here), await nodes.peerAt(there)];
    await ada.subscribe(room);
    there.link.failNext("listen");
    await bob.subscribe(room);
    ada.send(at(1));
    await nodes.settle();
    expect(xsOf(bob)).toEqual([]);
    await nodes.advance(1_000);
    ada.send(at(2));
    await nodes.settle();
    expect(xsOf(bob)).toEqual([2]);
  });

  it("SIG-7 that is held is told when it leaves, and the latest wins over all of that time", async () => {
    const { nodes, here, ada, bob } = await two({ namespaces: { room: { signalFlushMs: 10 } } });
    ada.send(at(1));
    await nodes.advance(6);
    ada.send(at(2));
    await nodes.settle();
    expect(told(here)).toBe(0);
    await nodes.advance(4);
    expect(told(here)).toBe(1);
    await nodes.advance(10);
    expect(xsOf(bob)).toEqual([2]);
  });

  it("SIG-7 of a session that came from another node is not told back by its old one", async () => {
    const { nodes, here, ada, bob } = await two({ namespaces: { room: { signalFlushMs: 10 } } });
    ada.send(at(1));
    await nodes.settle();
    await tell({ nodes, from: "another", message: { signals: [{ signal: { type: "cursor:move", payload: { x: 2 }, session: sessionOf(ada) } }] } });
    await nodes.advance(20);
    expect(told(here)).toBe(0);
    expect(xsOf(bob)).toEqual([2]);
  });

  it("SIG-3 from another node is dropped for a slow connection", async () => {
    const { nodes, here, ada, bob } = await two({ outboxBytesMax: 4_000 });
    bob.transport.stall();
    await roomAt(here).publish("note:add", { text: "x".repeat(2_500) });
    await nodes.settle();
    for (let x = 0; x < 100; x++) {
      ada.send(at(x));
      await nodes.settle();
    }
    expect(bob.closeCode).toBeUndefined();
    bob.transport.drain(bob.events);
    expect(bob.of("signals")).toEqual([]);
  });
});

describe("a signal to somebody", () => {
  async function crowd() {
    const { nodes, here, there, ada, bob } = await two();
    const [phone, stranger] = [await nodes.peerAt(there, { token: "ada" }), await nodes.peerAt(there, { token: "ada" })];
    await phone.subscribe(room);
    return { nodes, here, there, ada, bob, phone, stranger, all: [ada, bob, phone, stranger] };
  }

  it("SIG-8 reaches a user on all devices, at whatever node, that are subscribed", async () => {
    const { nodes, here, all } = await crowd();
    await roomAt(here).signal("cursor:move", { x: 1 }, { to: { user: "ada" } });
    await nodes.settle();
    expect(all.map(xsOf)).toEqual([[1], [], [1], []]);
    expect(all[0]?.of("signals")).toEqual([{ op: "signals", channel: room, signals: [{ type: "cursor:move", payload: { x: 1 }, session: idOf(here) }] }]);
  });

  it("SIG-8 reaches one session, or one connection", async () => {
    const { nodes, here, there, ada, phone, all } = await crowd();
    const connection = there.server.connections().find(({ session }) => session === sessionOf(phone))?.connection ?? "";
    await roomAt(here).signal("cursor:move", { x: 1 }, { to: { session: sessionOf(ada) } });
    await roomAt(here).signal("cursor:move", { x: 2 }, { to: { connection } });
    await roomAt(here).signal("cursor:move", { x: 3 }, { to: { connection: `${connection}0` } });
    await roomAt(here).signal("cursor:move", { x: 4 }, { to: { user: connection } });
    await nodes.settle();
    expect(all.map(xsOf)).toEqual([[1], [], [2], []]);
  });

  it("SIG-8 reaches the connection of that node, and not the one that came as the same at another", async () => {
    const { nodes, here, there, all } = await crowd();
    const connection = there.server.connections()[0]?.connection ?? "";
    expect(connection.slice(connection.lastIndexOf("-"))).toBe(here.server.connections()[0]?.connection.slice(connection.lastIndexOf("-")));
    await roomAt(here).signal("cursor:move", { x: 1 }, { to: { connection } });
    await nodes.settle();
    expect(all.map(xsOf)).toEqual([[], [1], [], []]);
  });

  it("SIG-8 is told from a node where nobody has the channel open", async () => {
    const { nodes, all } = await crowd();
    await roomAt(await nodes.start()).signal("cursor:move", { x: 1 }, { to: { user: "bob" } });
    await nodes.settle();
    expect(all.map(xsOf)).toEqual([[], [1], [], []]);
  });

  it("SIG-8 is the latest of its sender, type and target within a turn, beside the one for all", async () => {
    const { nodes, here, all } = await crowd();
    const signals = [
      roomAt(here).signal("cursor:move", { x: 1 }, { to: { user: "ada" } }),
      roomAt(here).signal("cursor:move", { x: 2 }),
      roomAt(here).signal("cursor:move", { x: 3 }, { to: { user: "ada" } }),
      roomAt(here).signal("cursor:move", { x: 4 }, { to: { user: "bob" } }),
      roomAt(here).signal("cursor:hide", {}, { to: { user: "bob" } }),
    ];
    await Promise.all(signals);
    await nodes.settle();
    expect(all.map((peer) => new Set(xsOf(peer)))).toEqual([[2, 3], [2, 4, undefined], [2, 3], []].map((xs) => new Set(xs)));
    expect(told(here)).toBe(1);
  });

  it("SIG-8 to nobody who is there is nobody's, and harms nobody", async () => {
    const { nodes, here, all } = await crowd();
    for (const to of [{ user: "__proto__" }, { session: "constructor" }, { connection: "" }, { connection: "-zz" }]) await roomAt(here).signal("cursor:move", { x: 1 }, { to });
    await nodes.settle();
    expect(all.map(xsOf)).toEqual([[], [], [], []]);
  });

  it("SIG-8 is validated as any other", async () => {
    const { here } = await crowd();
    await expect(roomAt(here).signal("cursor:move", Object({ x: "far" }), { to: { user: "ada" } })).rejects.toMatchObject({ code: "PAYLOAD_INVALID" });
  });
});

describe("what nodes tell each other of signals", () => {
  it("SIG-9 is told in several messages where it is much, and not at all where one is too much", async () => {
    const nodes = new Neighbours();
    const [here, there] = [await nodes.start(), await nodes.start()];
    const [ada, bob] = [await nodes.peerAt(here), await nodes.peerAt(there)];
    await ada.subscribe(room);
    await bob.subscribe(room);
    const signal = (type: string, payload: string) => here.server.channel("room:{id}", { id: "1" }).signal(type, payload);
    for (let each = 0; each < 5; each++) void signal(`large-${each}`, "x".repeat(100_000));
    void signal("too-large", "x".repeat(300_000));
    for (let each = 0; each < 1_500; each++) void signal(`small-${each}`, "x");
    await nodes.settle();
    const messages = here.link.toldOn(TOPIC, "signals:left");
    expect(messages.length).toBeGreaterThan(3);
    for (const message of messages) expect(message.length).toBeLessThan(300_000);
    const types = bob.signalsOf(room).map(({ type }) => type);
    expect(types.length).toBe(1_505);
    expect(types).not.toContain("too-large");
    expect(ada.signalsOf(room).map(({ type }) => type)).toContain("too-large");
  });

  it("SIG-9 is dropped while the broker does not take it, and goes on when it does", async () => {
    const nodes = new Neighbours();
    const [here, there] = [await nodes.start(), await nodes.start()];
    const bob = await nodes.peerAt(there);
    await bob.subscribe(room);
    const take: (() => void)[] = [];
    const signal = async (type: string): Promise<void> => {
      take.push(here.link.holdNext("broadcast"));
      void here.server.channel("room:{id}", { id: "1" }).signal(type, "x".repeat(200_000));
      await nodes.settle();
    };
    for (let each = 0; each < 40; each++) await signal(`large-${each}`);
    expect(told(here)).toBe(20);
    for (const go of take) go();
    await nodes.settle();
    expect(bob.signalsOf(room).length).toBe(20);
    await here.server.channel("room:{id}", { id: "1" }).signal("later", "x".repeat(200_000));
    await nodes.settle();
    expect(bob.signalsOf(room).at(-1)?.type).toBe("later");
  });

  const good = { type: "cursor:move", payload: { x: 1 }, session: "s" };
  it.each([
    ["no list", { signals: "all" }],
    ["no signal", { signals: [{}] }],
    ["without a sender", { signals: [{ signal: { type: "cursor:move", payload: { x: 1 } } }] }],
    ["with a type that is none", { signals: [{ signal: { ...good, type: 5 } }] }],
    ["to two at once", { signals: [{ signal: good, to: { user: "ada", session: "s" } }] }],
    ["to nobody", { signals: [{ signal: good, to: {} }] }],
    ["more than there may be", { signals: Array.from({ length: 1_025 }, () => ({ signal: good })) }],
  ])("SIG-9 is dropped where it is strange: %s", async (_, message) => {
    const { nodes, here, ada, bob } = await two();
    await tell({ nodes, from: "another", message });
    await nodes.settle();
    expect([...ada.of("signals"), ...bob.of("signals")]).toEqual([]);
    expect(here.linesOf("warn").length).toBeGreaterThan(0);
    await tell({ nodes, from: "another", message: { signals: [{ signal: good }] } });
    await nodes.settle();
    expect([ada, bob].map(xsOf)).toEqual([[1], [1]]);
  });
});
