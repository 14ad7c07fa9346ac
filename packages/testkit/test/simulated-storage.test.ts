import type { HeldSession, StorageChange } from "@tutti/client";
import { describe, expect, it } from "vitest";
import { Participant, SimulatedClock, SimulatedStorage, calmStorage, type StoragePromises } from "../src/index.js";

const begin: StorageChange = { kind: "begin", identity: { secret: "s", publicId: undefined, user: undefined } };
const put = (n: number, attempted = true): StorageChange => ({
  kind: "put",
  publish: { channel: "room:1", n, type: "note", payload: n, timestamp: 0, attempted },
});
const numbersOf = ({ stored }: HeldSession): readonly number[] => stored?.publishes.map(({ n }) => n) ?? [];

function browser(promises: StoragePromises = {}) {
  const clock = new SimulatedClock();
  const storage = new SimulatedStorage({ clock, seed: 1, name: "browser", promises });
  let count = 0;
  const open = (tab: string) => {
    const page = new Participant(clock, `page${++count}`, 1);
    return { page, storage: storage.open(page, tab) };
  };
  const hold = async (tab: string) => {
    const { page, storage: opened } = open(tab);
    const held = opened.hold();
    await clock.advance(1_000);
    return { page, storage: opened, held: await held };
  };
  return { clock, storage, open, hold };
}

describe("the simulated storage of a browser", () => {
  it("QUE-2 keeps what was written, and gives it to the next page of the tab", async () => {
    const { clock, hold } = browser();
    const first = await hold("a");
    expect(first.held.stored).toBeUndefined();
    void first.held.write([begin, put(1)]);
    void first.held.write([put(2), { kind: "settle", channel: "room:1", n: 1 }]);
    await clock.advance(100);
    first.page.stop();
    await clock.advance(1_000);
    expect(numbersOf((await hold("a")).held)).toEqual([2]);
  });

  it("QUE-1 takes its time, in order, and loses the last of what a page wrote that dies", async () => {
    const { clock, storage, hold } = browser();
    storage.conditions = { ...calmStorage, delayMs: [100, 200] };
    const { page, held } = await hold("a");
    const kept: number[] = [];
    await Promise.all([held.write([begin]), clock.advance(300)]);
    for (let n = 1; n <= 20; n++) void held.write([put(n)]).then(() => kept.push(n));
    expect(kept).toEqual([]);
    await clock.advance(150);
    page.stop();
    await clock.advance(1_000);
    const left = numbersOf((await hold("a")).held);
    expect(left).toEqual(Array.from({ length: left.length }, (_, index) => index + 1));
    expect(left.slice(0, kept.length)).toEqual(kept);
    expect(left.length).toBeLessThan(20);
  });

  it("QUE-3 a session has one owner: a page that lives keeps it, also while it is frozen", async () => {
    const { clock, hold } = browser();
    const first = await hold("a");
    void first.held.write([begin, put(1)]);
    first.page.freeze(10_000);
    expect((await hold("a")).held.stored).toBeUndefined();
    await clock.advance(20_000);
    void first.held.release();
    await clock.advance(100);
    expect(numbersOf((await hold("b")).held)).toEqual([1]);
  });

  it("QUE-3 tells a page of what a dead one left, once it is free, and nobody of an empty queue", async () => {
    const { clock, hold } = browser();
    const [dead, empty, alive] = [await hold("a"), await hold("b"), await hold("c")];
    const adopted: HeldSession[] = [];
    alive.storage.orphans?.((held) => adopted.push(held));
    void dead.held.write([begin, put(1)]);
    void empty.held.write([begin]);
    await clock.advance(1_000);
    expect(adopted).toEqual([]);
    dead.page.stop();
    empty.page.stop();
    await clock.advance(1_000);
    expect(adopted.map(numbersOf)).toEqual([[1]]);
    void adopted[0]?.release({ forget: true });
    await clock.advance(100);
    expect((await hold("a")).held.stored?.publishes).toEqual([]);
  });

  it("QUE-7 takes no more publishes while it is full, and cannot be opened while it is closed", async () => {
    const { clock, storage, hold, open } = browser();
    const { held } = await hold("a");
    storage.conditions = { ...calmStorage, isFull: true };
    const outcomes: string[] = [];
    held.write([put(1)]).catch(() => outcomes.push("refused"));
    void held.write([{ kind: "settle", channel: "room:1", n: 9 }]).then(() => outcomes.push("settled"));
    storage.conditions = { ...storage.conditions, isClosed: true };
    open("b").storage.hold().catch(() => outcomes.push("closed"));
    await clock.advance(100);
    expect(outcomes).toEqual(["refused", "settled", "closed"]);
    storage.conditions = calmStorage;
    void held.write([begin, put(2)]);
    await clock.advance(100);
    expect(storage.publishCount).toBe(1);
  });

  it("keeps the newest state of a channel from time to time", async () => {
    const { clock, hold } = browser();
    const first = await hold("a");
    void first.held.write([begin]);
    const state = (value: number): StorageChange => ({ kind: "state", channel: "room:1", state: { position: { epoch: "e", seq: value }, version: 1, state: value } });
    for (const value of [1, 2]) await first.held.write([state(value)]);
    await clock.advance(2_000);
    await first.held.write([state(3)]);
    first.page.stop();
    await clock.advance(2_000);
    expect((await hold("a")).held.stored?.states.get("room:1")?.state).toBe(2);
  });

  it("breaks the promise that it is told to break", async () => {
    const shared = browser({ lock: false });
    const first = await shared.hold("a");
    void first.held.write([begin, put(1)]);
    await shared.clock.advance(100);
    expect(numbersOf((await shared.hold("a")).held)).toEqual([1]);

    const forgetful = browser({ attempted: false });
    const second = await forgetful.hold("a");
    void second.held.write([begin, put(1)]);
    await forgetful.clock.advance(100);
    second.page.stop();
    await forgetful.clock.advance(1_000);
    expect((await forgetful.hold("a")).held.stored?.publishes).toMatchObject([{ n: 1, attempted: false }]);

    const hasty = browser({ kept: false });
    const third = await hasty.hold("a");
    let isTold = false;
    void third.held.write([begin]).then(() => (isTold = true));
    await Promise.resolve();
    expect(isTold).toBe(true);
  });
});
