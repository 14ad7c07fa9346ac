import { describe, expect, it } from "vitest";
import { memoryBroker } from "@tutti/server";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "room:1";
const at = (x: number) => ({ op: "signal", channel: room, type: "cursor:move", payload: { x } }) as const;

async function two(options: ConstructorParameters<typeof World<typeof rooms>>[0] = {}) {
  const world = new World({ contract: rooms, ...options });
  const [sender, receiver] = [await world.peer(), await world.peer()];
  await sender.subscribe(room);
  await receiver.subscribe(room);
  return { world, sender, receiver };
}

describe("a signal", () => {
  it("SIG-1 reaches the channel's subscribers, and moves no position", async () => {
    const { world, sender, receiver } = await two({ authenticate: () => ({ id: "ada" }) });
    sender.send(at(1));
    await world.settle();
    const signal = { type: "cursor:move", payload: { x: 1 }, session: world.sessionOf(sender), user: "ada" };
    expect(receiver.of("signals")).toEqual([{ op: "signals", channel: room, signals: [signal] }]);
    expect((await world.broker.inner.head(room)).position.seq).toBe(0);
    expect(world.broker.countOf("append")).toBe(0);
  });

  it("SIG-1 is the latest of its sender and type within a turn", async () => {
    const { world, sender, receiver } = await two();
    sender.send(at(1), { op: "signal", channel: room, type: "cursor:hide", payload: {} }, at(2), at(3));
    receiver.send(at(9));
    await world.settle();
    expect(receiver.of("signals").length).toBe(1);
    expect(receiver.signalsOf(room).map(({ type, payload, session }) => [type, payload, session])).toEqual([
      ["cursor:hide", {}, world.sessionOf(sender)],
      ["cursor:move", { x: 3 }, world.sessionOf(sender)],
      ["cursor:move", { x: 9 }, world.sessionOf(receiver)],
    ]);
  });

  it("SIG-1 of a later turn comes by itself", async () => {
    const { world, sender, receiver } = await two();
    for (const x of [1, 2]) {
      sender.send(at(x));
      await world.settle();
    }
    expect(receiver.signalsOf(room).map(({ payload }) => payload)).toEqual([{ x: 1 }, { x: 2 }]);
  });

  it("SIG-1 comes once, whatever follows it", async () => {
    const { world, sender, receiver } = await two();
    sender.send(at(1));
    await world.settle();
    sender.send({ op: "signal", channel: room, type: "cursor:hide", payload: {} });
    await world.settle();
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", { text: "x" });
    await world.settle();
    expect(receiver.signalsOf(room).map(({ type }) => type)).toEqual(["cursor:move", "cursor:hide"]);
  });

  it("SIG-1 may come from the server", async () => {
    const { world, receiver } = await two();
    const handle = world.server.channel("room:{id}", { id: "1" });
    await handle.signal("cursor:move", { x: 4 });
    await world.settle();
    expect(receiver.signalsOf(room)).toMatchObject([{ type: "cursor:move", payload: { x: 4 } }]);
    await expect(handle.signal("cursor:move", Object({ x: "far" }))).rejects.toMatchObject({ code: "PAYLOAD_INVALID" });
    await world.server.channel("room:{id}", { id: "nobody-there" }).signal("cursor:move", { x: 4 });
  });

  it("SIG-1 called typing is Tutti's own, in every channel", async () => {
    const { world, sender, receiver } = await two();
    sender.send({ op: "signal", channel: room, type: "typing", payload: true });
    await world.settle();
    expect(receiver.signalsOf(room)).toMatchObject([{ type: "typing", payload: true }]);
  });

  it.each([
    ["without a subscription", { ...at(1), channel: "room:2" }, "NOT_SUBSCRIBED"],
    ["against its schema", { ...at(1), payload: { x: "far" } }, "PAYLOAD_INVALID"],
    ["of an unknown type", { ...at(1), type: "constructor" }, "TYPE_UNKNOWN"],
    ["called typing that says neither yes nor no", { ...at(1), type: "typing", payload: { text: "secret" } }, "TYPE_UNKNOWN"],
  ])("SIG-1 %s is refused, and the connection goes on", async (_, frame, code) => {
    const { world, sender, receiver } = await two();
    sender.send(frame);
    await world.settle();
    expect(sender.errorCodes).toEqual([code]);
    expect(receiver.of("signals")).toEqual([]);
    expect(sender.closeCode).toBeUndefined();
  });

  it("SIG-3 is dropped for a slow connection, which gets the events all the same", async () => {
    const { world, sender, receiver } = await two({ outboxBytesMax: 4_000 });
    receiver.transport.stall();
    const handle = world.server.channel("room:{id}", { id: "1" });
    await handle.publish("note:add", { text: "x".repeat(2_500) });
    await world.settle();
    for (let x = 0; x < 100; x++) {
      sender.send(at(x));
      await world.settle();
    }
    await handle.publish("note:add", { text: "the last" });
    await world.settle();
    expect(receiver.closeCode).toBeUndefined();
    receiver.transport.drain(receiver.events);
    expect(receiver.of("signals")).toEqual([]);
    expect(receiver.eventsOf(room).length).toBe(2);
    sender.send(at(100));
    await world.settle();
    expect(receiver.signalsOf(room).map(({ payload }) => payload)).toEqual([{ x: 100 }]);
  });
});

