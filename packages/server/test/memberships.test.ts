import { describe, expect, it } from "vitest";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "room:1";
const text = (value: string) => ({ text: value });

const closedRooms = (authorize: () => boolean | Promise<boolean> = () => false) =>
  new World({
    contract: rooms,
    authenticate: ({ token }) => (token === undefined ? undefined : { id: token }),
    channels: { "room:{id}": { authorize: ({ action }) => (action === "subscribe" ? authorize() : true) } },
  });
const handleOf = (world: ReturnType<typeof closedRooms>) => world.server.channel("room:{id}", { id: "1" });

describe("whom the application puts in", () => {
  it("SUB-5 a user is in on all devices, and nobody is asked for permission", async () => {
    let asked = 0;
    const world = closedRooms(() => asked++ < 0);
    const [phone, laptop, bob] = [await world.peer({ token: "ada" }), await world.peer({ token: "ada" }), await world.peer({ token: "bob" })];
    const { position, eventId } = await handleOf(world).publish("note:add", text("before"));
    await handleOf(world).add({ user: "ada" });
    await handleOf(world).publish("note:add", text("after"));
    await world.settle();
    for (const peer of [phone, laptop]) {
      expect(peer.of("joined")).toEqual([{ op: "joined", channel: room, start: { position: { ...position, eventId } } }]);
      expect(peer.payloadsOf(room)).toEqual([text("after")]);
    }
    expect(bob.of("joined")).toEqual([]);
    expect(asked).toBe(0);
  });

  it("SUB-5 a session is in by itself", async () => {
    const world = closedRooms();
    const [phone, laptop] = [await world.peer({ token: "ada" }), await world.peer({ token: "ada" })];
    await handleOf(world).add({ session: world.sessionOf(phone) });
    await world.settle();
    expect(phone.of("joined").length).toBe(1);
    expect(laptop.of("joined")).toEqual([]);
  });

  it("SUB-5 a session is not taken for a user who is called like it", async () => {
    const world = closedRooms();
    const phone = await world.peer({ token: "ada" });
    await handleOf(world).add({ session: world.sessionOf(phone) });
    expect((await world.peer({ token: world.sessionOf(phone) })).of("joined")).toEqual([]);
  });

  it("SUB-5 a connection that comes later is put in as well", async () => {
    const world = closedRooms();
    await handleOf(world).add({ user: "ada" });
    const ada = await world.peer({ token: "ada" });
    expect(ada.of("joined").map(({ channel }) => channel)).toEqual([room]);
    expect((await world.peer({ token: "bob" })).of("joined")).toEqual([]);
  });

  it("SUB-5 keeps users with names that JavaScript fears apart", async () => {
    const world = closedRooms();
    await handleOf(world).add({ user: "__proto__" });
    expect((await world.peer({ token: "constructor" })).of("joined")).toEqual([]);
    expect((await world.peer({ token: "__proto__" })).of("joined").length).toBe(1);
  });

  it("SUB-5 who is in may subscribe by itself, from its last position", async () => {
    const world = closedRooms();
    await handleOf(world).add({ user: "ada" });
    const { position } = await handleOf(world).publish("note:add", text("one"));
    await handleOf(world).publish("note:add", text("two"));
    const ada = await world.peer({ token: "ada" });
    await ada.subscribe(room, { since: position });
    expect(ada.payloadsOf(room)).toEqual([text("two")]);
  });

  it("SUB-5 is taken out with KICKED, and later connections stay out", async () => {
    const world = closedRooms();
    const ada = await world.peer({ token: "ada" });
    await handleOf(world).add({ user: "ada" });
    void handleOf(world).remove({ user: "ada" });
    await handleOf(world).publish("note:add", text("x"));
    await world.settle();
    expect(ada.of("left")).toMatchObject([{ channel: room, error: { code: "KICKED" } }]);
    expect(ada.of("events")).toEqual([]);
    expect(await ada.codeOf({ op: "subscribe", channel: room })).toBe("FORBIDDEN");
    expect((await world.peer({ token: "ada" })).of("joined")).toEqual([]);
  });

  it("SUB-5 leaves a subscription alone that is there already", async () => {
    const world = closedRooms(() => true);
    const ada = await world.peer({ token: "ada" });
    await ada.subscribe(room);
    await handleOf(world).add({ user: "ada" });
    await handleOf(world).publish("note:add", text("x"));
    await world.settle();
    expect(ada.of("joined")).toEqual([]);
    expect(ada.payloadsOf(room)).toEqual([text("x")]);
  });

  it("SUB-5 gets in a request that waits for permission just then", async () => {
    let refuse = (_answer: boolean): void => {};
    const world = closedRooms(() => new Promise((resolve) => (refuse = resolve)));
    const ada = await world.peer({ token: "ada" });
    const id = ada.request({ op: "subscribe", channel: room });
    await world.settle();
    await handleOf(world).add({ user: "ada" });
    refuse(false);
    await world.settle();
    expect(ada.replyTo(id)?.success).toBe(true);
    expect(ada.of("left")).toEqual([]);
  });

  it("SUB-5 is not told that it left where its own request takes the place of the server's", async () => {
    const world = closedRooms();
    await handleOf(world).add({ user: "ada" });
    const release = world.broker.holdNext("subscribe");
    const ada = await world.peer({ token: "ada" });
    const id = ada.request({ op: "subscribe", channel: room });
    await world.settle();
    release();
    await world.settle();
    expect(ada.replyTo(id)?.success).toBe(true);
    expect(ada.of("left")).toEqual([]);
    expect(ada.of("joined")).toEqual([]);
    await handleOf(world).publish("note:add", text("x"));
    await world.settle();
    expect(ada.payloadsOf(room)).toEqual([text("x")]);
  });

  it("SUB-5 is told why it could not be put in", async () => {
    const world = closedRooms();
    const ada = await world.peer({ token: "ada" });
    world.broker.failNext("subscribe");
    await handleOf(world).add({ user: "ada" });
    await world.settle();
    expect(ada.of("left")).toMatchObject([{ channel: room, error: { code: "UNAVAILABLE" } }]);
  });

  it("SUB-5 has the deep state of a channel sent whole", async () => {
    const world = new World({ contract: rooms, authenticate: () => ({ id: "ada" }) });
    let deep: unknown = "leaf";
    for (let depth = 0; depth < 60; depth++) deep = [deep];
    const handle = world.server.channel("board:{id}", { id: "1" });
    const { position } = await handle.publish("note:add", text("x"));
    await world.broker.inner.saveSnapshot("board:1", { position, version: 1, state: [deep] });
    await handle.add({ user: "ada" });
    const ada = await world.peer();
    expect(ada.of("joined")[0]?.start.snapshot?.state).toEqual([deep]);
    expect((await ada.subscribe("board:1")).snapshot?.state).toEqual([deep]);
  });
});
