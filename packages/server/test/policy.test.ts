import { describe, expect, it } from "vitest";
import { memoryBroker, type ServerOptions } from "@tutti/server";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

describe("a server without a contract", () => {
  it("PUB-11 takes events of any type", async () => {
    const world = new World();
    const peer = await world.peer();
    await peer.subscribe("anything:at-all");
    await peer.ask(peer.publishing("anything:at-all", 1, { deep: [1, { x: null }] }, { type: "v1:whatever.happened" }));
    await world.server.channel("anything:{id}", { id: "at-all" }).publish("more", "text");
    await world.settle();
    expect(peer.payloadsOf("anything:at-all")).toEqual([{ deep: [1, { x: null }] }, "text"]);
  });

  it("PUB-11 refuses a type that is no name", async () => {
    const world = new World();
    const peer = await world.peer();
    expect(await peer.codeOf(peer.publishing("any:1", 1, {}, { type: "no name" }))).toBe("TYPE_UNKNOWN");
  });

  it("PUB-11 keeps what was published as it was then, whatever becomes of the object", async () => {
    const world = new World({ broker: memoryBroker() });
    const peer = await world.peer();
    await peer.subscribe("any:1");
    const payload = { n: 1 };
    const done = world.server.channel("any:{id}", { id: "1" }).publish("counted", payload);
    payload.n = 2;
    await done;
    await world.settle();
    expect(peer.payloadsOf("any:1")).toEqual([{ n: 1 }]);
  });

  it("PUB-11 has policy by namespace", async () => {
    const world = new World({ namespaces: { news: { clientPublish: false }, vault: { clientSubscribe: false } } });
    const peer = await world.peer();
    expect(await peer.codeOf(peer.publishing("news:1", 1, {}))).toBe("FORBIDDEN");
    expect(await peer.codeOf({ op: "subscribe", channel: "vault:1" })).toBe("FORBIDDEN");
    expect(await peer.codeOf(peer.publishing("vault:1", 1, {}))).toBeUndefined();
  });

  it("PUB-11 asks the handlers of a pattern for every channel that matches it", async () => {
    const asked: unknown[] = [];
    const world = new World({ channels: { "room:{id}": { authorize: ({ params, action }) => asked.push([params, action]) < 0 } } });
    const peer = await world.peer();
    expect(await peer.codeOf({ op: "subscribe", channel: "room:7" })).toBe("FORBIDDEN");
    expect(asked).toEqual([[{ id: "7" }, "subscribe"]]);
    expect(await peer.codeOf({ op: "subscribe", channel: "other:7" })).toBeUndefined();
  });

  it.each<[string, ServerOptions]>([
    ["outboxBytesMax", { outboxBytesMax: Number.NaN }],
    ["preparedMax", { preparedMax: -1 }],
    ["namespaces.room.history.bytesMax", { namespaces: { room: { history: { bytesMax: Number.NaN } } } }],
    ["namespaces.room.history.ageMsMin", { namespaces: { room: { history: { ageMsMin: -60_000 } } } }],
    ["namespaces.room.history.countMin", { namespaces: { room: { history: JSON.parse('{"countMin":"100"}') } } }],
    ["presenceGraceMs", { presenceGraceMs: Number.POSITIVE_INFINITY }],
    ["heartbeatIntervalMs", { heartbeatIntervalMs: Number.POSITIVE_INFINITY }],
    ["nodeHeartbeatMs", { nodeHeartbeatMs: 0 }],
    ["nodeSilenceMsMax", { nodeSilenceMsMax: 1_999 }],
    ["nodeSilenceMsMax", { nodeSilenceMsMax: Number.POSITIVE_INFINITY }],
    ["presenceDigestMax", { presenceDigestMax: 0 }],
    ["presencePartMax", { presencePartMax: 0.5 }],
    ["namespaces.room.signalFlushMs", { namespaces: { room: { signalFlushMs: Number.POSITIVE_INFINITY } } }],
    ["namespaces.room.signalFlushMs", { namespaces: { room: { signalFlushMs: 2 ** 31 } } }],
    ["namespaces.room.signalFlushMs", { namespaces: { room: { signalFlushMs: JSON.parse('"20"') } } }],
    ["namespaces.room.subscriptionsMax", { namespaces: { room: { subscriptionsMax: Number.NaN } } }],
  ])("LIM-2 SUB-6 does not start with %s that would bound nothing", (field, options) => {
    expect(() => new World(options)).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID", field }));
  });

  it("REC-7 may keep history without an end", () => {
    expect(() => new World({ namespaces: { room: { history: { ageMsMin: Number.POSITIVE_INFINITY, countMax: Number.POSITIVE_INFINITY } } } })).not.toThrow();
  });

  it("SUB-3 does not start with handlers that would guard nothing", () => {
    const channels: object = { "rom:{id}": { authorize: () => false } };
    expect(() => new World({ contract: rooms, channels })).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID" }));
  });
});