describe("a signal for a connection that only waits to be written to", () => {
  it("SIG-3 is not dropped, however much waits with it", async () => {
    const { world, sender, receiver } = await two({ outboxBytesMax: 4_000, deliverySliceWritesMax: 1 });
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", { text: "x".repeat(2_500) });
    await world.environment.tick();
    expect(receiver.frames.some(({ op }) => op === "events")).toBe(false);
    sender.send(at(1));
    await world.settle();
    expect(receiver.signalsOf(room).map(({ payload }) => payload)).toEqual([{ x: 1 }]);
  });
});

describe("signals that are held", () => {
  const held = { namespaces: { room: { signalFlushMs: 10 } } };

  it("SIG-6 leave so long after the first of them, the latest of each sender and type", async () => {
    const { world, sender, receiver } = await two(held);
    sender.send(at(1));
    await world.advance(6);
    sender.send(at(2), { op: "signal", channel: room, type: "cursor:hide", payload: {} });
    await world.advance(3);
    sender.send(at(3));
    await world.settle();
    expect(receiver.of("signals")).toEqual([]);
    await world.advance(1);
    expect(receiver.of("signals").length).toBe(1);
    expect(receiver.signalsOf(room).map(({ type, payload }) => [type, payload])).toEqual([["cursor:hide", {}], ["cursor:move", { x: 3 }]]);
    await world.advance(20);
    expect(receiver.of("signals").length).toBe(1);
  });

  it("SIG-6 are held anew, by one timer for all of a channel and none while there are none", async () => {
    const { world, sender, receiver } = await two(held);
    const before = world.environment.timerCount;
    for (const x of [1, 2]) {
      sender.send(at(x));
      receiver.send(at(x));
      await world.settle();
      expect(world.environment.timerCount).toBe(before + 1);
      await world.advance(10);
      expect(world.environment.timerCount).toBe(before);
    }
    expect(receiver.of("signals").length).toBe(2);
  });

  it("SIG-6 do not hold up events, nor leave with them before their time", async () => {
    const { world, sender, receiver } = await two(held);
    sender.send(at(1));
    await world.settle();
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", { text: "x" });
    await world.settle();
    expect(receiver.eventsOf(room).length).toBe(1);
    expect(receiver.of("signals")).toEqual([]);
  });

  it("SIG-6 leave no timer behind where the channel closes", async () => {
    const { world, sender, receiver } = await two({ namespaces: { room: { signalFlushMs: 1_000_000 } }, presenceGraceMs: 0 });
    sender.send(at(1));
    await world.settle();
    const before = world.environment.timerCount;
    sender.drop();
    receiver.drop();
    await world.advance(32_000);
    expect(world.server.stats().channels).toBe(0);
    expect(world.environment.timerCount).toBe(before - 1);
  });

  it("SIG-6 leave no timer behind where the channel cannot be followed any more", async () => {
    const board = "board:1";
    const { world, sender } = await two({ namespaces: { board: { signalFlushMs: 1_000_000 } }, headCheckMs: 1_000 });
    await sender.subscribe(board);
    const before = world.environment.timerCount;
    sender.send({ op: "signal", channel: board, type: "typing", payload: true });
    await world.settle();
    expect(world.environment.timerCount).toBe(before + 1);
    world.broker.inner = memoryBroker({ environment: world.environment });
    await world.broker.inner.append(board, { event: { eventId: "e", type: "note:add", payload: { text: "x" }, timestamp: 0 } });
    const { position } = await world.broker.inner.head(board);
    await world.broker.inner.saveSnapshot(board, { position, version: 99, state: ["newer"] });
    await world.advance(2_500);
    expect(sender.of("left").map(({ error }) => error.code)).toEqual(["VERSION_UNSUPPORTED"]);
    expect(world.environment.timerCount).toBe(before);
  });

  it("SIG-6 are of a namespace whose number is one", () => {
    expect(() => new World({ namespaces: { room: { signalFlushMs: Number.NaN } } })).toThrow("namespaces.room.signalFlushMs");
  });
});

