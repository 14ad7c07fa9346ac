import { TuttiError } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { memoryBroker } from "@tutti/server";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "room:1";
const text = (value: string) => ({ text: value });

/** What stands in the log, as a reader from its beginning finds it. */
async function logOf(world: World<typeof rooms>, channel = room) {
  const { position } = await world.broker.inner.head(channel);
  const page = await world.broker.inner.read(channel, { epoch: position.epoch, seq: 0 }, { countMax: 1_000 });
  return page.outcome === "page" ? page.run.events : [];
}

const textsOf = async (world: World<typeof rooms>, channel = room): Promise<unknown[]> => (await logOf(world, channel)).map(({ payload }) => payload);

/** A world whose handler writes down what it handled, and waits where a test wants it to. */
function handling(handle: (value: string) => unknown = () => undefined) {
  const handled: string[] = [];
  const world = new World({
    contract: rooms,
    channels: {
      "room:{id}": {
        publish: {
          "note:add": async ({ payload }) => {
            handled.push(payload.text);
            await handle(payload.text);
          },
        },
      },
    },
  });
  return { world, handled };
}

describe("a publish", () => {
  it("PUB-1 is in the log once, where the ack says, and reaches every subscriber, its publisher too", async () => {
    const world = new World({ contract: rooms });
    const [publisher, other] = [await world.peer(), await world.peer()];
    await publisher.subscribe(room);
    await other.subscribe(room);
    const reply = await publisher.ask(publisher.publishing(room, 1, text("hello")));
    const [event, ...more] = await logOf(world);
    expect(more).toEqual([]);
    const { epoch } = (await world.broker.inner.head(room)).position;
    expect(reply).toMatchObject({ success: true, data: { position: { epoch, seq: event?.seq }, eventId: `${world.sessionOf(publisher)}:1` } });
    for (const peer of [publisher, other]) {
      expect(peer.eventsOf(room)).toMatchObject([{ epoch, seq: event?.seq, prev: 0, eventId: event?.eventId, type: "note:add", payload: text("hello") }]);
    }
  });

  it("PUB-1 is acknowledged and seen in the same turn", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    await peer.subscribe(room);
    const id = peer.request(peer.publishing(room, 1, text("hello")));
    await world.environment.tick();
    expect(peer.replyTo(id)?.success).toBe(true);
    expect(peer.payloadsOf(room)).toEqual([text("hello")]);
  });

  it("PUB-1 bears the user and the server's clock", async () => {
    const world = new World({ contract: rooms, authenticate: () => ({ id: "ada" }) });
    const peer = await world.peer();
    await peer.ask(peer.publishing(room, 1, text("hello"), { timestamp: 5 }));
    expect(await logOf(world)).toMatchObject([{ user: "ada", timestamp: world.environment.now() }]);
  });

  it("PUB-1 needs no subscription", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    expect(await peer.codeOf(peer.publishing(room, 1, text("hello")))).toBeUndefined();
    expect(peer.eventsOf(room)).toEqual([]);
  });

  it("CTR-2 publishes what the schema makes of the payload", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    await peer.ask(peer.publishing(room, 1, { at: "42", more: true }, { type: "note:at" }));
    expect(await textsOf(world)).toEqual([{ at: 42 }]);
  });

  it.each([
    ["a payload against its schema", room, "note:add", { text: 1 }, "PAYLOAD_INVALID", "payload.text"],
    ["no payload", room, "note:add", undefined, "PAYLOAD_INVALID", "payload"],
    ["a type that the contract does not have", room, "note:burn", {}, "TYPE_UNKNOWN", "type"],
    ["a type of Object's prototype", room, "constructor", {}, "TYPE_UNKNOWN", "type"],
    ["a type that JavaScript fears", room, "__proto__", {}, "TYPE_UNKNOWN", "type"],
    ["a channel of no pattern", "hall:1", "note:add", text("x"), "ROOM_NOT_FOUND", undefined],
    ["a channel that is none", "hall", "note:add", text("x"), "CHANNEL_INVALID", "channel"],
  ])("CTR-3 refuses %s, and names the field", async (_, channel, type, payload, code, field) => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    const { error } = await peer.ask(peer.publishing(channel, 1, payload, { type }));
    expect(error).toMatchObject({ code, ...(field !== undefined && { field }) });
    expect(await textsOf(world)).toEqual([]);
    expect(peer.closeCode).toBeUndefined();
  });
});

