import type { LastSeen, Position } from "@tutti/protocol";
import type { Broker, Keep, Retention } from "@tutti/server";
import { appendMany, count, idAt, landedAt, placeOf, readAll, request, type Suite } from "./broker-contract-tools.js";

export function readSuite({ withBroker: it, expect }: Suite): void {
  it("BRK-6 reads in pages that follow each other", async (broker) => {
    const start = (await broker.head("room:1")).position;
    const positions = await appendMany(broker, "room:1", 7);
    const page = await broker.read("room:1", start, { countMax: 3 });
    expect(page.outcome === "page" && page.run.events.map(({ seq }) => seq)).toEqual(positions.slice(0, 3).map(({ seq }) => seq));
    expect(page.head).toEqual(positions[6]);
    expect((await readAll(broker, "room:1", start, 3)).map(({ seq }) => seq)).toEqual(positions.map(({ seq }) => seq));
  });

  it("BRK-6 reads nothing after the head, and says that it is no gap", async (broker) => {
    const positions = await appendMany(broker, "room:1", 2);
    const head = positions[1];
    if (head === undefined) throw new Error("nothing was appended");
    const page = await broker.read("room:1", head, { countMax: 10 });
    expect(page).toMatchObject({ outcome: "page", head, run: { events: [] } });
    expect((await broker.head("room:1")).position).toEqual(head);
  });

  it("BRK-6 tells a gap for a foreign epoch, a position from the future, and another event at the position", async (broker) => {
    const positions = await appendMany(broker, "room:1", 3);
    const [first, , head] = positions;
    if (first === undefined || head === undefined) throw new Error("nothing was appended");
    const gap = { outcome: "gap", head };
    expect(await broker.read("room:1", { epoch: "foreign", seq: 1 }, { countMax: 10 })).toMatchObject(gap);
    expect(await broker.read("room:1", { ...head, seq: head.seq + 1 }, { countMax: 10 })).toMatchObject(gap);
    expect(await broker.read("room:1", { ...first, eventId: "another" }, { countMax: 10 })).toMatchObject(gap);
    const known = await readAll(broker, "room:1", first);
    expect(known.length).toBe(2);
  });

  it("BRK-6 has a head for a channel that nobody wrote to, and reads nothing there", async (broker) => {
    const { position, floor } = await broker.head("room:1");
    expect(position.seq).toBe(0);
    expect(floor).toBe(0);
    expect(await broker.read("room:1", position, { countMax: 10 })).toMatchObject({ outcome: "page", head: position, run: { events: [] } });
  });

  it("BRK-8 loads the snapshot that was saved, with its position", async (broker) => {
    expect(await broker.loadSnapshot("room:1")).toBeUndefined();
    const positions = await appendMany(broker, "room:1", 3);
    const [older, newer] = positions;
    if (older === undefined || newer === undefined) throw new Error("nothing was appended");
    expect(await broker.saveSnapshot("room:1", { position: newer, version: 2, state: { notes: ["a", "b"] } })).toBe(true);
    expect(await broker.loadSnapshot("room:1")).toEqual({ position: newer, version: 2, state: { notes: ["a", "b"] } });
    expect(await broker.loadSnapshot("room:2")).toBeUndefined();
  });

  it("BRK-8 tells whether a snapshot, or a newer one of the same epoch, is kept", async (broker) => {
    const positions = await appendMany(broker, "room:1", 3);
    const [older, newer, head] = positions;
    if (older === undefined || newer === undefined || head === undefined) throw new Error("nothing was appended");
    const saved = (position: Position): Promise<boolean> => broker.saveSnapshot("room:1", { position, version: 2, state: {} });
    expect(await saved({ ...head, epoch: "foreign" })).toBe(false);
    expect(await saved({ ...head, seq: head.seq + 1 })).toBe(false);
    expect(await broker.loadSnapshot("room:1")).toBeUndefined();
    // At once, so that the newer one may be under way still when the older one comes.
    expect(await Promise.all([saved(newer), saved(older)])).toEqual([true, true]);
    expect(await broker.loadSnapshot("room:1")).toMatchObject({ position: newer });
    expect(await saved({ epoch: "foreign", seq: newer.seq })).toBe(false);
    expect(await saved({ ...head, seq: head.seq + 1 })).toBe(false);
    expect(await broker.loadSnapshot("room:1")).toMatchObject({ position: newer });
  });
}

