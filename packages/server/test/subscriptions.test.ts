import { TuttiError } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "room:1";
const text = (value: string) => ({ text: value });

/** Something that a test lets an application decide, when it wants it to. */
function decision<Value>() {
  const waiting: ((value: Value | PromiseLike<Value>) => void)[] = [];
  return {
    ask: () => new Promise<Value>((resolve) => waiting.push(resolve)),
    decide: (value: Value | PromiseLike<Value>) => waiting.shift()?.(value),
  };
}

describe("a subscription", () => {
  it("SUB-1 is answered with the position from which its events follow", async () => {
    const world = new World({ contract: rooms });
    const handle = world.server.channel("room:{id}", { id: "1" });
    const { position, eventId } = await handle.publish("note:add", text("before"));
    const peer = await world.peer();
    expect(await peer.subscribe(room)).toEqual({ position: { ...position, eventId } });
    await handle.publish("note:add", text("after"));
    await world.settle();
    expect(peer.eventsOf(room)).toMatchObject([{ prev: position.seq, payload: text("after") }]);
  });

  it("SUB-1 is answered with the state at that position, where the channel has one", async () => {
    const world = new World({ contract: rooms });
    const handle = world.server.channel("board:{id}", { id: "1" });
    await handle.publish("note:add", text("one"));
    const { position, eventId } = await handle.publish("note:add", text("two"));
    const peer = await world.peer();
    expect(await peer.subscribe("board:1")).toEqual({ position: { ...position, eventId }, snapshot: { version: 1, state: ["one", "two"] } });
  });

  it("SUB-1 is answered before anything of the channel", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    const id = peer.request({ op: "subscribe", channel: room, presence: true, member: { name: "Ada" } });
    const publishing = world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("x"));
    await world.settle();
    await publishing;
    const ops = peer.frames.map(({ op }) => op).filter((op) => op !== "welcome");
    expect(ops[0]).toBe("reply");
    expect(peer.replyTo(id)?.success).toBe(true);
  });

  it("SUB-2 reaches its channel's subscribers and no one else", async () => {
    const world = new World({ contract: rooms });
    const [inside, elsewhere, nowhere] = [await world.peer(), await world.peer(), await world.peer()];
    await inside.subscribe(room);
    await elsewhere.subscribe("room:2");
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("x"));
    await world.settle();
    expect(inside.eventsOf(room).length).toBe(1);
    expect(elsewhere.of("events")).toEqual([]);
    expect(nowhere.of("events")).toEqual([]);
  });

  it("SUB-2 brings nothing after unsubscribe", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    const handle = world.server.channel("room:{id}", { id: "1" });
    await peer.subscribe(room, { presence: true });
    expect(await peer.codeOf({ op: "unsubscribe", channel: room })).toBeUndefined();
    peer.forget();
    await handle.publish("note:add", text("x"));
    await handle.signal("cursor:move", { x: 1 });
    const other = await world.peer();
    await other.subscribe(room, { member: { name: "Bob" } });
    expect(peer.frames).toEqual([]);
    expect(world.server.stats().subscriptions).toBe(1);
  });

  it("SUB-2 brings nothing of what was appended in the turn of the unsubscribe, once that is answered", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    await peer.subscribe(room);
    const publishing = world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("x"));
    await peer.ask({ op: "unsubscribe", channel: room });
    await publishing;
    const ops = peer.frames.map(({ op }) => op);
    expect(ops.lastIndexOf("events")).toBeLessThan(ops.lastIndexOf("reply"));
  });

  it("SUB-2 that is asked for again replaces the one before it", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    await peer.subscribe(room);
    await peer.subscribe(room);
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("x"));
    await world.settle();
    expect(peer.eventsOf(room).length).toBe(1);
    expect(world.server.stats().subscriptions).toBe(1);
  });

  it("SUB-2 cannot be ended where there is none", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    expect(await peer.codeOf({ op: "unsubscribe", channel: room })).toBe("NOT_SUBSCRIBED");
    expect(await peer.codeOf({ op: "presence", channel: room, member: { name: "Ada" } })).toBe("NOT_SUBSCRIBED");
  });

  it("SUB-2 that is given up on its way never starts", async () => {
    const { ask, decide } = decision<boolean>();
    const world = new World({ contract: rooms, channels: { "room:{id}": { authorize: ask } } });
    const peer = await world.peer();
    const id = peer.request({ op: "subscribe", channel: room });
    await world.settle();
    expect(await peer.codeOf({ op: "unsubscribe", channel: room })).toBeUndefined();
    decide(true);
    await world.settle();
    expect(peer.replyTo(id)?.error?.code).toBe("NOT_SUBSCRIBED");
    expect(world.server.stats().subscriptions).toBe(0);
  });

  it("SUB-2 whose start cannot be sent is refused, and brings nothing", async () => {
    const world = new World({ contract: rooms });
    const handle = world.server.channel("board:{id}", { id: "1" });
    await handle.publish("note:add", text("x"));
    const peer = await world.peer();
    const unsendable = await world.broker.inner.head("board:1");
    await world.broker.inner.saveSnapshot("board:1", { position: unsendable.position, version: 1, state: [new Date(0)] });
    expect(await peer.codeOf({ op: "subscribe", channel: "board:1", member: 1 })).toBe("INTERNAL");
    await handle.publish("note:add", text("y"));
    await world.settle();
    expect(peer.of("events")).toEqual([]);
    expect(world.server.stats().subscriptions).toBe(0);
    expect(handle.members()).toEqual([]);
  });
});