describe("a repeat", () => {
  it("PUB-2 is answered with the first one's position, and the handler does not run", async () => {
    const { world, handled } = handling();
    const peer = await world.peer();
    const first = await peer.ask(peer.publishing(room, 1, text("one")));
    const repeat = await peer.ask(peer.publishing(room, 1, text("one"), { retry: true }));
    expect(repeat.data).toEqual({ ...Object(first.data), repeat: true });
    expect(handled).toEqual(["one"]);
    expect((await logOf(world)).length).toBe(1);
  });

  it("PUB-2 is known by its n also where the client does not call it a repeat", async () => {
    const { world, handled } = handling();
    const peer = await world.peer();
    await peer.ask(peer.publishing(room, 1, text("one")));
    expect(await peer.ask(peer.publishing(room, 1, text("one")))).toMatchObject({ data: { repeat: true } });
    expect(handled).toEqual(["one"]);
  });

  it("PUB-2 is known after a reconnect, whatever it brings now", async () => {
    const { world, handled } = handling();
    const secret = "the-secret-of-a-session";
    const before = await world.peer({ secret });
    const first = await before.ask(before.publishing(room, 1, text("one")));
    before.drop();
    const after = await world.peer({ secret });
    const repeat = await after.ask(after.publishing(room, 1, text("another"), { retry: true }));
    expect(repeat.data).toEqual({ ...Object(first.data), repeat: true, payload: text("one") });
    expect(handled).toEqual(["one"]);
    expect(await textsOf(world)).toEqual([text("one")]);
  });

  it("PUB-2 of what is under way is answered with it, and handled once", async () => {
    const { world, handled } = handling();
    const peer = await world.peer();
    const release = world.broker.holdNext("append");
    const ids = [peer.request(peer.publishing(room, 1, text("one"))), peer.request(peer.publishing(room, 1, text("one"), { retry: true }))];
    await world.settle();
    expect(ids.map((id) => peer.replyTo(id))).toEqual([undefined, undefined]);
    release();
    await world.settle();
    const [first, second] = ids.map((id) => peer.replyTo(id)?.data);
    expect(first).toMatchObject({ position: { seq: 1 } });
    expect(second).toEqual(first);
    expect(handled).toEqual(["one"]);
    expect((await logOf(world)).length).toBe(1);
  });

  it("PUB-2 of what is under way and fails is told so too", async () => {
    const { world } = handling();
    const peer = await world.peer();
    const answer = world.broker.holdAnswerOfNext("append");
    const ids = [1, 1].map((n) => peer.request(peer.publishing(room, n, text("one"), { retry: true })));
    await world.settle();
    answer(true);
    await world.settle();
    expect(ids.map((id) => peer.replyTo(id)?.error?.code)).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
  });

  it("PUB-2 counts for each session and channel by itself", async () => {
    const { world } = handling();
    const [first, second] = [await world.peer(), await world.peer()];
    await first.ask(first.publishing(room, 1, text("one")));
    expect(await second.ask(second.publishing(room, 1, text("two")))).toMatchObject({ data: { position: { seq: 2 } } });
    expect(await first.ask(first.publishing("room:2", 1, text("three")))).toMatchObject({ data: { position: { seq: 1 } } });
  });

  it("PUB-2 whose first one landed is told so also where the room was closed since", async () => {
    const { world } = handling();
    const secret = "the-secret-of-a-session";
    const before = await world.peer({ secret });
    const first = await before.ask(before.publishing(room, 1, text("one")));
    before.drop();
    void world.server.channel("room:{id}", { id: "1" }).close();
    const after = await world.peer({ secret });
    expect((await after.ask(after.publishing(room, 1, text("one"), { retry: true }))).data).toEqual({ ...Object(first.data), repeat: true });
  });
});

