import { describe, expect, it } from "vitest";
import { memoryBroker, type Broker, type ServerOptions } from "@tutti/server";
import { boundBroker } from "@tutti/testkit";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const board = "board:1";
const text = (value: string) => ({ text: value });

/** A board with tiny history and a snapshot every three events. */
function tiny(options: ServerOptions<typeof rooms> = {}) {
  const world = new World({ contract: rooms, snapshotEvery: 3, namespaces: { board: { history: { countMin: 4, ageMsMin: 1_000 } } }, ...options });
  const handle = world.server.channel("board:{id}", { id: "1" });
  const publish = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) await handle.publish("note:add", text("x"));
    await world.settle();
  };
  const floor = async (): Promise<number> => (await world.broker.inner.head(board)).floor;
  return { world, handle, publish, floor };
}

type Unfollowed = (board: Pick<ReturnType<typeof tiny>, "world" | "publish">) => Promise<void>;

describe("history", () => {
  it("REC-7 of a channel with state is trimmed below its newest snapshot alone", async () => {
    const { world, handle, publish, floor } = tiny();
    await (await world.peer()).subscribe(board);
    for (let round = 0; round < 10; round++) {
      await publish(3);
      await world.advance(2_000);
      const snapshot = await world.broker.inner.loadSnapshot(board);
      expect(await floor()).toBeLessThanOrEqual(snapshot?.position.seq ?? 0);
    }
    expect(await floor()).toBeGreaterThan(0);
    expect((await handle.state()).state).toEqual(Array.from({ length: 30 }, () => "x"));
  });

  it("REC-7 keeps the last countMin events, and what is younger than ageMsMin", async () => {
    const { world, publish, floor } = tiny();
    await (await world.peer()).subscribe(board);
    await publish(12);
    expect(await floor()).toBe(0);
    await world.advance(2_000);
    await publish(3);
    expect(await floor()).toBeGreaterThan(0);
    expect(await floor()).toBeLessThanOrEqual(15 - 4);
  });

  it("REC-7 is trimmed by nobody else: a channel with state names no retention", async () => {
    const { world, publish, floor } = tiny({ snapshotEvery: 1_000_000 });
    await (await world.peer()).subscribe(board);
    await publish(300);
    await world.advance(2_000);
    await publish(100);
    expect(await floor()).toBe(0);
  });

  it("REC-7 is not trimmed behind a snapshot that the broker did not keep", async () => {
    const inner = memoryBroker();
    let keeps = false;
    const broker: Broker = { ...boundBroker(inner), saveSnapshot: async (...asked) => keeps && inner.saveSnapshot(...asked) };
    const { world, publish, floor } = tiny({ broker, namespaces: { board: { history: { countMin: 0, ageMsMin: 0 } } } });
    await (await world.peer()).subscribe(board);
    await publish(9);
    expect(await floor()).toBe(0);
    keeps = true;
    await publish(3);
    expect(await floor()).toBe(11);
  });

  it("REC-7 is not trimmed behind a snapshot that the broker had kept and lost since", async () => {
    const inner = memoryBroker();
    let loses = true;
    const broker: Broker = { ...boundBroker(inner), saveSnapshot: async (...asked) => loses || inner.saveSnapshot(...asked) };
    const { world, publish, floor } = tiny({ broker, namespaces: { board: { history: { countMin: 0, ageMsMin: 0 } } } });
    await (await world.peer()).subscribe(board);
    await publish(9);
    expect(await floor()).toBe(0);
    loses = false;
    await publish(3);
    expect(await floor()).toBe(11);
  });

  it.each<[string, Unfollowed]>([
    ["the server", async ({ publish }) => {
      for (let n = 1; n <= 30; n++) await publish(1);
    }],
    ["a client", async ({ world }) => {
      const peer = await world.peer();
      for (let n = 1; n <= 30; n++) await peer.ask(peer.publishing(board, n, text("x")));
    }],
  ])("REC-7 INV-6 is trimmed too where nobody follows what %s publishes, and the channel is closed again", async (_title, write) => {
    const { world, handle, publish, floor } = tiny({ namespaces: { board: { history: { countMin: 4, ageMsMin: 0 } } } });
    await write({ world, publish });
    await world.settle();
    expect(await world.broker.inner.loadSnapshot(board)).toMatchObject({ position: { seq: 30 }, version: 1 });
    expect(await floor()).toBe(30 - 4);
    await world.advance(32_000);
    expect(world.server.stats().channels).toBe(0);
    expect((await handle.state()).state).toHaveLength(30);
  });

  it("REC-7 INV-6 opens a channel that nobody follows for its state alone, and once in snapshotEvery events", async () => {
    const { world, publish } = tiny();
    for (let index = 0; index < 30; index++) await world.server.channel("room:{id}", { id: "1" }).publish("note:add", text("x"));
    await publish(2);
    expect(world.server.stats().channels).toBe(0);
    await publish(1);
    expect(world.server.stats().channels).toBe(1);
  });

  it("REC-7 INV-6 comes back to a channel that nobody follows and that could not be opened", async () => {
    const { world, publish } = tiny();
    world.broker.failNext("loadSnapshot");
    await publish(3);
    expect(world.log.warnings).toEqual(["opening a channel failed"]);
    await publish(3);
    expect(await world.broker.inner.loadSnapshot(board)).toMatchObject({ position: { seq: 6 } });
  });

  it("REC-7 INV-6 opens nothing any more for what is answered when the server has closed", async () => {
    const { world, handle, publish } = tiny();
    await publish(2);
    const answer = world.broker.holdAnswerOfNext("append");
    const last = handle.publish("note:add", text("x"));
    const closed = world.server.close();
    await world.advance(3_000);
    await closed;
    answer();
    expect((await last).position.seq).toBe(3);
    await world.settle();
    expect(world.broker.countOf("subscribe")).toBe(0);
  });

  it("REC-7 of a channel without state keeps 100 events and 60 s", async () => {
    const world = new World({ contract: rooms });
    const handle = world.server.channel("room:{id}", { id: "1" });
    const publish = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index++) await handle.publish("note:add", text("x"));
    };
    const kept = async (): Promise<number> => {
      const { position, floor } = await world.broker.inner.head("room:1");
      return position.seq - floor;
    };
    await publish(500);
    await world.advance(59_000);
    await publish(1);
    expect(await kept()).toBe(501);
    await world.advance(2_000);
    await publish(1);
    expect(await kept()).toBeGreaterThanOrEqual(100);
    expect(await kept()).toBeLessThan(200);
  });

  it("REC-7 of a namespace is what its policy says", async () => {
    const world = new World({ contract: rooms, namespaces: { room: { history: { countMin: 10, ageMsMin: 0, countMax: 50 } } } });
    const handle = world.server.channel("room:{id}", { id: "1" });
    for (let index = 0; index < 300; index++) await handle.publish("note:add", text("x"));
    const { position, floor } = await world.broker.inner.head("room:1");
    expect(position.seq - floor).toBeLessThan(10 + 64);
    expect(position.seq - floor).toBeGreaterThanOrEqual(10);
  });

  it("REC-7 of clients' publishes is no other", async () => {
    const world = new World({ contract: rooms, namespaces: { room: { history: { countMin: 10, ageMsMin: 0 } } } });
    const peer = await world.peer();
    for (let n = 1; n <= 200; n++) await peer.ask(peer.publishing("room:1", n, text("x")));
    const { position, floor } = await world.broker.inner.head("room:1");
    expect(position.seq - floor).toBeLessThan(10 + 64);
  });

  it("REC-3 from below the trimmed floor brings the snapshot, and what follows reduces to the same state", async () => {
    const { world, handle, publish, floor } = tiny();
    const first = await world.peer();
    await first.subscribe(board);
    await publish(1);
    const [seen] = first.eventsOf(board);
    first.drop();
    await (await world.peer()).subscribe(board);
    for (let round = 0; round < 6; round++) {
      await publish(3);
      await world.advance(2_000);
    }
    const since = { epoch: seen!.epoch, seq: seen!.seq };
    expect(await floor()).toBeGreaterThan(since.seq);
    const late = await world.peer();
    const start = await late.subscribe(board, { since });
    expect(start).toEqual({ position: { epoch: since.epoch, seq: 19, eventId: (await world.broker.inner.head(board)).eventId }, gap: { from: since, to: { epoch: since.epoch, seq: 19 } }, snapshot: { version: 1, state: (await handle.state()).state } });
    await publish(2);
    expect(late.eventsOf(board).map(({ seq }) => seq)).toEqual([20, 21]);
  });
});