describe("permission", () => {
  it.each([
    ["no pattern matches", "hall:1", "ROOM_NOT_FOUND"],
    ["the application says that there is none", "room:missing", "ROOM_NOT_FOUND"],
    ["the application says no", "room:secret", "FORBIDDEN"],
    ["the application has a reason of its own", "room:full", "ROOM_FULL"],
    ["the application fails", "room:crash", "INTERNAL"],
    ["the name is none", "room:1:2:3", "CHANNEL_INVALID"],
    ["the name is one of a prototype", "constructor:toString", "ROOM_NOT_FOUND"],
  ])("SUB-3 is refused where %s", async (_, channel, code) => {
    const world = new World({
      contract: rooms,
      channels: {
        "room:{id}": {
          exists: ({ params }) => params.id !== "missing",
          authorize: ({ params }) => {
            if (params.id === "full") throw new TuttiError("ROOM_FULL");
            if (params.id === "crash") throw new Error("oops");
            return params.id !== "secret";
          },
        },
      },
    });
    const peer = await world.peer();
    expect(await peer.codeOf({ op: "subscribe", channel })).toBe(code);
    expect(world.server.stats()).toMatchObject({ channels: 0, subscriptions: 0 });
    expect(peer.closeCode).toBeUndefined();
  });

  it("SUB-3 comes before anything of the channel is read or sent", async () => {
    const { ask, decide } = decision<boolean>();
    const world = new World({ contract: rooms, channels: { "room:{id}": { authorize: ask } } });
    const peer = await world.peer();
    peer.request({ op: "subscribe", channel: room, presence: true, since: { epoch: "x", seq: 0 } });
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("x"));
    await world.settle();
    // What nodes tell each other is told whoever asks for what.
    const callsToTheLog = (): string[] => world.broker.calls.filter((call) => call !== "listen" && call !== "broadcast");
    expect(callsToTheLog()).toEqual(["append"]);
    expect(peer.frames.map(({ op }) => op)).toEqual(["welcome"]);
    decide(false);
    await world.settle();
    expect(callsToTheLog()).toEqual(["append"]);
  });

  it("SUB-3 is waited for, whatever kind of promise it is", async () => {
    // oxlint-disable-next-line no-thenable -- queries of several database libraries are this: no Promise, and not yet run
    const lazy = (answer: boolean): unknown => ({ then: (resolve: (answer: boolean) => void) => resolve(answer) });
    const world = new World({ contract: rooms, channels: { "room:{id}": { authorize: ({ params }) => lazy(params.id === "1") as Promise<boolean> } } });
    const peer = await world.peer();
    expect(await peer.codeOf({ op: "subscribe", channel: room })).toBeUndefined();
    expect(await peer.codeOf({ op: "subscribe", channel: "room:2" })).toBe("FORBIDDEN");
    expect(await peer.codeOf(peer.publishing("room:2", 1, text("x")))).toBe("FORBIDDEN");
  });

  it("SUB-3 is nothing but a yes", async () => {
    const rows: unknown = [];
    const world = new World({ contract: rooms, channels: { "room:{id}": { authorize: async () => rows as boolean } } });
    const peer = await world.peer();
    expect(await peer.codeOf({ op: "subscribe", channel: room })).toBe("FORBIDDEN");
  });

  it("SUB-3 is asked for each thing that is done, with who does it", async () => {
    const asked: string[] = [];
    const world = new World({
      contract: rooms,
      authenticate: () => ({ id: "ada" }),
      channels: { "room:{id}": { authorize: ({ action, type, user, params }) => asked.push(`${user?.id} ${action} ${type} ${params.id}`) > 0, calls: { "note:count": () => ({ count: 0 }) } } },
    });
    const peer = await world.peer();
    await peer.subscribe(room, { member: { name: "Ada" } });
    await peer.ask(peer.publishing(room, 1, text("x")));
    await peer.ask({ op: "call", channel: room, type: "note:count", payload: { of: "x" }, timestamp: 0 });
    peer.send({ op: "signal", channel: room, type: "cursor:move", payload: { x: 1 } });
    expect(asked).toEqual(["ada subscribe undefined 1", "ada presence undefined 1", "ada publish note:add 1", "ada call note:count 1", "ada signal cursor:move 1"]);
  });

  it("SUB-3 that fails for a passing reason of the broker may be asked again", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    for (const operation of ["subscribe", "head"] as const) {
      world.broker.failNext(operation);
      expect(await peer.codeOf({ op: "subscribe", channel: room })).toBe("UNAVAILABLE");
      expect(world.broker.listenerCount).toBe(0);
    }
    world.broker.failNext("read");
    expect(await peer.codeOf({ op: "subscribe", channel: room, since: { epoch: "x", seq: 0 } })).toBe("UNAVAILABLE");
    await peer.subscribe(room);
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("x"));
    await world.settle();
    expect(peer.payloadsOf(room)).toEqual([text("x")]);
  });
});