describe("order", () => {
  it("PUB-3 refuses a jump, and takes the publishes once they come in order", async () => {
    const { world, handled } = handling();
    const peer = await world.peer();
    expect(await peer.codeOf(peer.publishing(room, 2, text("two"), { settled: 0 }))).toBe("OUT_OF_ORDER");
    expect(handled).toEqual([]);
    for (const [n, value] of [[1, "one"], [2, "two"]] as const) {
      expect(await peer.codeOf(peer.publishing(room, n, text(value), { settled: 0, retry: true }))).toBeUndefined();
    }
    expect(await textsOf(world)).toEqual([text("one"), text("two")]);
  });

  it("PUB-3 keeps the order of publishes that are sent at once, however long the handler takes for each", async () => {
    const waits = new Map<string, () => void>();
    const { world } = handling((value) => new Promise<void>((resolve) => waits.set(value, resolve)));
    const peer = await world.peer();
    for (const [index, value] of ["one", "two", "three"].entries()) peer.request(peer.publishing(room, index + 1, text(value), { settled: 0 }));
    for (const value of ["one", "two", "three"]) {
      await world.settle();
      expect([...waits.keys()].at(-1)).toBe(value);
      waits.get(value)?.();
    }
    await world.settle();
    expect(await textsOf(world)).toEqual([text("one"), text("two"), text("three")]);
  });

  it("PUB-3 does not wait for the broker between two publishes", async () => {
    const { world } = handling();
    const peer = await world.peer();
    const release = world.broker.holdNext("append");
    peer.request(peer.publishing(room, 1, text("one")));
    peer.request(peer.publishing(room, 2, text("two"), { settled: 0 }));
    await world.settle();
    expect(world.broker.countOf("append")).toBe(2);
    release();
    await world.settle();
  });

  it("PUB-3 does not wait for what the client has settled", async () => {
    const { world } = handling();
    const peer = await world.peer();
    expect(await peer.codeOf(peer.publishing(room, 8, text("eight"), { settled: 7 }))).toBeUndefined();
    expect(await peer.codeOf(peer.publishing(room, 10, text("ten"), { settled: 8 }))).toBe("OUT_OF_ORDER");
  });

  it("PUB-3 refuses a count that the client has settled itself", async () => {
    const { world } = handling();
    const peer = await world.peer();
    expect(await peer.ask(peer.publishing(room, 3, text("three"), { settled: 3 }))).toMatchObject({ error: { code: "FRAME_INVALID", field: "n" } });
  });

  it("PUB-3 does not handle what comes after a publish that did not land", async () => {
    const { world, handled } = handling();
    const peer = await world.peer();
    world.broker.failNext("append");
    expect(await peer.codeOf(peer.publishing(room, 1, text("1")))).toBe("UNAVAILABLE");
    expect(await peer.codeOf(peer.publishing(room, 2, text("2"), { settled: 0 }))).toBe("OUT_OF_ORDER");
    expect(handled).toEqual(["1"]);
  });

  it("PUB-3 does not handle what comes after one that a broker without its data refused", async () => {
    const { world, handled } = handling();
    const peer = await world.peer();
    await peer.ask(peer.publishing(room, 1, text("1")));
    world.broker.inner = memoryBroker({ environment: world.environment });
    expect(await peer.codeOf(peer.publishing(room, 2, text("2"), { settled: 0 }))).toBe("OUT_OF_ORDER");
    expect(await peer.codeOf(peer.publishing(room, 3, text("3"), { settled: 0 }))).toBe("OUT_OF_ORDER");
    expect(handled).toEqual(["1", "2"]);
  });

  it("PUB-3 lets nothing overtake a publish that the broker did not take", async () => {
    const { world } = handling();
    const peer = await world.peer();
    world.broker.failNext("append");
    const ids = [1, 2, 3].map((n) => peer.request(peer.publishing(room, n, text(`${n}`), { settled: 0 })));
    await world.settle();
    expect(ids.map((id) => peer.replyTo(id)?.error?.code)).toEqual(["UNAVAILABLE", "OUT_OF_ORDER", "OUT_OF_ORDER"]);
    for (const n of [1, 2, 3]) expect(await peer.codeOf(peer.publishing(room, n, text(`${n}`), { settled: 0, retry: true }))).toBeUndefined();
    expect(await textsOf(world)).toEqual([text("1"), text("2"), text("3")]);
  });
});

