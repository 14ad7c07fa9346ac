import { describe, expect, it } from "vitest";
import { select } from "../src/index.js";
import { makeStore } from "../src/store.js";
import { at, event } from "./support/fake-server.js";
import { Stage } from "./support/stage.js";

/** A store of a value that the test sets, and how many listen to it. */
function source<T>(first: T) {
  let value = first;
  let listeners = 0;
  const thrown: unknown[] = [];
  const store = makeStore(
    (cause) => thrown.push(cause),
    () => value,
  );
  return {
    thrown,
    listeners: () => listeners,
    set: (next: T): void => {
      value = next;
      store.changed();
    },
    store: {
      getSnapshot: store.getSnapshot,
      subscribe: (listener: () => void) => {
        listeners++;
        const off = store.subscribe(listener);
        return () => {
          listeners--;
          off();
        };
      },
    },
  };
}

describe("a selection of a store", () => {
  it("STA-10: changes only when what is selected changes", () => {
    const { store, set } = source({ count: 1, other: 1 });
    const count = select(store, (value) => value.count);
    const heard: number[] = [];
    count.subscribe(() => heard.push(count.getSnapshot()));
    set({ count: 1, other: 2 });
    set({ count: 2, other: 2 });
    set({ count: 2, other: 3 });
    set({ count: 1, other: 3 });
    expect(heard).toEqual([2, 1]);
  });

  it("STA-10: is the same reference until then", () => {
    const { store, set } = source({ list: [1, 2, 3], other: 1 });
    const odd = select(
      store,
      ({ list }) => list.filter((number) => number % 2 === 1),
      (before, now) => before.join() === now.join(),
    );
    let calls = 0;
    odd.subscribe(() => calls++);
    const first = odd.getSnapshot();
    expect(odd.getSnapshot()).toBe(first);
    set({ list: [1, 3, 4], other: 2 });
    expect([odd.getSnapshot(), calls]).toEqual([first, 0]);
    expect(odd.getSnapshot()).toBe(first);
    set({ list: [1, 3, 5], other: 2 });
    expect([odd.getSnapshot(), calls]).toEqual([[1, 3, 5], 1]);
  });

  it("STA-10: asks the selector once for each value of the source", () => {
    const { store, set } = source(1);
    let asked = 0;
    const selected = select(store, () => asked++);
    selected.getSnapshot();
    selected.subscribe(() => {});
    selected.subscribe(() => {});
    selected.getSnapshot();
    expect(asked).toBe(1);
    set(2);
    expect(asked).toBe(2);
  });

  it("STA-10: is right when nobody listens, and keeps what did not change meanwhile", () => {
    const { store, set } = source({ count: 1 });
    const count = select(
      store,
      ({ count: number }) => ({ number }),
      (before, now) => before.number === now.number,
    );
    const first = count.getSnapshot();
    set({ count: 1 });
    expect(count.getSnapshot()).toBe(first);
    set({ count: 2 });
    expect(count.getSnapshot()).toEqual({ number: 2 });
  });

  it("STA-10: listens to the source only while somebody listens to it", () => {
    const { store, set, listeners } = source(1);
    const same = select(store, (value) => value);
    same.getSnapshot();
    expect(listeners()).toBe(0);
    let calls = 0;
    const offs = [same.subscribe(() => calls++), same.subscribe(() => calls++)];
    set(2);
    offs.forEach((off) => off());
    set(3);
    expect([listeners(), calls]).toEqual([0, 2]);
  });

  it("STA-10: who listens hears of a change since it began to listen, also where somebody has read it first", () => {
    const { store, set } = source(1);
    const same = select(store, (value) => value);
    const heard: string[] = [];
    same.subscribe(() => heard.push(`first ${same.getSnapshot()}`));
    store.subscribe(() => same.getSnapshot());
    same.subscribe(() => heard.push(`last ${same.getSnapshot()}`));
    set(2);
    expect(heard).toEqual(["first 2", "last 2"]);
  });

  it("STA-10: a selector that throws is heard of, and the next value is selected again", () => {
    const { store, set, thrown } = source(1);
    const selected = select(store, (value) => {
      if (value === 2) throw new Error("no two");
      return value;
    });
    const heard: number[] = [];
    selected.subscribe(() => heard.push(selected.getSnapshot()));
    set(2);
    expect(() => selected.getSnapshot()).toThrow("no two");
    set(3);
    expect([thrown.length, heard]).toEqual([1, [3]]);
  });

  it("STA-10: a selection of a channel's state rests while others' events change something else", () => {
    const stage = new Stage().live({ position: at(1), snapshot: { version: 2, state: ["a"] } });
    const first = select(stage.board.state, ([text]) => text);
    const heard: unknown[] = [];
    first.subscribe(() => heard.push(first.getSnapshot()));
    stage.link.events("board:1", 2, event("note:add", { text: "b" }, "other:1"));
    void stage.board.publish("note:clear", {});
    expect(heard).toEqual([undefined]);
  });
});
