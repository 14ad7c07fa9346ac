import { TuttiError, type ErrorCode } from "tutti/contract";
import { describe, expect, it } from "vitest";
import { refusalOf } from "../src/page/shared/refusal.js";

const change = { type: "concept:create", payload: { id: "aaaa" } };

describe("why a change was not saved", () => {
  it.each([
    ["QUEUE_FULL", "The new concept was not saved. No more changes can be kept until the connection is back."],
    ["QUEUE_EXPIRED", "The new concept was not saved. It waited for a connection for too long."],
    ["STORAGE_FAILED", "The new concept was not saved. This browser has no room to keep it."],
    ["USER_CHANGED", "The new concept was not saved. It was made by another guest."],
    ["OUTCOME_UNKNOWN", "The new concept may not have been saved. The connection broke at the wrong moment."],
    ["INTERNAL", "The new concept was not saved. The server could not do it."],
  ] satisfies [ErrorCode, string][])("is told for %s", (code, sentence) => {
    expect(refusalOf(change, new TuttiError(code))).toBe(sentence);
  });

  it("is the application's own sentence where the server has one", () => {
    const error = new TuttiError("CANVAS_FULL", { message: "This canvas is full: it holds 300 concepts." });
    expect(refusalOf(change, error)).toBe("The new concept was not saved. This canvas is full: it holds 300 concepts.");
  });

  it("is not told where the page ended the client itself, and is told of what is no refusal at all", () => {
    expect(refusalOf(change, new TuttiError("CLIENT_CLOSED"))).toBeUndefined();
    expect(refusalOf(change, new Error("?"))).toBe("The new concept was not saved. Something went wrong.");
  });

  it.each([
    ["The new text", "concept:update", { id: "aaaa", text: "x" }],
    ["The new colour", "concept:update", { id: "aaaa", colour: "red" }],
    ["The move", "concept:update", { id: "aaaa", x: 1, y: 2 }],
    ["The deletion", "concept:delete", { id: "aaaa" }],
    ["The new arrow", "arrow:create", { id: "aaaa" }],
    ["Your message", "chat:post", { text: "x" }],
    ["The new canvas", "canvas:create", { id: "aaaa" }],
    ["The new name", "canvas:rename", { id: "aaaa" }],
    ["A change", "of:tomorrow", undefined],
  ])("calls it %s: %s %o", (name, type, payload) => {
    expect(refusalOf({ type, payload }, new TuttiError("INTERNAL"))).toBe(`${name} was not saved. The server could not do it.`);
  });
});