describe("a refusal", () => {
  const refusing = (cause: Error) => {
    const { world, handled } = handling((value) => {
      if (value === "bad") throw cause;
    });
    return { world, handled };
  };

  it("PUB-4 is remembered: a repeat is refused the same way, and cannot land", async () => {
    const { world, handled } = refusing(new TuttiError("CANVAS_LOCKED", { message: "somebody is presenting", data: { by: "ada" } }));
    const peer = await world.peer();
    const error = { code: "CANVAS_LOCKED", message: "somebody is presenting", data: { by: "ada" } };
    expect((await peer.ask(peer.publishing(room, 1, text("bad")))).error).toEqual(error);
    expect((await peer.ask(peer.publishing(room, 1, text("good now"), { retry: true, settled: 0 }))).error).toEqual(error);
    expect(handled).toEqual(["bad"]);
    expect(await textsOf(world)).toEqual([]);
  });

  it("PUB-4 takes its n, so that the next one is in order", async () => {
    const { world } = refusing(new TuttiError("FORBIDDEN"));
    const peer = await world.peer();
    const ids = ["bad", "good"].map((value, index) => peer.request(peer.publishing(room, index + 1, text(value), { settled: 0 })));
    await world.settle();
    expect(ids.map((id) => peer.replyTo(id)?.error?.code)).toEqual(["FORBIDDEN", undefined]);
    expect(await textsOf(world)).toEqual([text("good")]);
  });

  it("PUB-4 by authorize or by the schema is remembered too", async () => {
    let allowed = false;
    const world = new World({ contract: rooms, channels: { "room:{id}": { authorize: () => allowed } } });
    const peer = await world.peer();
    expect(await peer.codeOf(peer.publishing(room, 1, text("x")))).toBe("FORBIDDEN");
    expect(await peer.codeOf(peer.publishing(room, 2, text("x"), { settled: 0, type: "constructor" }))).toBe("FORBIDDEN");
    allowed = true;
    expect(await peer.codeOf(peer.publishing(room, 1, text("x"), { retry: true }))).toBe("FORBIDDEN");
    expect(await peer.codeOf(peer.publishing(room, 3, { text: 5 }, { settled: 0 }))).toBe("PAYLOAD_INVALID");
    expect(await peer.codeOf(peer.publishing(room, 3, text("x"), { settled: 0, retry: true }))).toBe("PAYLOAD_INVALID");
    expect(await textsOf(world)).toEqual([]);
  });

  it("PUB-4 of a closed room is remembered", async () => {
    const { world } = handling();
    const peer = await world.peer();
    void world.server.channel("room:{id}", { id: "1" }).close();
    expect(await peer.codeOf(peer.publishing(room, 1, text("x")))).toBe("ROOM_NOT_FOUND");
    expect(await world.broker.inner.lookup(room, { session: world.sessionOf(peer), n: 1, settled: 0 })).toMatchObject({ outcome: "refused" });
  });

  it.each(["UNAVAILABLE", "RATE_LIMITED"])("PUB-5 with %s is no final one: the same n lands later", async (code) => {
    let isOver = false;
    const { world } = handling(() => {
      if (!isOver) throw new TuttiError(code, { retryAfterMs: 250.5 });
    });
    const peer = await world.peer();
    expect((await peer.ask(peer.publishing(room, 1, text("x")))).error).toMatchObject({ code, retryAfterMs: 251 });
    isOver = true;
    expect(await peer.codeOf(peer.publishing(room, 1, text("x"), { retry: true }))).toBeUndefined();
    expect(await textsOf(world)).toEqual([text("x")]);
  });
});

