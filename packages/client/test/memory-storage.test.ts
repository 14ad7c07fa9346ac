import { describe, expect, it } from "vitest";
import { memoryStorage, type HeldSession, type StorageChange, type StoredPublish } from "../src/index.js";

const identity = (secret: string) => ({ secret, publicId: undefined, user: undefined });
const begin = (secret: string): StorageChange => ({ kind: "begin", identity: identity(secret) });
const publish = (channel: string, n: number, attempted = false): StoredPublish => ({ channel, n, type: "x", payload: n, timestamp: n, attempted });
const put = (...about: Parameters<typeof publish>): StorageChange => ({ kind: "put", publish: publish(...about) });
const secretOf = ({ stored }: HeldSession): string | undefined => stored?.identity.secret;

describe("sessions in memory", () => {
  it("QUE-2 keeps the publishes of each channel in the order of their n, and the counts of what is settled", async () => {
    const storage = memoryStorage();
    const held = await storage.hold();
    expect(held.stored).toBeUndefined();
    await held.write([begin("s"), put("a:1", 2), put("b:1", 1), put("a:1", 1), put("a:1", 2, true)]);
    await held.write([put("a:1", 3), { kind: "settle", channel: "a:1", n: 3 }, { kind: "settle", channel: "a:1", n: 7 }]);
    await held.release();
    expect((await storage.hold()).stored).toEqual({
      identity: identity("s"),
      counts: new Map([
        ["a:1", 3],
        ["b:1", 1],
      ]),
      publishes: [publish("a:1", 1), publish("a:1", 2, true), publish("b:1", 1)],
      states: new Map(),
    });
  });

  it("QUE-4 begin forgets all that was kept but the counts, and another name alone forgets nothing", async () => {
    const storage = memoryStorage();
    const held = await storage.hold();
    const named = { ...identity("s"), publicId: "p" };
    await held.write([begin("s"), put("a:1", 1), { kind: "identity", identity: named }]);
    await held.release();
    const again = await storage.hold();
    expect(again.stored).toMatchObject({ identity: named, publishes: [{ n: 1 }] });
    await again.write([begin("t")]);
    await again.release();
    expect((await storage.hold()).stored).toEqual({ identity: identity("t"), counts: new Map([["a:1", 1]]), publishes: [], states: new Map() });
  });

  it("STA-13 keeps the states of the latest channels", async () => {
    const storage = memoryStorage({ statesMax: 2 });
    const held = await storage.hold();
    const state = (channel: string, seq: number): StorageChange => ({ kind: "state", channel, state: { position: { epoch: "e", seq }, version: 1, state: seq } });
    await held.write([begin("s"), state("a:1", 1), state("b:1", 2), state("a:1", 3), state("c:1", 4)]);
    await held.release();
    expect([...((await storage.hold()).stored?.states ?? [])].map(([channel, { state: kept }]) => [channel, kept])).toEqual([
      ["a:1", 3],
      ["c:1", 4],
    ]);
  });

  it("QUE-3 a session has one owner: another tab gets another one, and what a late owner writes is not kept", async () => {
    const tab = memoryStorage();
    const other = memoryStorage({ beside: tab });
    const [one, two] = [await tab.hold(), await other.hold()];
    await one.write([begin("one"), put("a:1", 1)]);
    await two.write([begin("two")]);
    tab.abandon();
    const third = await memoryStorage({ beside: tab }).hold();
    expect(secretOf(third)).toBe("one");
    await one.write([put("a:1", 2)]);
    await one.release({ forget: true });
    await third.release();
    expect((await tab.hold()).stored?.publishes).toEqual([publish("a:1", 1)]);
  });

  it("QUE-3 a tab gets its own session back, else the one with the oldest publish, else a new one", async () => {
    const tab = memoryStorage();
    const [own, young, old] = await Promise.all([tab, memoryStorage({ beside: tab }), memoryStorage({ beside: tab })].map((each) => each.hold()));
    await own?.write([begin("own")]);
    await young?.write([begin("young"), put("a:1", 9)]);
    await old?.write([begin("old"), put("a:1", 5)]);
    for (const held of [own, young, old]) await held?.release();
    expect(secretOf(await tab.hold())).toBe("own");
    const next = memoryStorage({ beside: tab });
    expect([secretOf(await next.hold()), secretOf(await next.hold()), secretOf(await next.hold())]).toEqual(["old", "young", undefined]);
  });

  it("QUE-3 tells of what others left, now and later, until it is cancelled; what is forgotten is not told of", async () => {
    const tab = memoryStorage();
    const [one, two, three] = [memoryStorage({ beside: tab }), memoryStorage({ beside: tab }), memoryStorage({ beside: tab })];
    const [first, second, third] = [await one.hold(), await two.hold(), await three.hold()];
    await first.write([begin("first"), put("a:1", 1)]);
    await second.write([begin("second"), put("a:1", 1)]);
    await third.write([begin("third"), put("a:1", 1)]);
    one.abandon();
    const adopted: (string | undefined)[] = [];
    const cancel = tab.orphans?.((held) => {
      adopted.push(secretOf(held));
      void held.release({ forget: true });
    });
    expect(adopted).toEqual(["first"]);
    two.abandon();
    expect(adopted).toEqual(["first", "second"]);
    cancel?.();
    three.abandon();
    expect(adopted).toEqual(["first", "second"]);
    expect(secretOf(await tab.hold())).toBe("third");
    expect(secretOf(await tab.hold())).toBeUndefined();
  });
});