describe("shutting out", () => {
  const withAda = () => new World({ contract: rooms, authenticate: ({ token }) => (token === undefined ? undefined : { id: token }) });
  const handleOf = (world: ReturnType<typeof withAda>) => world.server.channel("room:{id}", { id: "1" });

  it("SUB-4 kick ends the subscriptions of a user with KICKED and the reason, on all devices, and nothing follows", async () => {
    const world = withAda();
    const [phone, laptop, bob] = [await world.peer({ token: "ada" }), await world.peer({ token: "ada" }), await world.peer({ token: "bob" })];
    for (const peer of [phone, laptop, bob]) await peer.subscribe(room, { presence: true, member: { name: "x" } });
    void handleOf(world).kick({ user: "ada" }, "Please be kind.");
    for (const peer of [phone, laptop]) peer.forget();
    await handleOf(world).publish("note:add", text("secret"));
    await handleOf(world).signal("cursor:move", { x: 1 });
    await world.settle();
    for (const peer of [phone, laptop]) {
      expect(peer.frames).toEqual([{ op: "left", channel: room, error: { code: "KICKED", message: "Please be kind." } }]);
      expect(peer.closeCode).toBeUndefined();
    }
    expect(bob.payloadsOf(room)).toEqual([text("secret")]);
    expect(bob.of("left")).toEqual([]);
    expect(handleOf(world).members().map(({ user }) => user)).toEqual(["bob"]);
  });

  it("SUB-4 kick of a session leaves the user's others", async () => {
    const world = withAda();
    const [phone, laptop] = [await world.peer({ token: "ada" }), await world.peer({ token: "ada" })];
    await phone.subscribe(room);
    await laptop.subscribe(room);
    void handleOf(world).kick({ session: world.sessionOf(phone) }, "off");
    await world.settle();
    expect(phone.of("left").length).toBe(1);
    expect(laptop.of("left")).toEqual([]);
  });

  it("SUB-4 kick delivers nothing of what the turn had brought until then", async () => {
    const world = withAda();
    const ada = await world.peer({ token: "ada" });
    await ada.subscribe(room);
    const publishing = handleOf(world).publish("note:add", text("secret"));
    await Promise.resolve();
    void handleOf(world).kick({ user: "ada" }, "now");
    await publishing;
    await world.settle();
    expect(ada.of("events")).toEqual([]);
    expect(ada.of("left").length).toBe(1);
  });

  it("SUB-4 revoke ends with SUBSCRIPTION_REVOKED", async () => {
    const world = withAda();
    const ada = await world.peer({ token: "ada" });
    await ada.subscribe(room);
    void handleOf(world).revoke({ user: "ada" });
    await handleOf(world).publish("note:add", text("secret"));
    await world.settle();
    expect(ada.of("left").map(({ error }) => error.code)).toEqual(["SUBSCRIPTION_REVOKED"]);
    expect(ada.of("events")).toEqual([]);
  });

  it.each([
    ["while the application thinks about it", "authorize"],
    ["while the channel opens", "subscribe"],
    ["while its start is looked for", "read"],
  ] as const)("SUB-4 a subscription that is kicked %s is refused with the reason", async (_, point) => {
    const { ask, decide } = decision<boolean>();
    const world = new World({ contract: rooms, channels: { "room:{id}": { authorize: ({ action }) => (point === "authorize" && action === "subscribe" ? ask() : true) } } });
    const peer = await world.peer();
    const release = point === "authorize" ? () => decide(true) : world.broker.holdNext(point);
    const id = peer.request({ op: "subscribe", channel: room, since: { epoch: "x", seq: 0 }, presence: true, member: { name: "Ada" } });
    await world.settle();
    const handle = world.server.channel("room:{id}", { id: "1" });
    void handle.kick({ session: world.sessionOf(peer) }, "Please be kind.");
    release();
    await world.settle();
    await handle.publish("note:add", text("secret"));
    await world.settle();
    expect(peer.replyTo(id)?.error).toEqual({ code: "KICKED", message: "Please be kind." });
    expect(peer.frames.map(({ op }) => op)).toEqual(["welcome", "reply"]);
    expect(handle.members()).toEqual([]);
    await world.advance(32_000);
    expect(world.server.stats()).toMatchObject({ subscriptions: 0, channels: 0 });
  });

  it("SUB-7 close ends the subscriptions with ROOM_NOT_FOUND and refuses what comes later", async () => {
    const world = withAda();
    const peer = await world.peer();
    await peer.subscribe(room);
    await peer.subscribe("room:2");
    void handleOf(world).close();
    await world.settle();
    expect(peer.of("left")).toMatchObject([{ channel: room, error: { code: "ROOM_NOT_FOUND" } }]);
    expect(await peer.codeOf({ op: "subscribe", channel: room })).toBe("ROOM_NOT_FOUND");
    expect(await peer.codeOf(peer.publishing(room, 1, text("x")))).toBe("ROOM_NOT_FOUND");
    expect(await peer.codeOf({ op: "call", channel: room, type: "note:count", payload: { of: "x" }, timestamp: 0 })).toBe("ROOM_NOT_FOUND");
    expect(await peer.codeOf(peer.publishing("room:2", 1, text("x")))).toBeUndefined();
  });

  it("SUB-7 close while the application looks whether there is one refuses too", async () => {
    const { ask, decide } = decision<boolean>();
    const world = new World({ contract: rooms, channels: { "room:{id}": { exists: ask } } });
    const peer = await world.peer();
    const ids = [peer.request({ op: "subscribe", channel: room }), peer.request(peer.publishing(room, 1, text("x")))];
    await world.settle();
    void world.server.channel("room:{id}", { id: "1" }).close();
    decide(true);
    decide(true);
    await world.settle();
    expect(ids.map((id) => peer.replyTo(id)?.error?.code)).toEqual(["ROOM_NOT_FOUND", "ROOM_NOT_FOUND"]);
  });

  it("SUB-7 close forgets who had been put in", async () => {
    const world = withAda();
    await handleOf(world).add({ user: "ada" });
    void handleOf(world).close();
    const ada = await world.peer({ token: "ada" });
    expect(ada.frames.map(({ op }) => op)).toEqual(["welcome"]);
    await expect(handleOf(world).add({ user: "ada" })).rejects.toMatchObject({ code: "ROOM_NOT_FOUND" });
  });
});

