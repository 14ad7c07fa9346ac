import { describe, expect, it } from "vitest";
import { Presence } from "../src/presence/presence.js";
import { ManualEnvironment } from "./support/manual-environment.js";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "room:1";
const ada = { name: "Ada" };
const secret = "the-secret-of-a-session";

const newWorld = () => new World({ contract: rooms, authenticate: ({ token }) => (token === undefined ? undefined : { id: token }) });
const handleOf = (world: ReturnType<typeof newWorld>) => world.server.channel("room:{id}", { id: "1" });

/** A world with somebody who watches the room. */
async function watched() {
  const world = newWorld();
  // By now it would have heard of other nodes.
  await world.advance(2_000);
  const watcher = await world.peer();
  await watcher.subscribe(room, { presence: true });
  watcher.forget();
  return { world, watcher };
}

const entering = (state: unknown) => ({ op: "presence", channel: room, member: state }) as const;
const typesOf = (peer: Peer): string[] => peer.changesOf(room).map(({ type }) => type);

describe("a member", () => {
  it("PRE-1 enters with subscribe, and is listed to those who ask for presence", async () => {
    const world = newWorld();
    // By now it would have heard of other nodes.
    await world.advance(2_000);
    const peer = await world.peer({ token: "ada" });
    await peer.subscribe(room, { member: ada });
    const watcher = await world.peer();
    await watcher.subscribe(room, { presence: true });
    expect(watcher.of("presence")).toEqual([
      {
        op: "presence",
        channel: room,
        members: [{ session: world.sessionOf(peer), user: "ada", state: ada, activity: "active", since: world.environment.now() }],
        complete: true,
      },
    ]);
    expect(peer.of("presence")).toEqual([]);
  });

  it("PRE-1 enters by itself, and not before it has subscribed", async () => {
    const { world, watcher } = await watched();
    const peer = await world.peer();
    expect(await peer.codeOf(entering(ada))).toBe("NOT_SUBSCRIBED");
    await peer.subscribe(room);
    expect(handleOf(world).members()).toEqual([]);
    await peer.ask(entering(ada));
    expect(watcher.changesOf(room)).toMatchObject([{ type: "presence:join", member: { session: world.sessionOf(peer), state: ada } }]);
  });

  it("PRE-1 has a state that fits the contract", async () => {
    const world = newWorld();
    const peer = await world.peer();
    expect(await peer.ask({ op: "subscribe", channel: room, member: { name: 7 } })).toMatchObject({ error: { code: "PAYLOAD_INVALID", field: "member.name" } });
    await peer.subscribe(room);
    expect(await peer.codeOf(entering({ name: 7 }))).toBe("PAYLOAD_INVALID");
    await peer.ask(entering({ name: "Ada", more: true }));
    expect(handleOf(world).members().map(({ state }) => state)).toEqual([ada]);
  });

  it("PRE-1 enters where the application allows it", async () => {
    const world = new World({ contract: rooms, channels: { "room:{id}": { authorize: ({ action }) => action !== "presence" } } });
    const peer = await world.peer();
    expect(await peer.codeOf({ op: "subscribe", channel: room, member: ada })).toBe("FORBIDDEN");
    await peer.subscribe(room);
    expect(await peer.codeOf(entering(ada))).toBe("FORBIDDEN");
  });

  it("PRE-6 stays as it was where a change is refused, until its client takes it back", async () => {
    let isAllowed = true;
    const world = new World({ contract: rooms, channels: { "room:{id}": { authorize: ({ action }) => isAllowed || action !== "presence" } } });
    const peer = await world.peer();
    await peer.subscribe(room, { member: ada });
    isAllowed = false;
    expect(await peer.codeOf(entering({ name: "Bob" }))).toBe("FORBIDDEN");
    const members = () => world.server.channel("room:{id}", { id: "1" }).members();
    expect(members().map(({ state }) => state)).toEqual([ada]);
    await peer.ask({ op: "presence", channel: room });
    expect(members()).toEqual([]);
  });

  it.each([
    ["unsubscribe", (peer: Peer) => peer.ask({ op: "unsubscribe", channel: room })],
    ["leave", (peer: Peer) => peer.ask({ op: "presence", channel: room })],
    ["bye", async (peer: Peer) => peer.send({ op: "bye" })],
  ])("PRE-1 leaves at %s at once", async (_, leave) => {
    const { world, watcher } = await watched();
    const peer = await world.peer();
    await peer.subscribe(room, { member: ada });
    watcher.forget();
    await leave(peer);
    await world.settle();
    expect(watcher.changesOf(room)).toMatchObject([{ type: "presence:leave", member: { session: world.sessionOf(peer), state: ada } }]);
    expect(handleOf(world).members()).toEqual([]);
  });

  it("PRE-1 leaves when it is kicked or disconnected", async () => {
    const { world } = await watched();
    const [first, second] = [await world.peer(), await world.peer()];
    for (const peer of [first, second]) await peer.subscribe(room, { member: ada });
    void handleOf(world).kick({ session: world.sessionOf(first) }, "off");
    void world.server.disconnect({ session: world.sessionOf(second) }, "off");
    expect(handleOf(world).members()).toEqual([]);
  });

  it("PRE-1 says bye and the connection closes as it should", async () => {
    const world = newWorld();
    const peer = await world.peer();
    peer.send({ op: "bye" }, { op: "ping" });
    await world.settle();
    expect(peer.transport.closing).toEqual({ closeCode: 1000, reason: "bye" });
    expect(world.server.stats().connections).toBe(0);
  });
});

