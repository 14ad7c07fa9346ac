import { SimulatedClock, Participant } from "@tutti/testkit";
import type { Entry, Key } from "@tutti/lmdb";
import { describe, expect, it } from "vitest";
import { SimulatedDisk } from "./simulated-disk.js";

function setup(flush?: false) {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({ clock, seed: 1, delayMs: [10, 20], ...(flush !== undefined && { flush }) });
  const open = (name: string) => {
    const process = new Participant(clock, name, 1);
    return { process, store: disk.open(process) };
  };
  return { clock, disk, open };
}

const put = (key: Key, value = "x") => [{ put: key, value }];
const keysOf = (entries: Iterable<Entry>): readonly Key[] => [...entries].map(({ key }) => key);
const all = { start: ["e", 0, 0], end: ["e", 9, 0] } as const;

describe("the simulated disk", () => {
  it("shows a write at once, and flushes in order after a while", async () => {
    const { clock, open } = setup();
    const { store } = open("one");
    const flushed: number[] = [];
    for (const n of [1, 2, 3]) void store.write(put(["e", 1, n])).then(() => flushed.push(n));
    expect(store.get(["e", 1, 3])).toBe("x");
    await clock.advance(5);
    expect(flushed).toEqual([]);
    await clock.advance(100);
    expect(flushed).toEqual([1, 2, 3]);
  });

  it("orders keys element by element, and reads ranges both ways", () => {
    const { store } = setup().open("one");
    for (const key of [["e", 1, 10], ["e", 2, 1], ["e", 1, 9], ["d", 1, 1], ["e", 1]] as const) void store.write(put(key));
    expect(keysOf(store.range(all))).toEqual([["e", 1], ["e", 1, 9], ["e", 1, 10], ["e", 2, 1]]);
    expect(keysOf(store.range({ ...all, reverse: true, limit: 2 }))).toEqual([["e", 2, 1], ["e", 1, 10]]);
    expect(keysOf(store.range({ start: ["e", 1, 9], end: ["e", 1, 10] }))).toEqual([["e", 1, 9]]);
    void store.write([{ remove: ["e", 1, 9] }, ...put(["e", 1, 10], "y")]);
    expect([...store.range({ start: ["e", 1, 9], end: ["e", 2, 0] })]).toEqual([{ key: ["e", 1, 10], value: "y" }]);
  });

  it("loses with the power exactly what was not flushed, and with the process some of the last", async () => {
    for (const machine of ["gone", "kept"] as const) {
      const { clock, disk, open } = setup();
      const { process, store } = open("one");
      void store.write(put(["e", 1, 1], "before"));
      await clock.advance(100);
      for (const n of [1, 2, 3]) void store.write(put(["e", 1, n], "after"));
      process.stop();
      disk.crash(machine);
      const left = [...open("two").store.range(all)].map(({ value }) => value);
      await clock.advance(100);
      if (machine === "gone") expect(left).toEqual(["before"]);
      else expect([["before"], ["after"], ["after", "after"], ["after", "after", "after"]]).toContainEqual(left);
    }
  });

  it("fails while it is told to, with nothing of it there or all, and takes what comes later", async () => {
    const { clock, disk, open } = setup();
    const { store } = open("one");
    disk.isFailing = true;
    const kept: boolean[] = [];
    for (let n = 1; n <= 20; n++) {
      let isRefused = false;
      store.write([...put(["e", 1, n]), ...put(["e", 2, n])]).catch(() => (isRefused = true));
      await clock.advance(50);
      expect(isRefused).toBe(true);
      expect(store.get(["e", 1, n])).toBe(store.get(["e", 2, n]));
      kept.push(store.get(["e", 1, n]) !== undefined);
    }
    expect(new Set(kept).size).toBe(2);
    disk.isFailing = false;
    const done = store.write(put(["e", 3, 1]));
    await clock.advance(50);
    await expect(done).resolves.toBeUndefined();
  });

  it("goes back by the writes that were flushed last, and fails whoever had it before", async () => {
    const { clock, disk, open } = setup();
    const { store } = open("one");
    for (const value of ["a", "b", "c"]) void store.write(put(["e", 1, 1], value));
    await clock.advance(100);
    disk.rewind(2);
    const { store: next } = open("two");
    expect(next.get(["e", 1, 1])).toBe("a");
    await expect(store.write(put(["e", 1, 2]))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    disk.wipe();
    expect(next.get(["e", 1, 1])).toBeUndefined();
  });

  it("resolves before the flush where it is told to, which no disk may do", async () => {
    const { disk, open } = setup(false);
    const { store } = open("one");
    await store.write(put(["e", 1, 1]));
    disk.crash("gone");
    expect(store.get(["e", 1, 1])).toBeUndefined();
  });
});
