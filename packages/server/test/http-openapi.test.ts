import { describe, expect, it } from "vitest";
import { HttpGuest } from "./support/http-guest.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

type Json = Readonly<Record<string, unknown>>;

/** Every reference in a document. */
function refsOf(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => (key === "$ref" ? [String(child)] : refsOf(child)));
}

/** What a reference of the document names. */
const resolve = (document: Json, ref: string): unknown => ref.slice(2).split("/").reduce<unknown>((value, key) => Object(value)[key], document);

describe("the description", () => {
  it("HTTP-19 has every channel of the contract, with the types of its events", async () => {
    const exchange = await new HttpGuest(new World({ contract: rooms })).get("/v1/openapi.json");
    expect([exchange.status, exchange.header("content-type"), exchange.json["openapi"]]).toEqual([200, "application/json", "3.1.0"]);
    const paths = exchange.json["paths"] as Readonly<Record<string, Json>>;
    expect(Object.keys(paths)).toEqual([
      "/v1/channels/room:{id}/events",
      "/v1/channels/room:{id}/presence",
      "/v1/channels/board:{id}/events",
      "/v1/channels/board:{id}/presence",
      "/v1/channels/board:{id}/state",
      "/v1/tickets",
    ]);
    const events = Object(paths["/v1/channels/room:{id}/events"]);
    expect(events.parameters).toEqual([{ name: "id", in: "path", required: true, schema: { type: "string" } }]);
    const [one, many] = events.post.requestBody.content["application/json"].schema.oneOf;
    expect(one.oneOf).toContainEqual({
      type: "object",
      required: ["type", "payload"],
      properties: { type: { const: "note:add" }, payload: { type: "object", properties: { text: { type: "string" } }, required: ["text"] } },
    });
    expect(many.items).toEqual(one);
    expect(Object.keys(events.get.responses[200].content)).toEqual(["application/json", "text/event-stream", "application/x-ndjson"]);
  });

  it("HTTP-19 names nothing that is not in it, and only paths that are served", async () => {
    for (const world of [new World({ contract: rooms }), new World()]) {
      const guest = new HttpGuest(world, { path: "/rt" });
      const { json } = await guest.get("/rt/openapi.json");
      expect(refsOf(json).filter((ref) => resolve(json, ref) === undefined)).toEqual([]);
      const paths = Object.keys(json["paths"] as object);
      expect(paths.length).toBeGreaterThan(2);
      for (const path of paths) expect(guest.service.takes(path.replace("{id}", "1").replace("{channel}", "room:1"))).toBe(true);
    }
  });
});