describe("a namespace", () => {
  it("SUB-6 limits how many of its channels a connection holds", async () => {
    const world = new World({ namespaces: { room: { subscriptionsMax: 2 } } });
    const peer = await world.peer();
    await peer.subscribe("room:1");
    await peer.subscribe("room:2");
    expect(await peer.codeOf({ op: "subscribe", channel: "room:3" })).toBe("LIMIT_EXCEEDED");
    await peer.subscribe("room:2");
    await peer.subscribe("hall:1");
    await peer.ask({ op: "unsubscribe", channel: "room:1" });
    await peer.subscribe("room:3");
  });

  it("SUB-6 says whether clients may subscribe and publish", async () => {
    const world = new World({ contract: rooms, namespaces: { room: { clientPublish: false }, board: { clientSubscribe: false } } });
    const peer = await world.peer();
    await peer.subscribe(room);
    expect(await peer.codeOf(peer.publishing(room, 1, text("x")))).toBe("FORBIDDEN");
    peer.send({ op: "signal", channel: room, type: "cursor:move", payload: { x: 1 } });
    await world.settle();
    expect(peer.errorCodes).toEqual(["FORBIDDEN"]);
    expect(await peer.codeOf({ op: "subscribe", channel: "board:1" })).toBe("FORBIDDEN");
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("the server may"));
    await world.settle();
    expect(peer.payloadsOf(room)).toEqual([text("the server may")]);
  });

  it("SUB-6 is none of Object's prototype", async () => {
    const world = new World({ namespaces: {} });
    const peer = await world.peer();
    await peer.subscribe("constructor:toString");
    await peer.subscribe("__proto__:__proto__");
    expect(await peer.codeOf(peer.publishing("__proto__:__proto__", 1, "x"))).toBeUndefined();
    expect(peer.payloadsOf("__proto__:__proto__")).toEqual(["x"]);
  });
});

describe("bounds", () => {
  it("LIM-2 a connection holds subscriptionsMax channels", async () => {
    const world = new World({ subscriptionsMax: 2 });
    const peer = await world.peer();
    await peer.subscribe("room:1");
    await peer.subscribe("room:2");
    expect(await peer.codeOf({ op: "subscribe", channel: "room:3" })).toBe("LIMIT_EXCEEDED");
    expect(peer.closeCode).toBeUndefined();
    await (await world.peer()).subscribe("room:3");
  });

  it("LIM-2 counts what is on its way, and forgets what was refused", async () => {
    const { ask, decide } = decision<boolean>();
    const world = new World({ subscriptionsMax: 1, channels: { "room:{id}": { authorize: ask } } });
    const peer = await world.peer();
    peer.request({ op: "subscribe", channel: "room:1" });
    expect(await peer.codeOf({ op: "subscribe", channel: "room:2" })).toBe("LIMIT_EXCEEDED");
    decide(false);
    await world.settle();
    await peer.subscribe("hall:1");
  });
});