describe("a start", () => {
  /** What is read of the log, by the position that it is read after. */
  const spied = (inner: Broker) => {
    const reads: number[] = [];
    const read: Broker["read"] = (channel, after, options) => {
      reads.push(after.seq);
      return inner.read(channel, after, options);
    };
    return { broker: { ...boundBroker(inner), read }, reads };
  };
  const written = async (count: number): Promise<Broker> => {
    const broker = memoryBroker();
    for (let index = 1; index <= count; index++) await broker.append(board, { event: { eventId: `${index}`, type: "note:add", payload: text("x"), timestamp: 0 } });
    return broker;
  };

  it("STA-8 reads the newest snapshot, and of the log what comes after it alone", async () => {
    const inner = await written(1_010);
    const { position } = await inner.head(board);
    await inner.saveSnapshot(board, { position: { ...position, seq: 1_000 }, version: 1, state: ["1,000 notes"] });
    const { broker, reads } = spied(inner);
    const world = new World({ contract: rooms, broker });
    expect((await world.server.channel("board:{id}", { id: "1" }).state()).state).toHaveLength(11);
    expect(reads).toEqual([1_000, 1_010]);
  });

  /** Its snapshot, of the third event, is of a log that lost that event and went on with another. */
  const foreseen = async (): Promise<Broker> => {
    const inner = await written(5);
    const { epoch } = (await inner.head(board)).position;
    const snapshot = { position: { epoch, seq: 3 }, eventId: "lost", version: 1, state: ["x", "x", "lost"] };
    return { ...boundBroker(inner), loadSnapshot: async (...asked) => (await inner.loadSnapshot(...asked)) ?? snapshot };
  };

  it("STA-8 passes over a snapshot of an event that the log lost, where the log has all, and saves its own", async () => {
    const broker = await foreseen();
    const world = new World({ contract: rooms, broker, snapshotEvery: 5 });
    expect((await world.server.channel("board:{id}", { id: "1" }).state()).state).toEqual(["x", "x", "x", "x", "x"]);
    expect(world.log.warnings).toEqual(["a snapshot of what the log does not have was passed over"]);
    await world.settle();
    expect(await broker.loadSnapshot(board)).toMatchObject({ position: { seq: 5 }, eventId: "5" });
  });

  it("STA-8 guesses nothing where the log does not have all that such a snapshot stands for", async () => {
    const broker = await foreseen();
    await broker.trim(board, { ...(await broker.head(board)).position, seq: 1 });
    const world = new World({ contract: rooms, broker });
    await expect(world.server.channel("board:{id}", { id: "1" }).state()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  it("STA-8 saves what those before it left unsaved: short lives make the tail no longer", async () => {
    const inner = await written(5);
    const open = async (snapshotEvery: number): Promise<void> => {
      const world = new World({ contract: rooms, broker: inner, snapshotEvery });
      await world.server.channel("board:{id}", { id: "1" }).state();
      await world.settle();
    };
    await open(6);
    expect(await inner.loadSnapshot(board)).toBeUndefined();
    await open(5);
    expect(await inner.loadSnapshot(board)).toMatchObject({ position: { seq: 5 } });
  });
});

describe("snapshots", () => {
  it("STA-1 are saved every snapshotEvery events, and start the next node where they stand", async () => {
    const { world, publish } = tiny();
    await (await world.peer()).subscribe(board);
    await publish(7);
    expect(await world.broker.inner.loadSnapshot(board)).toMatchObject({ position: { seq: 6 }, version: 1, state: Array.from({ length: 6 }, () => "x") });
    const next = new World({ contract: rooms, broker: world.broker.inner });
    expect((await next.server.channel("board:{id}", { id: "1" }).state()).state).toEqual(Array.from({ length: 7 }, () => "x"));
  });

  it("STA-1 are saved when the channel closes, where something is unsaved", async () => {
    const { world, publish } = tiny();
    const peer = await world.peer();
    await peer.subscribe(board);
    await publish(4);
    await peer.ask({ op: "unsubscribe", channel: board });
    await world.advance(32_000);
    expect(world.server.stats().channels).toBe(0);
    expect(await world.broker.inner.loadSnapshot(board)).toMatchObject({ position: { seq: 4 } });
    expect(world.broker.countOf("saveSnapshot")).toBe(2);
  });

  it("STA-1 are not saved when the channel closes, where nothing is unsaved", async () => {
    const { world, publish } = tiny();
    const peer = await world.peer();
    await peer.subscribe(board);
    await publish(3);
    await peer.ask({ op: "unsubscribe", channel: board });
    await world.advance(32_000);
    expect(world.server.stats().channels).toBe(0);
    expect(world.broker.countOf("saveSnapshot")).toBe(1);
  });

  it("STA-1 are saved one after the other", async () => {
    const { world, publish } = tiny();
    await (await world.peer()).subscribe(board);
    const answer = world.broker.holdAnswerOfNext("saveSnapshot");
    await publish(9);
    expect(world.broker.countOf("saveSnapshot")).toBe(1);
    answer();
    await world.settle();
    await publish(1);
    expect(world.broker.countOf("saveSnapshot")).toBe(2);
    expect(await world.broker.inner.loadSnapshot(board)).toMatchObject({ position: { seq: 10 } });
  });

  it("STA-1 that are replaced, and their history trimmed, while they are loaded are loaded anew", async () => {
    const inner = memoryBroker();
    for (let index = 0; index < 5; index++) await inner.append(board, { event: { eventId: `${index}`, type: "note:add", payload: text(`${index}`), timestamp: 0 } });
    const { position } = await inner.head(board);
    await inner.saveSnapshot(board, { position: { ...position, seq: 1 }, version: 1, state: ["0"] });
    const world = new World({ contract: rooms, broker: inner });
    const release = world.broker.holdNext("read");
    const opened = world.server.channel("board:{id}", { id: "1" }).state();
    await world.settle();
    await inner.saveSnapshot(board, { position: { ...position, seq: 3 }, version: 1, state: ["0", "1", "2"] });
    await inner.trim(board, { ...position, seq: 3 });
    release();
    expect((await opened).state).toEqual(["0", "1", "2", "3", "4"]);
  });

  it("STA-1 that cannot be saved cost nothing but a warning", async () => {
    const { world, handle, publish } = tiny();
    await (await world.peer()).subscribe(board);
    world.broker.failNext("saveSnapshot");
    await publish(3);
    expect(world.log.warnings).toEqual(["saving a snapshot failed"]);
    await publish(3);
    expect(await world.broker.inner.loadSnapshot(board)).toMatchObject({ position: { seq: 6 } });
    expect((await handle.state()).state).toEqual(Array.from({ length: 6 }, () => "x"));
  });

  it("STA-1 that the log no longer reaches back to are not guessed around", async () => {
    const inner = memoryBroker();
    for (let index = 0; index < 5; index++) await inner.append(board, { event: { eventId: `${index}`, type: "note:add", payload: text("x"), timestamp: 0 } });
    const { position } = await inner.head(board);
    await inner.saveSnapshot(board, { position: { ...position, seq: 1 }, version: 1, state: ["x"] });
    await inner.trim(board, { ...position, seq: 3 });
    const world = new World({ contract: rooms, broker: inner });
    expect(await (await world.peer()).codeOf({ op: "subscribe", channel: board })).toBe("UNAVAILABLE");
    expect(world.broker.listenerCount).toBe(0);
  });
});
