import { TuttiError } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const counting = (payload: unknown = { of: "x" }, type = "note:count") => ({ op: "call", channel: "room:1", type, payload, timestamp: 0 }) as const;
const listing = (type = "room:list") => ({ op: "call", type, payload: {}, timestamp: 0 }) as const;

const answering = (answer: (of: string) => unknown) =>
  new World({
    contract: rooms,
    authenticate: () => ({ id: "ada" }),
    channels: { "room:{id}": { calls: { "note:count": async ({ payload }) => (await answer(payload.of)) as { count: number } } } },
  });

describe("a call", () => {
  it("CALL-1 is answered with its result, as the contract makes it", async () => {
    const world = answering((of) => ({ count: of.length, secret: true }));
    const peer = await world.peer();
    expect(await peer.ask(counting({ of: "four", more: 1 }))).toMatchObject({ success: true, data: { count: 4 } });
    expect((await peer.ask(counting({ of: "four" }))).data).toEqual({ count: 4 });
  });

  it("CALL-1 learns who calls, and where", async () => {
    const seen: unknown[] = [];
    const world = new World({
      contract: rooms,
      authenticate: () => ({ id: "ada" }),
      channels: { "room:{id}": { calls: { "note:count": ({ payload: _payload, ...context }) => ({ count: seen.push(context) }) } } },
      calls: { "room:list": ({ payload: _payload, ...context }) => [`${seen.push(context)}`] },
    });
    const peer = await world.peer();
    await peer.ask(counting());
    await peer.ask(listing());
    const caller = { user: { id: "ada" }, session: world.sessionOf(peer) };
    expect(seen).toEqual([{ ...caller, channel: "room:1", params: { id: "1" } }, caller]);
  });

  it("CALL-1 may belong to no channel", async () => {
    const world = new World({ contract: rooms, calls: { "room:list": () => ["1", "2"] } });
    expect((await (await world.peer()).ask(listing())).data).toEqual(["1", "2"]);
  });

  it.each([
    ["a payload against the contract", counting({ of: 5 }), "PAYLOAD_INVALID"],
    ["a type that nothing handles", counting({}, "note:burn"), "TYPE_UNKNOWN"],
    ["a type of Object's prototype", counting({}, "toString"), "TYPE_UNKNOWN"],
    ["a type of Object's prototype, without a channel", listing("constructor"), "TYPE_UNKNOWN"],
    ["a channel of no pattern", { ...counting(), channel: "hall:1" }, "ROOM_NOT_FOUND"],
    ["a channel that is none", { ...counting(), channel: "hall" }, "CHANNEL_INVALID"],
  ])("CALL-1 is refused for %s", async (_, request, code) => {
    const world = answering(() => ({ count: 1 }));
    expect(await (await world.peer()).codeOf(request)).toBe(code);
  });

  it("CALL-1 is refused where the application does not allow it, or the channel is none", async () => {
    const world = new World({
      contract: rooms,
      channels: { "room:{id}": { exists: ({ params }) => params.id !== "missing", authorize: ({ action }) => action !== "call", calls: { "note:count": () => ({ count: 1 }) } } },
    });
    const peer = await world.peer();
    expect(await peer.codeOf(counting())).toBe("FORBIDDEN");
    expect(await peer.codeOf({ ...counting(), channel: "room:missing" })).toBe("ROOM_NOT_FOUND");
  });

  it.each([
    ["a crash of the handler", () => { throw new Error("the password is 1234"); }],
    ["a rejection of the handler", () => Promise.reject(new Error("the password is 1234"))],
    ["a result against the contract", () => ({ count: "the password is 1234" })],
  ])("CALL-1 is INTERNAL after %s, without a detail, and the log has it", async (_, answer) => {
    const world = answering(answer);
    const peer = await world.peer();
    expect((await peer.ask(counting())).error).toEqual({ code: "INTERNAL", message: "the server failed at this" });
    expect(world.log.errors).toEqual(["a handler failed"]);
    expect(peer.closeCode).toBeUndefined();
  });

  it("CALL-1 is INTERNAL where the result cannot be sent", async () => {
    const world = new World({ channels: { "room:{id}": { calls: { when: () => new Date(0) } } } });
    expect(await (await world.peer()).codeOf({ ...counting(), type: "when" })).toBe("INTERNAL");
    expect(world.log.errors.length).toBe(1);
  });

  it("CALL-1 is refused with the application's own code and data", async () => {
    const world = answering(() => {
      throw new TuttiError("CANVAS_LOCKED", { message: "later", data: { by: "ada" }, retryAfterMs: 10 });
    });
    expect((await (await world.peer()).ask(counting())).error).toEqual({ code: "CANVAS_LOCKED", message: "later", data: { by: "ada" }, retryAfterMs: 10 });
  });

  it("CALL-1 does not keep others waiting", async () => {
    const world = answering((of) => (of === "slow" ? new Promise(() => {}) : { count: 1 }));
    const peer = await world.peer();
    const slow = peer.request(counting({ of: "slow" }));
    expect((await peer.ask(counting())).success).toBe(true);
    expect(peer.replyTo(slow)).toBeUndefined();
  });

  it("CALL-1 is for nobody any more when its connection is gone", async () => {
    let finish = (_result: object): void => {};
    const world = answering(() => new Promise<object>((resolve) => (finish = resolve)));
    const peer = await world.peer();
    peer.request(counting());
    await world.settle();
    peer.drop();
    finish({ count: 1 });
    await world.settle();
    expect(peer.of("reply")).toEqual([]);
    expect(world.log.errors).toEqual([]);
  });
});

