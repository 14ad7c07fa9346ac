import { channel, defineContract } from "@tutti/protocol";
import fc from "fast-check";
import { z } from "zod";
import { describe, expect, it } from "vitest";
import { memoryBroker } from "@tutti/server";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const board = "board:1";
const text = (value: string) => ({ text: value });

describe("the view of a channel", () => {
  it("STA-1 is the same reduction that a client makes of the same events", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ text: fc.string(), poison: fc.boolean() }), { maxLength: 12 }), fc.nat(12), async (notes, joinAt) => {
        const world = new World({ contract: rooms });
        const handle = world.server.channel("board:{id}", { id: "1" });
        const publish = (each: (typeof notes)[number]) => (each.poison ? handle.publish("note:poison", {}) : handle.publish("note:add", text(each.text)));
        for (const each of notes.slice(0, joinAt)) await publish(each);
        const peer = await world.peer();
        const { snapshot } = await peer.subscribe(board);
        for (const each of notes.slice(joinAt)) await publish(each);
        await world.settle();
        const atClient = peer.eventsOf(board).reduce((state, { type, payload }) => (type === "note:add" ? [...state, String(Object(payload).text)] : state), Array.from(z.array(z.string()).parse(snapshot?.state)));
        expect((await handle.state()).state).toEqual(atClient);
      }),
      { numRuns: 40 },
    );
  });

  it("STA-1 sees what a client sees, also where a field is there and undefined", async () => {
    const contract = defineContract({
      channels: {
        "board:{id}": channel({
          events: { patch: z.object({ title: z.string().optional() }) },
          state: { version: 1, initial: { title: "kept" }, reduce: (state: { readonly title?: string | undefined }, { payload }) => ({ ...state, ...payload }) },
        }),
      },
    });
    const world = new World({ contract });
    const handle = world.server.channel("board:{id}", { id: "1" });
    await handle.publish("patch", { title: undefined });
    expect((await handle.state()).state).toEqual({ title: "kept" });
  });

  it("STA-2 skips an event that reduce throws at, and counts it", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    await peer.subscribe(board);
    const handle = world.server.channel("board:{id}", { id: "1" });
    await handle.publish("note:add", text("one"));
    await handle.publish("note:poison", {});
    await handle.publish("note:add", text("two"));
    await world.settle();
    expect((await handle.state()).state).toEqual(["one", "two"]);
    expect(peer.eventsOf(board).map(({ type }) => type)).toEqual(["note:add", "note:poison", "note:add"]);
    expect(world.server.stats().reducerErrors).toBe(1);
  });

  it("STA-7 moves its position past an event that the contract does not know", async () => {
    const world = new World({ contract: rooms });
    for (const type of ["note:burn", "constructor"]) {
      await world.broker.inner.append(board, { event: { eventId: type, type, payload: {}, timestamp: 0 } });
    }
    const { position, state } = await world.server.channel("board:{id}", { id: "1" }).state();
    expect({ seq: position.seq, state }).toEqual({ seq: 2, state: [] });
    expect(world.server.stats().reducerErrors).toBe(0);
  });
});

describe("a state of another version", () => {
  const versioned = (version: number, migrate?: (state: unknown, version: number) => readonly string[]) =>
    defineContract({
      channels: {
        "board:{id}": channel({
          events: { "note:add": z.object({ text: z.string() }) },
          state: { version, initial: [] as readonly string[], reduce: (notes, { payload }) => [...notes, payload.text], ...(migrate && { migrate }) },
        }),
      },
    });

  const withOldSnapshot = async () => {
    const broker = memoryBroker();
    await broker.append(board, { event: { eventId: "1", type: "note:add", payload: text("one"), timestamp: 0 } });
    const { position } = await broker.head(board);
    await broker.saveSnapshot(board, { position, version: 1, state: { old: ["one"] } });
    await broker.append(board, { event: { eventId: "2", type: "note:add", payload: text("two"), timestamp: 0 } });
    return broker;
  };

  it("STA-9 is migrated, and reduced from there", async () => {
    const world = new World({ contract: versioned(2, (state, version) => [`${version}`, ...Object(state).old]), broker: await withOldSnapshot() });
    expect((await world.server.channel("board:{id}", { id: "1" }).state()).state).toEqual(["1", "one", "two"]);
  });

  it.each<[string, Parameters<typeof versioned>]>([
    ["is newer than the contract", [0, () => ["guessed"]]],
    ["nothing migrates", [2]],
    ["cannot be migrated", [2, () => { throw new Error("what is that?"); }]],
  ])("STA-9 that %s is told to those who subscribe, once and for all, and stays as it is", async (_title, contract) => {
    const broker = await withOldSnapshot();
    const stored = await broker.loadSnapshot(board);
    const world = new World({ contract: versioned(...contract), broker });
    const peer = await world.peer();
    expect(await peer.codeOf({ op: "subscribe", channel: board })).toBe("VERSION_UNSUPPORTED");
    expect(await peer.codeOf({ op: "subscribe", channel: "board:2" })).toBeUndefined();
    expect(peer.closeCode).toBeUndefined();
    expect(world.log.warnings).toEqual(["opening a channel failed"]);
    await world.advance(60_000);
    expect(await broker.loadSnapshot(board)).toEqual(stored);
  });

  it("STA-9 that comes up under a running channel ends its subscriptions, and whoever comes later is told the same", async () => {
    const world = new World({ contract: versioned(1), headCheckMs: 1_000 });
    const peer = await world.peer();
    await peer.subscribe(board);
    world.broker.inner = await withOldSnapshot();
    const { position } = await world.broker.head(board);
    await world.broker.saveSnapshot(board, { position, version: 2, state: { newer: true } });
    await world.advance(2_500);
    expect(peer.of("left").map(({ error }) => error.code)).toEqual(["VERSION_UNSUPPORTED"]);
    expect(await peer.codeOf({ op: "subscribe", channel: board })).toBe("VERSION_UNSUPPORTED");
    expect(world.log.errors).toEqual(["a channel cannot be followed any more"]);
    expect(world.server.stats().channels).toBe(0);
    expect(world.broker.listenerCount).toBe(0);
  });

  it("STA-9 ends a subscription too that was about to go live when it came up", async () => {
    const world = new World({ contract: versioned(1), headCheckMs: 1_000 });
    const [peer, late] = [await world.peer(), await world.peer()];
    const { position } = await peer.subscribe(board);
    const release = world.broker.holdNext("read");
    late.request({ op: "subscribe", channel: board, since: position });
    await world.settle();
    world.broker.inner = await withOldSnapshot();
    const { position: head } = await world.broker.head(board);
    await world.broker.saveSnapshot(board, { position: head, version: 2, state: { newer: true } });
    await world.advance(2_500);
    release();
    await world.settle();
    expect(late.of("left").map(({ error }) => error.code)).toEqual(["VERSION_UNSUPPORTED"]);
    expect(world.server.stats().subscriptions).toBe(0);
  });
});