export function trimSuite({ withBroker: it, expect }: Suite): void {
  it("BRK-7 raises the floor and not the head; below the floor is a gap", async (broker) => {
    const start = (await broker.head("room:1")).position;
    const positions = await appendMany(broker, "room:1", 6);
    const [, second, third, , , last] = positions;
    if (second === undefined || third === undefined || last === undefined) throw new Error("nothing was appended");
    const [newest, forgotten] = [await idAt(broker, last), await idAt(broker, third)];
    await broker.trim("room:1", third);
    // The ids are what tells this log from one that lost its tail and went on.
    expect(await broker.head("room:1")).toEqual({ position: last, eventId: newest, floor: third.seq, floorEventId: forgotten });
    expect(await broker.read("room:1", start, { countMax: 10 })).toMatchObject({ outcome: "gap", floor: third, head: last });
    expect(await broker.read("room:1", second, { countMax: 10 })).toMatchObject({ outcome: "gap" });
    const [next, ...others] = await readAll(broker, "room:1", third);
    expect(next).toMatchObject({ prev: third.seq });
    expect(others.length).toBe(2);
  });

  it("BRK-7 trims to the head at most, never lowers the floor, and goes on counting", async (broker) => {
    const [first, second] = await appendMany(broker, "room:1", 2);
    if (first === undefined || second === undefined) throw new Error("nothing was appended");
    const newest = await idAt(broker, second);
    await broker.trim("room:1", second);
    await broker.trim("room:1", first);
    expect(await broker.head("room:1")).toEqual({ position: second, eventId: newest, floor: second.seq, floorEventId: newest });
    const third = landedAt(await broker.append("room:1", request()));
    expect(third.seq).toBeGreaterThan(second.seq);
    expect((await readAll(broker, "room:1", second))[0]).toMatchObject({ seq: third.seq, prev: second.seq });
  });

  it("BRK-7 forgets nothing for a position of another epoch", async (broker) => {
    await appendMany(broker, "room:1", 2);
    await broker.trim("room:1", { epoch: "foreign", seq: 1 });
    expect((await broker.head("room:1")).floor).toBe(0);
  });

  it("BRK-7 remembers publishers whose events were trimmed", async (broker) => {
    const position = landedAt(await broker.append("room:1", request({ publisher: count(1) })));
    await broker.trim("room:1", position);
    expect(await broker.append("room:1", request({ publisher: count(1) }))).toEqual({ outcome: "repeat", position });
  });
}

export function floorSuite({ withBroker: it, expect }: Suite): void {
  it("BRK-15 names the event at its floor, and tells whoever saw another one there of a gap", async (broker) => {
    const positions = await appendMany(broker, "room:1", 6);
    const [first, , third, , , head] = positions;
    if (first === undefined || third === undefined || head === undefined) throw new Error("nothing was appended");
    const [newest, forgotten] = [await idAt(broker, head), await idAt(broker, third)];
    await broker.trim("room:1", third);
    const gap = { outcome: "gap", floor: { ...third, eventId: forgotten }, head: { ...head, eventId: newest } };
    expect(await broker.read("room:1", first, { countMax: 10 })).toMatchObject(gap);
    expect(await broker.read("room:1", { ...third, eventId: "another" }, { countMax: 10 })).toMatchObject(gap);
    expect(await broker.read("room:1", { ...third, eventId: forgotten }, { countMax: 10 })).toMatchObject({ outcome: "page", run: { events: [{}, {}, {}] } });
  });

  it("BRK-15 names it at a floor that is the head, and above which an event comes to stand", async (broker) => {
    const [, head] = await appendMany(broker, "room:1", 2);
    if (head === undefined) throw new Error("nothing was appended");
    const newest = await idAt(broker, head);
    await broker.trim("room:1", head);
    const seen = { ...head, eventId: newest };
    expect(await broker.locate("room:1", { count: 0 })).toEqual(seen);
    expect(await broker.read("room:1", seen, { countMax: 10 })).toMatchObject({ outcome: "page", run: { events: [] } });
    expect(await broker.read("room:1", { ...head, eventId: "another" }, { countMax: 10 })).toMatchObject({ outcome: "gap", head: seen });
    await appendMany(broker, "room:1", 1);
    expect(await broker.head("room:1")).toMatchObject({ floor: head.seq, floorEventId: newest });
    expect(await broker.read("room:1", { ...head, eventId: "another" }, { countMax: 10 })).toMatchObject({ outcome: "gap", floor: seen });
  });

  it("BRK-15 names it where a retention raised the floor", async (broker) => {
    const retention: Retention = { ...FOR_EVER, countMax: 5 };
    const requests = Array.from({ length: 150 }, () => request({ retention }));
    const ids = new Map<number, string>();
    for (const one of requests) ids.set(landedAt(await broker.append("room:1", one)).seq, one.event.eventId);
    const { floor, floorEventId } = await broker.head("room:1");
    expect(floor).toBeGreaterThan(0);
    expect(floorEventId).toBe(ids.get(floor));
  });

  it("BRK-15 names the event of each place that it locates", async (broker) => {
    const positions = await appendMany(broker, "room:1", 5);
    const [, second, , fourth, head] = positions;
    if (second === undefined || fourth === undefined || head === undefined) throw new Error("nothing was appended");
    const seen: LastSeen[] = [];
    for (const position of positions) seen.push({ ...position, eventId: await idAt(broker, position) });
    await broker.trim("room:1", second);
    expect(await broker.locate("room:1", { count: 0 })).toEqual(seen[4]);
    expect(await broker.locate("room:1", { count: 1 })).toEqual(seen[3]);
    expect(await broker.locate("room:1", { count: 5 })).toEqual(seen[1]);
    expect(await broker.locate("room:1", { ageMs: Number.MAX_SAFE_INTEGER })).toEqual(seen[1]);
  });
}