describe("requests that wait", () => {
  it("LIM-2 are at most requestsMax, also where the handler never comes to an end", async () => {
    const world = new World({ contract: rooms, requestsMax: 3, channels: { "room:{id}": { calls: { "note:count": () => new Promise<never>(() => {}) } } } });
    const peer = await world.peer();
    for (let count = 0; count < 3; count++) peer.request(counting());
    await world.settle();
    for (const request of [counting(), peer.publishing("room:1", 1, { text: "x" }), { op: "subscribe", channel: "room:2" } as const]) {
      expect(await peer.codeOf(request)).toBe("LIMIT_EXCEEDED");
    }
    expect(peer.closeCode).toBeUndefined();
    expect(await (await world.peer()).codeOf(listing())).toBe("TYPE_UNKNOWN");
  });

  it("LIM-2 count publishes, and make room when they are answered", async () => {
    const world = new World({ contract: rooms, requestsMax: 2 });
    const peer = await world.peer();
    const releases = [1, 2].map(() => world.broker.holdNext("append"));
    for (const id of [1, 2]) peer.request(peer.publishing(`room:${id}`, 1, { text: "x" }));
    await world.settle();
    expect(await peer.codeOf(peer.publishing("room:3", 1, { text: "x" }))).toBe("LIMIT_EXCEEDED");
    for (const release of releases) release();
    await world.settle();
    expect(await peer.codeOf(peer.publishing("room:3", 1, { text: "x" }))).toBeUndefined();
  });

  it("LIM-2 are of one connection at most batchFramesMax in a message", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    peer.send(...Array.from({ length: 256 }, () => ({ op: "ping" }) as const));
    await world.settle();
    expect(peer.of("pong").length).toBe(256);
    peer.send(...Array.from({ length: 257 }, () => ({ op: "ping" }) as const));
    await world.settle();
    expect(peer.of("pong").length).toBe(256);
    expect(peer.errorCodes).toEqual(["LIMIT_EXCEEDED"]);
    expect(peer.closeCode).toBeUndefined();
  });

  it("LIM-2 go to at most so many channels at once; those where nothing waits are forgotten", async () => {
    const world = new World({ subscriptionsMax: 3 });
    const peer = await world.peer();
    for (let id = 0; id < 10; id++) expect(await peer.codeOf(peer.publishing(`room:${id}`, 1, "x"))).toBeUndefined();
    const releases = [0, 1, 2].map(() => world.broker.holdNext("append"));
    for (let id = 10; id < 13; id++) peer.request(peer.publishing(`room:${id}`, 1, "x"));
    await world.settle();
    expect(await peer.codeOf(peer.publishing("room:13", 1, "x"))).toBe("LIMIT_EXCEEDED");
    for (const release of releases) release();
    await world.settle();
    expect(await peer.codeOf(peer.publishing("room:13", 1, "x"))).toBeUndefined();
  });

  it("WIRE-5 are answered by their correlation id, also where the frame cannot be read", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    peer.raw('[{"op":"subscribe","correlationId":"a"},{"op":"dance","correlationId":"b"},{"op":"dance"},{"op":"ping"}]');
    await world.settle();
    expect(peer.replyTo("a")?.error).toMatchObject({ code: "FRAME_INVALID", field: "channel" });
    expect(peer.replyTo("b")?.error).toMatchObject({ code: "FRAME_UNKNOWN", field: "op" });
    expect(peer.errorCodes).toEqual(["FRAME_UNKNOWN"]);
    expect(peer.of("pong").length).toBe(1);
  });

  it.each([
    ["no JSON", "{", 4200],
    ["bytes", Uint8Array.of(1), 4200],
    ["too deep", `${'{"op":'.repeat(40)}1${"}".repeat(40)}`, 4201],
    ["a key __proto__", '{"op":"ping","x":{"__proto__":1}}', 4200],
  ])("LIM-3 close the connection where the message is %s, and nobody else notices", async (_, message, closeCode) => {
    const world = new World({ contract: rooms });
    const [peer, other] = [await world.peer(), await world.peer()];
    peer.raw(message);
    peer.raw('{"op":"ping"}');
    await world.settle();
    expect(peer.closeCode).toBe(closeCode);
    expect(peer.of("pong")).toEqual([]);
    expect(other.closeCode).toBeUndefined();
  });
});
