import { describe, expect, it } from "vitest";
import { isCanvasId, newCanvasId, randomId } from "../src/canvas-id.js";
import { welcomeCanvasId } from "../src/server/welcome.js";

describe("the id of a canvas", () => {
  it("is known by itself", () => {
    for (let count = 0; count < 500; count += 1) expect(isCanvasId(newCanvasId())).toBe(true);
    expect(isCanvasId(welcomeCanvasId)).toBe(true);
  });

  it("is not known with one character wrong, or with two neighbours exchanged", () => {
    for (let count = 0; count < 200; count += 1) {
      const id = newCanvasId();
      for (let place = 0; place < id.length; place += 1) {
        const wrong = id[place] === "a" ? "b" : "a";
        expect(isCanvasId(id.slice(0, place) + wrong + id.slice(place + 1)), id).toBe(false);
      }
      for (let place = 0; place < 5; place += 1) {
        const exchanged = id.slice(0, place) + id.charAt(place + 1) + id.charAt(place) + id.slice(place + 2);
        if (exchanged !== id) expect(isCanvasId(exchanged), id).toBe(false);
      }
    }
  });

  it("has one length and one alphabet", () => {
    for (const text of ["", "a", randomId(7), randomId(9), "ABCDEFGH", "0000000l", "__proto_", "ääääääää"]) expect(isCanvasId(text), text).toBe(false);
  });
});