export function headsSuite({ withBroker: it, expect }: Suite): void {
  it("BRK-14 tells the heads of several channels as each is told alone, in the order asked", async (broker) => {
    const [, second] = await appendMany(broker, "room:1", 3);
    await appendMany(broker, "room:2", 1);
    const [last] = await appendMany(broker, "room:3", 1);
    if (second === undefined || last === undefined) throw new Error("nothing was appended");
    await broker.trim("room:1", second);
    await broker.trim("room:3", last);
    const asked = ["room:2", "room:4", "room:1", "room:3", "room:2"];
    const alone = [];
    for (const channel of asked) alone.push(await broker.head(channel));
    expect(await broker.heads(asked)).toEqual(alone);
    expect(alone.map(({ eventId }) => eventId !== undefined)).toEqual([true, false, true, true, true]);
  });

  it("BRK-14 tells of hundreds of channels at once, and of none", async (broker) => {
    const channels = Array.from({ length: 300 }, (_, index) => `room:${index}`);
    const landed = await Promise.all(channels.map((channel) => broker.append(channel, request())));
    const heads = await broker.heads(channels);
    expect(heads.map(({ position }) => position)).toEqual(landed.map(landedAt));
    expect(await broker.heads([])).toEqual([]);
  });
}

export function locateSuite({ withBroker: it, expect }: Suite): void {
  it("BRK-11 locates so many events behind the head, and the floor where there are not so many", async (broker) => {
    const start = (await broker.head("room:1")).position;
    const positions = await appendMany(broker, "room:1", 7);
    expect(placeOf(await broker.locate("room:1", { count: 3 }))).toEqual(positions[3]);
    expect(placeOf(await broker.locate("room:1", { count: 0 }))).toEqual(positions[6]);
    expect(placeOf(await broker.locate("room:1", { count: 7 }))).toEqual(start);
    expect(placeOf(await broker.locate("room:1", { count: Number.MAX_SAFE_INTEGER }))).toEqual(start);
    const events = await readAll(broker, "room:1", await broker.locate("room:1", { count: 2 }));
    expect(events.map(({ seq }) => seq)).toEqual(positions.slice(5).map(({ seq }) => seq));
  });

  it("BRK-11 locates what was appended within so many milliseconds, by the broker's clock", async (broker, elapse) => {
    const start = (await broker.head("room:1")).position;
    await elapse(1_000);
    const old = await appendMany(broker, "room:1", 3);
    await elapse(60_000);
    const young = await appendMany(broker, "room:1", 2);
    await elapse(10_000);
    expect(placeOf(await broker.locate("room:1", { ageMs: 30_000 }))).toEqual(old[2]);
    expect(placeOf(await broker.locate("room:1", { ageMs: 5_000 }))).toEqual(young[1]);
    expect(placeOf(await broker.locate("room:1", { ageMs: Number.MAX_SAFE_INTEGER }))).toEqual(start);
  });

  it("BRK-11 locates nothing below the floor", async (broker) => {
    const positions = await appendMany(broker, "room:1", 6);
    const [, , third, fourth] = positions;
    if (third === undefined || fourth === undefined) throw new Error("nothing was appended");
    await broker.trim("room:1", third);
    expect(placeOf(await broker.locate("room:1", { count: 5 }))).toEqual(third);
    expect(placeOf(await broker.locate("room:1", { ageMs: Number.MAX_SAFE_INTEGER }))).toEqual(third);
    expect(placeOf(await broker.locate("room:1", { count: 2 }))).toEqual(fourth);
  });

  it("BRK-11 locates the head of a channel that nobody wrote to", async (broker) => {
    const { position } = await broker.head("room:1");
    expect(await broker.locate("room:1", { count: 3 })).toEqual(position);
    expect(await broker.locate("room:1", { ageMs: 3 })).toEqual(position);
  });
}