describe("a member whose connection broke", () => {
  it("PRE-2 is away for presenceGraceMs, and then leaves", async () => {
    const { world, watcher } = await watched();
    const peer = await world.peer();
    await peer.subscribe(room, { member: ada });
    watcher.forget();
    peer.drop();
    await world.settle();
    expect(watcher.changesOf(room)).toMatchObject([{ type: "presence:update", member: { state: ada, away: true } }]);
    await world.advance(9_999);
    expect(typesOf(watcher)).toEqual(["presence:update"]);
    await world.advance(1);
    expect(typesOf(watcher)).toEqual(["presence:update", "presence:leave"]);
    expect(handleOf(world).members()).toEqual([]);
  });

  it("PRE-2 shows no leave when it comes back in time", async () => {
    const { world, watcher } = await watched();
    const before = await world.peer({ secret });
    await before.subscribe(room, { member: ada });
    const [{ since } = { since: 0 }] = handleOf(world).members();
    before.drop();
    await world.advance(9_000);
    const after = await world.peer({ secret });
    await after.subscribe(room, { member: ada });
    await world.advance(20_000);
    expect(typesOf(watcher)).toEqual(["presence:join", "presence:update", "presence:update"]);
    expect(handleOf(world).members()).toMatchObject([{ session: world.sessionOf(after), since }]);
    expect(handleOf(world).members()[0]?.away).toBeUndefined();
  });

  it("PRE-2 that is away is not away anew", async () => {
    const environment = new ManualEnvironment();
    const exchange = { join: () => {}, leave: () => {}, note: () => {} };
    const presence = new Presence({ environment, channel: room, graceMs: 10_000, exchange, onChange: () => {} });
    presence.enter({ session: "s", user: undefined, state: ada, activity: "active" });
    presence.away("s");
    await environment.advance(6_000);
    presence.away("s");
    presence.enter({ session: "s", user: undefined, state: ada, activity: "active" });
    await environment.advance(20_000);
    expect(presence.members()).toMatchObject([{ session: "s", state: ada }]);
    expect(environment.timerCount).toBe(0);
  });

  it("HEL-5 is away when its session comes from elsewhere, and back without a leave", async () => {
    const { world, watcher } = await watched();
    const first = await world.peer({ secret });
    await first.subscribe(room, { member: ada });
    const second = await world.peer({ secret });
    expect(watcher.changesOf(room).at(-1)).toMatchObject({ type: "presence:update", member: { away: true } });
    await second.subscribe(room, { member: { name: "Ada II" } });
    first.drop();
    await world.advance(20_000);
    expect(typesOf(watcher)).not.toContain("presence:leave");
    expect(handleOf(world).members()).toMatchObject([{ state: { name: "Ada II" } }]);
  });

  it("PRE-2 broke while it was asking for its channel anew: it leaves after its grace all the same", async () => {
    const world = newWorld();
    const peer = await world.peer();
    const { position } = await peer.subscribe(room, { member: ada });
    const release = world.broker.holdNext("read");
    peer.request({ op: "subscribe", channel: room, since: position });
    await world.settle();
    peer.drop();
    release();
    await world.settle();
    expect(handleOf(world).members()).toMatchObject([{ away: true }]);
    await world.advance(10_000);
    expect(handleOf(world).members()).toEqual([]);
  });

  it("PRE-1 leaves where its channel is refused when it asks anew", async () => {
    let isAllowed = true;
    const world = new World({ contract: rooms, channels: { "room:{id}": { authorize: () => isAllowed } } });
    const peer = await world.peer();
    await peer.subscribe(room, { member: ada });
    isAllowed = false;
    expect(await peer.codeOf({ op: "subscribe", channel: room })).toBe("FORBIDDEN");
    expect(world.server.channel("room:{id}", { id: "1" }).members()).toEqual([]);
  });

  it("PRE-1 leaves where its channel is asked for anew without a state, and stays where it is with one", async () => {
    const { world, watcher } = await watched();
    const peer = await world.peer();
    await peer.subscribe(room, { member: ada });
    await peer.subscribe(room, { member: ada });
    expect(typesOf(watcher)).toEqual(["presence:join"]);
    await peer.subscribe(room);
    expect(typesOf(watcher)).toEqual(["presence:join", "presence:leave"]);
    expect(handleOf(world).members()).toEqual([]);
  });

  it("PRE-1 enters by a request that follows the subscription at once", async () => {
    const { world } = await watched();
    const peer = await world.peer();
    const ids = [peer.request({ op: "subscribe", channel: room }), peer.request(entering(ada))];
    await world.settle();
    expect(ids.map((id) => peer.replyTo(id)?.success)).toEqual([true, true]);
    expect(handleOf(world).members()).toMatchObject([{ state: ada }]);
  });
});

