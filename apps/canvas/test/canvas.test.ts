import { describe, expect, it } from "vitest";
import { canvas, reduceCanvas, type Canvas } from "../src/canvas.js";
import { reduceLobby } from "../src/lobby.js";
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