/** So many events over what it should keep a broker may hold, to forget them many at a time. */
const SLACK_COUNT = 64;
const FOR_EVER: Retention = { countMin: 0, ageMsMin: Number.MAX_SAFE_INTEGER, countMax: 1_000_000, bytesMax: Number.MAX_SAFE_INTEGER };

async function keptOf(broker: Broker, channel: string): Promise<number> {
  const { position, floor } = await broker.head(channel);
  return (await readAll(broker, channel, { epoch: position.epoch, seq: floor })).length;
}

export function retentionSuite({ withBroker: it, expect }: Suite): void {
  it("BRK-12 keeps the last countMin and what is younger than ageMsMin, and forgets in time what is neither", async (broker, elapse) => {
    const retention: Retention = { ...FOR_EVER, countMin: 10, ageMsMin: 10_000 };
    await Promise.all(Array.from({ length: 300 }, () => broker.append("room:1", request({ retention }))));
    expect((await broker.head("room:1")).floor).toBe(0);
    await elapse(20_000);
    await broker.append("room:1", request({ retention }));
    const kept = await keptOf(broker, "room:1");
    expect(kept >= 10 && kept <= 10 + SLACK_COUNT).toBe(true);
  });

  it("BRK-12 keeps at most countMax, however young they are", async (broker) => {
    const retention: Retention = { ...FOR_EVER, countMax: 100 };
    await Promise.all(Array.from({ length: 300 }, () => broker.append("room:1", request({ retention }))));
    const kept = await keptOf(broker, "room:1");
    expect(kept >= 100 && kept <= 100 + SLACK_COUNT).toBe(true);
  });

  it("BRK-12 keeps at most bytesMax of what events take, however few they are", async (broker) => {
    const retention: Retention = { ...FOR_EVER, countMin: 300, bytesMax: 100_000 };
    const payload = "x".repeat(1_000);
    await Promise.all(Array.from({ length: 300 }, () => broker.append("room:1", request({ payload, retention }))));
    const kept = await keptOf(broker, "room:1");
    // What an event takes besides its payload is the broker's affair.
    expect(kept > 40 && kept <= 100 + SLACK_COUNT).toBe(true);
  });

  it("BRK-12 forgets nothing of a channel whose appends name no retention", async (broker, elapse) => {
    await appendMany(broker, "room:1", 300);
    await elapse(20_000);
    await appendMany(broker, "room:1", 1);
    expect((await broker.head("room:1")).floor).toBe(0);
  });

  it("BRK-12 trims what it is told to, and leaves what the retention wants kept", async (broker, elapse) => {
    await appendMany(broker, "room:1", 20);
    await elapse(20_000);
    const young = await appendMany(broker, "room:1", 5);
    const head = young[4];
    if (head === undefined) throw new Error("nothing was appended");
    await broker.trim("room:1", head, FOR_EVER);
    expect(await keptOf(broker, "room:1")).toBe(25);
    await broker.trim("room:1", head, { ...FOR_EVER, countMin: 10, ageMsMin: 0 });
    expect(await keptOf(broker, "room:1")).toBe(10);
    await broker.trim("room:1", head, { ...FOR_EVER, ageMsMin: 10_000 });
    expect(await keptOf(broker, "room:1")).toBe(5);
    expect((await broker.head("room:1")).position).toEqual(head);
  });

  it("BRK-16 trims nothing that is not in the snapshot that is kept, where it is told so", async (broker) => {
    const positions = await appendMany(broker, "room:1", 6);
    const [, second, , fourth, , head] = positions;
    if (second === undefined || fourth === undefined || head === undefined) throw new Error("nothing was appended");
    const keep: Keep = { ...FOR_EVER, ageMsMin: 0, unsaved: true };
    const floorAfter = async (upTo: Position): Promise<number> => {
      await broker.trim("room:1", upTo, keep);
      return (await broker.head("room:1")).floor;
    };
    expect(await floorAfter(head)).toBe(0);
    await broker.saveSnapshot("room:1", { position: fourth, version: 1, state: {} });
    expect(await floorAfter(second)).toBe(second.seq);
    expect(await floorAfter(head)).toBe(fourth.seq);
  });

  it("BRK-12 trims by a retention no further than it is told to, over countMax and bytesMax too", async (broker) => {
    const positions = await appendMany(broker, "room:1", 20);
    const third = positions[2];
    if (third === undefined) throw new Error("nothing was appended");
    await broker.trim("room:1", third, { ...FOR_EVER, countMax: 5, bytesMax: 10 });
    expect((await broker.head("room:1")).floor).toBe(third.seq);
  });
}