describe("a signal that waits for permission", () => {
  /** An application that answers at once what `known` says, and else when the test does. */
  function asking(known: (boolean | undefined)[] = []) {
    const answers: ((answer: boolean) => void)[] = [];
    const authorize = ({ action }: { readonly action: string }): boolean | Promise<boolean> => {
      if (action !== "signal") return true;
      return known.shift() ?? new Promise<boolean>((resolve) => answers.push(resolve));
    };
    return { answers, options: { channels: { "room:{id}": { authorize } } } };
  }

  it("SIG-1 does not overwrite a later one, whichever is answered first", async () => {
    const { answers, options } = asking();
    const { world, sender, receiver } = await two(options);
    sender.send(at(1), at(2));
    await world.settle();
    answers[1]?.(true);
    await world.settle();
    answers[0]?.(true);
    await world.settle();
    expect(receiver.signalsOf(room).map(({ payload }) => payload).at(-1)).toEqual({ x: 2 });
  });

  it("SIG-1 is not overtaken by one that needs no waiting", async () => {
    const { answers, options } = asking([undefined, true]);
    const { world, sender, receiver } = await two(options);
    sender.send(at(1), at(2));
    await world.settle();
    expect(receiver.of("signals")).toEqual([]);
    answers[0]?.(true);
    await world.settle();
    expect(receiver.signalsOf(room).map(({ payload }) => payload)).toEqual([{ x: 2 }]);
  });

  it("SIG-1 is told of a refusal, with the channel", async () => {
    const { answers, options } = asking();
    const { world, sender, receiver } = await two(options);
    sender.send(at(1));
    await world.settle();
    answers[0]?.(false);
    await world.settle();
    expect(sender.of("error")).toMatchObject([{ channel: room, error: { code: "FORBIDDEN" } }]);
    expect(receiver.of("signals")).toEqual([]);
  });

  it("SIG-1 whose payload is wrong as well is refused once", async () => {
    const { answers, options } = asking();
    const { world, sender } = await two(options);
    sender.send({ ...at(1), payload: { x: "far" } });
    await world.settle();
    answers[0]?.(false);
    await world.settle();
    expect(sender.errorCodes).toEqual(["FORBIDDEN"]);
  });

  it("SUB-4 is not put where its sender was kicked meanwhile", async () => {
    const { answers, options } = asking();
    const { world, sender, receiver } = await two(options);
    sender.send(at(1));
    await world.settle();
    void world.server.channel("room:{id}", { id: "1" }).kick({ session: world.sessionOf(sender) }, "off");
    answers[0]?.(true);
    await world.settle();
    expect(receiver.of("signals")).toEqual([]);
  });

  it("LIM-2 counts among the requests that wait", async () => {
    const { answers, options } = asking();
    const { world, sender, receiver } = await two({ ...options, requestsMax: 2 });
    sender.send(at(1), at(2), at(3));
    await world.settle();
    expect(sender.errorCodes).toEqual(["LIMIT_EXCEEDED"]);
    for (const answer of answers) answer(true);
    await world.settle();
    expect(receiver.signalsOf(room).map(({ payload }) => payload)).toEqual([{ x: 2 }]);
    sender.send(at(4));
    await world.settle();
    expect(answers.length).toBe(3);
  });
});