describe("a handler", () => {
  const replying = (handler: (value: { text: string }) => { text: string } | void) =>
    new World({ contract: rooms, channels: { "room:{id}": { publish: { "note:add": ({ payload }) => handler(payload) } } } });

  it("PUB-6 may replace the payload", async () => {
    const world = replying((payload) => text(payload.text.toUpperCase()));
    const peer = await world.peer();
    await peer.ask(peer.publishing(room, 1, text("loud")));
    expect(await textsOf(world)).toEqual([text("LOUD")]);
  });

  it("PUB-6 learns who publishes, and where", async () => {
    const seen: unknown[] = [];
    const world = new World({
      contract: rooms,
      authenticate: () => ({ id: "ada" }),
      channels: { "room:{id}": { publish: { "note:add": ({ payload: _payload, ...context }) => void seen.push(context) } } },
    });
    const peer = await world.peer();
    await peer.ask(peer.publishing("room:__proto__", 1, text("x")));
    expect(seen).toEqual([{ channel: "room:__proto__", params: { id: "__proto__" }, user: { id: "ada" }, session: world.sessionOf(peer) }]);
  });

  it.each([
    ["its crash", () => { throw new Error("the password is 1234"); }],
    ["a payload of its own that does not fit the contract", () => Object({ text: 5 })],
    ["a payload of its own that cannot be sent", () => Object({ text: () => 1 })],
  ])("PUB-6 is answered INTERNAL for %s, without a detail, and the connection goes on", async (_, handler) => {
    const world = replying(handler);
    const peer = await world.peer();
    const { error } = await peer.ask(peer.publishing(room, 1, text("x")));
    expect(error).toEqual({ code: "INTERNAL", message: "the server failed at this" });
    expect(world.log.errors).toEqual(["a handler failed"]);
    expect(peer.closeCode).toBeUndefined();
    peer.send({ op: "ping" });
    await world.settle();
    expect(peer.of("pong").length).toBe(1);
  });

  it("PUB-6 may refuse with data that cannot be sent, and the client is answered without it", async () => {
    const world = replying(() => {
      throw new TuttiError("CANVAS_LOCKED", { message: "later", data: { until: new Date(0) } });
    });
    const peer = await world.peer();
    expect((await peer.ask(peer.publishing(room, 1, text("x")))).error).toEqual({ code: "CANVAS_LOCKED", message: "later" });
    expect(world.log.errors.length).toBe(1);
  });
});

describe("what cannot be known", () => {
  it("PUB-7 is answered OUTCOME_UNKNOWN", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    await peer.ask(peer.publishing(room, 8, text("x")));
    expect(await peer.codeOf(peer.publishing(room, 3, text("x"), { retry: true }))).toBe("OUTCOME_UNKNOWN");
    expect((await logOf(world)).length).toBe(1);
  });

  it("PUB-7 a lost answer of the broker is told as UNAVAILABLE, and the repeat finds that it landed", async () => {
    const { world, handled } = handling();
    const peer = await world.peer();
    world.broker.loseAnswerOfNext("append");
    expect(await peer.codeOf(peer.publishing(room, 1, text("x")))).toBe("UNAVAILABLE");
    expect(await peer.ask(peer.publishing(room, 1, text("x"), { retry: true }))).toMatchObject({ data: { position: { seq: 1 }, repeat: true } });
    expect(handled).toEqual(["x"]);
    expect((await logOf(world)).length).toBe(1);
  });

  it("PUB-7 a refusal whose answer was lost is found by the repeat", async () => {
    const { world, handled } = handling(() => {
      throw new TuttiError("NO");
    });
    const peer = await world.peer();
    world.broker.loseAnswerOfNext("refuse");
    expect(await peer.codeOf(peer.publishing(room, 1, text("x")))).toBe("UNAVAILABLE");
    expect(await peer.codeOf(peer.publishing(room, 1, text("x"), { retry: true }))).toBe("NO");
    expect(handled).toEqual(["x"]);
  });
});

describe("a publisher whose connection is gone", () => {
  it("LIM-2 drops what waits for its turn, and what comes again lands once", async () => {
    let finish = (): void => {};
    const { world, handled } = handling((value) => (value === "1" ? new Promise<void>((resolve) => (finish = resolve)) : undefined));
    const secret = "the-secret-of-a-session";
    const publishAll = (peer: Peer, retry: boolean): void => {
      for (const n of [1, 2, 3]) peer.request(peer.publishing(room, n, text(`${n}`), { settled: 0, retry }));
    };
    const before = await world.peer({ secret });
    publishAll(before, false);
    await world.settle();
    before.drop();
    finish();
    await world.settle();
    expect(handled).toEqual(["1"]);
    const after = await world.peer({ secret });
    publishAll(after, true);
    await world.settle();
    expect(handled).toEqual(["1", "2", "3"]);
    expect(await textsOf(world)).toEqual([text("1"), text("2"), text("3")]);
  });
});
