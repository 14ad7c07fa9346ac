import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canvas, inverseOf, reduceCanvas, type Canvas } from "../src/canvas.js";
import { reduceLobby } from "../src/lobby.js";
import { palette } from "../src/palette.js";
import { tidyPlaces } from "../src/server/tidy.js";

type CanvasEvent = Parameters<typeof reduceCanvas>[1];
type Change = CanvasEvent extends infer Event ? (Event extends CanvasEvent ? Pick<Event, "type" | "payload"> : never) : never;

const empty: Canvas = { concepts: [], arrows: [], chat: [] };
const concept = (id: string, x = 0, y = 0): Change => ({ type: "concept:create", payload: { id, text: id, x, y, colour: "teal" } });
const arrow = (from: string, to: string): Change => ({ type: "arrow:create", payload: { id: `${from}${to}`, from, to } });

function after(...changes: readonly Change[]): Canvas {
  return changes.reduce<Canvas>((state, change, index) => reduceCanvas(state, { ...change, eventId: `e${index}`, timestamp: index }), empty);
}

describe("what an event makes of a canvas", () => {
  it("deletes the arrows of a deleted concept, and no others", () => {
    const state = after(concept("aaaa"), concept("bbbb"), concept("cccc"), arrow("aaaa", "bbbb"), arrow("bbbb", "cccc"), { type: "concept:delete", payload: { id: "aaaa" } });
    expect(state.concepts.map(({ id }) => id)).toEqual(["bbbb", "cccc"]);
    expect(state.arrows.map(({ id }) => id)).toEqual(["bbbbcccc"]);
  });

  it("changes nothing for a concept that is gone", () => {
    const before = after(concept("aaaa"));
    for (const change of [
      { type: "concept:update", payload: { id: "gone", text: "x" } },
      { type: "concept:delete", payload: { id: "gone" } },
      arrow("aaaa", "gone"),
      arrow("gone", "aaaa"),
      arrow("aaaa", "aaaa"),
      concept("aaaa", 99, 99),
    ] satisfies Change[]) {
      expect(reduceCanvas(before, { ...change, eventId: "e", timestamp: 0 }), JSON.stringify(change)).toBe(before);
    }
  });

  it("changes only what an update names", () => {
    const state = after(concept("aaaa", 5, 6), { type: "concept:update", payload: { id: "aaaa", x: 7 } }, { type: "concept:update", payload: { id: "aaaa", text: "Hello" } });
    expect(state.concepts).toEqual([{ id: "aaaa", text: "Hello", x: 7, y: 6, colour: "teal" }]);
  });

  it("draws an arrow once", () => {
    const twice = after(concept("aaaa"), concept("bbbb"), arrow("aaaa", "bbbb"), { type: "arrow:create", payload: { id: "zzzz", from: "aaaa", to: "bbbb" } });
    expect(twice.arrows).toHaveLength(1);
  });

  it("draws no second arrow of the same id", () => {
    const drawn = after(concept("aaaa"), concept("bbbb"), concept("cccc"), arrow("aaaa", "bbbb"));
    expect(reduceCanvas(drawn, { type: "arrow:create", payload: { id: "aaaabbbb", from: "bbbb", to: "cccc" }, eventId: "e", timestamp: 0 })).toBe(drawn);
  });

  it("keeps the last 200 messages", () => {
    const said = Array.from({ length: 250 }, (_, index): Change => ({ type: "chat:post", payload: { text: `${index}`, name: "Ada", colour: "red" } }));
    const { chat } = after(...said);
    expect(chat).toHaveLength(200);
    expect(chat.at(-1)?.text).toBe("249");
  });

  it("is published with whole coordinates and trimmed texts", () => {
    const schema = canvas.events["concept:create"];
    expect(schema.parse({ id: "aaaa", text: " Hello ", x: 1.6, y: -1.2, colour: "red" })).toEqual({ id: "aaaa", text: "Hello", x: 2, y: -1, colour: "red" });
    expect(schema.safeParse({ id: "__proto__", text: "x", x: 0, y: 0, colour: "red" }).success).toBe(false);
  });
});

/** Few ids, so that changes meet what earlier ones have made. */
const anId = fc.constantFrom("aaaa", "bbbb", "cccc", "dddd");
const value = { text: fc.constantFrom("one", "two"), x: fc.integer({ min: 0, max: 3 }), y: fc.integer({ min: 0, max: 3 }), colour: fc.constantFrom(...palette) };
const someChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ type: fc.constant("concept:create"), payload: fc.record({ id: anId, ...value }) }),
  fc.record({ type: fc.constant("concept:update"), payload: fc.record({ id: anId, ...value }, { requiredKeys: ["id"] }) }),
  fc.record({ type: fc.constant("concept:delete"), payload: fc.record({ id: anId }) }),
  fc.record({ type: fc.constant("arrow:create"), payload: fc.record({ id: anId, from: anId, to: anId }) }),
  fc.record({ type: fc.constant("arrow:delete"), payload: fc.record({ id: anId }) }),
);