describe("changes", () => {
  it("PRE-4 are conflated by member and turn", async () => {
    const { world, watcher } = await watched();
    const [peer, other] = [await world.peer(), await world.peer()];
    await peer.subscribe(room);
    await other.subscribe(room, { member: { name: "Bob" } });
    watcher.forget();
    for (const name of ["A", "Ad", "Ada"]) peer.request(entering({ name }));
    other.request({ op: "presence", channel: room });
    other.request(entering({ name: "Bob" }));
    other.request(entering({ name: "Robert" }));
    await world.settle();
    expect(watcher.of("presence").length).toBe(1);
    expect(new Map(watcher.changesOf(room).map(({ type, member: { state } }) => [type, state]))).toEqual(
      new Map([
        ["presence:join", ada],
        ["presence:update", { name: "Robert" }],
      ]),
    );
    expect(watcher.changesOf(room).length).toBe(2);
  });

  it("PRE-4 of somebody who came and went in one turn are none", async () => {
    const { world, watcher } = await watched();
    const peer = await world.peer();
    await peer.subscribe(room);
    peer.request(entering(ada));
    peer.request({ op: "presence", channel: room });
    await world.settle();
    expect(watcher.of("presence")).toEqual([]);
  });

  it("PRE-4 that change nothing are none", async () => {
    const { world, watcher } = await watched();
    const peer = await world.peer();
    await peer.subscribe(room, { member: ada });
    watcher.forget();
    await peer.ask(entering(ada));
    peer.send({ op: "activity", activity: "active" });
    await world.settle();
    expect(watcher.of("presence")).toEqual([]);
  });

  it("PRE-4 are applied in the order in which they were sent, however long each permission takes", async () => {
    const answers: ((answer: boolean) => void)[] = [];
    const world = new World({
      contract: rooms,
      channels: { "room:{id}": { authorize: ({ action }) => (action === "presence" ? new Promise<boolean>((resolve) => answers.push(resolve)) : true) } },
    });
    const handle = world.server.channel("room:{id}", { id: "1" });
    const peer = await world.peer();
    await peer.subscribe(room);
    const ids = [peer.request(entering({ name: "first" })), peer.request(entering({ name: "second" })), peer.request({ op: "presence", channel: room })];
    await world.settle();
    answers[1]?.(true);
    await world.settle();
    answers[0]?.(true);
    await world.settle();
    answers[1]?.(true);
    await world.settle();
    expect(ids.map((id) => peer.replyTo(id)?.success)).toEqual([true, true, true]);
    expect(handle.members()).toEqual([]);
  });

  it.each([
    ["waits for permission", 0],
    ["waits for one before it", 1],
  ])("PRE-1 is not entered by a request that %s when its channel is left", async (_, index) => {
    const answers: ((answer: boolean) => void)[] = [];
    const world = new World({
      contract: rooms,
      channels: { "room:{id}": { authorize: ({ action }) => (action === "presence" ? new Promise<boolean>((resolve) => answers.push(resolve)) : true) } },
    });
    const peer = await world.peer();
    await peer.subscribe(room);
    const ids = [peer.request(entering({ name: "first" })), peer.request(entering({ name: "second" }))];
    await world.settle();
    await peer.ask({ op: "unsubscribe", channel: room });
    for (const answer of answers) answer(true);
    await world.settle();
    expect(peer.replyTo(ids[index]!)?.error?.code).toBe("NOT_SUBSCRIBED");
    expect(answers.length).toBe(1);
    expect(world.server.channel("room:{id}", { id: "1" }).members()).toEqual([]);
  });

  it("PRE-4 that a slow connection missed are made up for by the whole list, once", async () => {
    const world = new World({ contract: rooms, outboxBytesMax: 4_000 });
    await world.advance(2_000);
    const watcher = await world.peer();
    await watcher.subscribe(room, { presence: true });
    const peers = [await world.peer(), await world.peer()];
    for (const peer of peers) await peer.subscribe(room);
    watcher.forget();
    watcher.transport.stall();
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", { text: "x".repeat(2_500) });
    await world.settle();
    for (const name of ["A", "B", "C", "D", "E", "F"]) {
      for (const peer of peers) await peer.ask(entering({ name }));
    }
    expect(watcher.closeCode).toBeUndefined();
    watcher.transport.drain(watcher.events);
    await world.settle();
    expect(watcher.changesOf(room)).toEqual([]);
    expect(watcher.listsOf(room).map((members) => members.map(({ state }) => state))).toEqual([[{ name: "F" }, { name: "F" }]]);
    await peers[0]?.ask(entering({ name: "G" }));
    expect(watcher.changesOf(room)).toMatchObject([{ type: "presence:update", member: { state: { name: "G" } } }]);
  });

  it("SUB-2 that are owed to a slow connection are forgotten when it unsubscribes", async () => {
    const world = new World({ contract: rooms, outboxBytesMax: 4_000 });
    await world.advance(2_000);
    const watcher = await world.peer();
    await watcher.subscribe(room, { presence: true });
    const peer = await world.peer();
    watcher.forget();
    watcher.transport.stall();
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", { text: "x".repeat(2_500) });
    await world.settle();
    await peer.subscribe(room, { member: ada });
    watcher.request({ op: "unsubscribe", channel: room });
    await world.settle();
    watcher.transport.drain(watcher.events);
    await world.settle();
    expect(watcher.frames.map(({ op }) => op)).toEqual(["events", "reply"]);
  });

  it("PRE-4 follow the list without saying again what stands in it", async () => {
    const world = newWorld();
    await world.advance(2_000);
    const first = await world.peer();
    const id = first.request({ op: "subscribe", channel: room, presence: true, member: ada });
    await world.settle();
    expect(first.replyTo(id)?.success).toBe(true);
    expect(first.listsOf(room)).toEqual([[]]);
    expect(first.changesOf(room)).toMatchObject([{ type: "presence:join", member: { session: world.sessionOf(first) } }]);
    const second = await world.peer();
    first.send({ op: "activity", activity: "idle" });
    second.request({ op: "subscribe", channel: room, presence: true });
    await world.settle();
    expect(second.listsOf(room)).toMatchObject([[{ activity: "active" }]]);
    expect(second.changesOf(room)).toMatchObject([{ type: "presence:update", member: { activity: "idle" } }]);
  });
});