/** What people see of it: which concept lies before which other is not part of that. */
function seen({ concepts, arrows, chat }: Canvas) {
  const byId = (one: { readonly id: string }, other: { readonly id: string }) => one.id.localeCompare(other.id);
  return { concepts: concepts.toSorted(byId), arrows: arrows.toSorted(byId), chat };
}

describe("what takes a change back", () => {
  const apply = (state: Canvas, change: Change) => reduceCanvas(state, { ...change, eventId: "e", timestamp: 0 });

  it("leads back to what was there before, whatever that was", () => {
    fc.assert(
      fc.property(fc.array(someChange, { maxLength: 20 }), someChange, (earlier, change) => {
        const before = after(...earlier);
        const undone = (inverseOf(change, before) ?? []).reduce(apply, apply(before, change));
        expect(seen(undone)).toEqual(seen(before));
      }),
      { numRuns: 2_000 },
    );
  });

  it("is itself taken back by the change: undone and done again is as done once", () => {
    fc.assert(
      fc.property(fc.array(someChange, { maxLength: 20 }), someChange, (earlier, change) => {
        const before = after(...earlier);
        const done = apply(before, change);
        let state = done;
        const again: Change[] = [];
        for (const inverse of inverseOf(change, before) ?? []) {
          again.unshift(...(inverseOf(inverse, state) ?? []));
          state = apply(state, inverse);
        }
        expect(seen(again.reduce(apply, state))).toEqual(seen(done));
      }),
      { numRuns: 2_000 },
    );
  });

  it("is nothing for a change without effect, and for what was said", () => {
    fc.assert(
      fc.property(fc.array(someChange, { maxLength: 20 }), someChange, (earlier, change) => {
        const before = after(...earlier);
        const hasEffect = JSON.stringify(apply(before, change)) !== JSON.stringify(before);
        expect(inverseOf(change, before) !== undefined).toBe(hasEffect);
      }),
      { numRuns: 2_000 },
    );
    expect(inverseOf({ type: "chat:post", payload: { text: "Hello", name: "Ada", colour: "red" } }, empty)).toBeUndefined();
  });

  it("leaves what somebody else has changed beside it", () => {
    const before = after(concept("aaaa", 1, 2));
    const moved = { type: "concept:update", payload: { id: "aaaa", x: 5 } } satisfies Change;
    const other = apply(apply(before, moved), { type: "concept:update", payload: { id: "aaaa", text: "Theirs", y: 9 } });
    expect((inverseOf(moved, before) ?? []).reduce(apply, other).concepts).toEqual([{ id: "aaaa", text: "Theirs", x: 1, y: 9, colour: "teal" }]);
  });
});

describe("what an event makes of the list", () => {
  const at = { eventId: "e", timestamp: 5 };

  it("lists a canvas once, under the name that it was given last", () => {
    const made = reduceLobby({ canvases: [] }, { type: "canvas:create", payload: { id: "one", name: "First" }, ...at });
    const again = reduceLobby(made, { type: "canvas:create", payload: { id: "one", name: "Other" }, ...at });
    const renamed = reduceLobby(again, { type: "canvas:rename", payload: { id: "one", name: "Second" }, ...at });
    expect(again).toBe(made);
    expect(renamed.canvases).toEqual([{ id: "one", name: "Second", createdAt: 5 }]);
  });
});

describe("tidying up", () => {
  it("lets arrows lead from left to right", () => {
    const state = after(concept("aaaa"), concept("bbbb"), concept("cccc"), arrow("cccc", "bbbb"), arrow("bbbb", "aaaa"));
    const places = tidyPlaces(state);
    const x = (id: string) => places.get(id)?.x ?? 0;
    expect([x("cccc") < x("bbbb"), x("bbbb") < x("aaaa")]).toEqual([true, true]);
  });

  it("ends on a circle of arrows", () => {
    const circle = after(concept("aaaa"), concept("bbbb"), concept("cccc"), arrow("aaaa", "bbbb"), arrow("bbbb", "cccc"), arrow("cccc", "aaaa"));
    expect(new Set([...tidyPlaces(circle).values()].map(({ x }) => x)).size).toBeGreaterThan(1);
  });

  it("moves nothing on a tidy canvas", () => {
    const state = after(concept("aaaa"), concept("bbbb"), concept("loose"), arrow("aaaa", "bbbb"));
    const moves = [...tidyPlaces(state)].map(([id, { x, y }]) => ({ type: "concept:update", payload: { id, x, y } }) satisfies Change);
    const tidy = moves.reduce<Canvas>((canvasBefore, move) => reduceCanvas(canvasBefore, { ...move, eventId: "e", timestamp: 0 }), state);
    expect(tidyPlaces(tidy).size).toBe(0);
  });
});