describe("what others see", () => {
  it("PRE-5 joins, updates and leaves, each with the member", async () => {
    const { world, watcher } = await watched();
    const peer = await world.peer({ token: "ada" });
    const session = world.sessionOf(peer);
    await peer.subscribe(room, { member: ada });
    await peer.ask(entering({ name: "Ada L." }));
    await peer.ask({ op: "presence", channel: room });
    expect(watcher.changesOf(room)).toMatchObject([
      { type: "presence:join", member: { session, user: "ada", state: ada } },
      { type: "presence:update", member: { session, user: "ada", state: { name: "Ada L." } } },
      { type: "presence:leave", member: { session, user: "ada", state: { name: "Ada L." } } },
    ]);
  });

  it("PRE-5 activity, in all channels of the connection", async () => {
    const { world, watcher } = await watched();
    const peer = await world.peer();
    await watcher.subscribe("room:2", { presence: true });
    for (const channel of [room, "room:2"]) await peer.subscribe(channel, { member: ada });
    watcher.forget();
    peer.send({ op: "activity", activity: "idle" });
    await world.settle();
    for (const channel of [room, "room:2"]) {
      expect(watcher.changesOf(channel)).toMatchObject([{ type: "presence:update", member: { activity: "idle", state: ada } }]);
    }
  });

  it("PRE-5 activity that was told before entering", async () => {
    const { world } = await watched();
    const peer = await world.peer();
    peer.send({ op: "activity", activity: "idle" });
    await peer.subscribe(room, { member: ada });
    expect(handleOf(world).members()).toMatchObject([{ activity: "idle" }]);
  });

  it("PRE-3 somebody on two devices, as two members of one user", async () => {
    const world = newWorld();
    for (let device = 0; device < 2; device++) await (await world.peer({ token: "ada" })).subscribe(room, { member: ada });
    expect(handleOf(world).members().map(({ user }) => user)).toEqual(["ada", "ada"]);
  });

  it("PRE-1 leaves nothing of a closed server behind", async () => {
    const { world, watcher } = await watched();
    const peer = await world.peer();
    await peer.subscribe(room, { member: ada });
    peer.drop();
    const closed = world.server.close();
    await world.settle();
    await closed;
    expect(world.environment.timerCount).toBe(0);
    expect(watcher.closeCode).toBe(4102);
  });
});
