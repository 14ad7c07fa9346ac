import { jsonCodec } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import type { LoggedEvent } from "@tutti/server";
import { SharedReplays } from "../src/channels/shared-replays.js";

const event = (seq: number, changes: Partial<LoggedEvent> = {}): LoggedEvent => ({ eventId: `e${seq}`, type: "item:add", payload: seq, timestamp: 0, seq, prev: seq - 1, ...changes });
const events = (from: number, to: number): readonly LoggedEvent[] => Array.from({ length: to - from + 1 }, (_, index) => event(from + index));

describe("what several replay", () => {
  it("FAN-5 is the same packet for the same events", () => {
    const replays = new SharedReplays("room:1");
    const packet = replays.packetOf(jsonCodec, "one", events(1, 4));
    expect(replays.packetOf(jsonCodec, "one", events(1, 4))).toBe(packet);
    expect(packet.data).toContain('"channel":"room:1"');
  });

  it.each([
    ["fewer events", "one", events(1, 3)],
    ["later events", "one", events(2, 4)],
    ["another epoch", "other", events(1, 4)],
    ["another event at the end", "one", [...events(1, 3), event(4, { eventId: "another" })]],
    ["another event at the beginning", "one", [event(1, { eventId: "another" }), ...events(2, 4)]],
  ])("FAN-5 is another packet for %s", (_, epoch, others) => {
    const replays = new SharedReplays("room:1");
    const packet = replays.packetOf(jsonCodec, "one", events(1, 4));
    expect(replays.packetOf(jsonCodec, epoch, others)).not.toBe(packet);
    expect(replays.packetOf(jsonCodec, "one", events(1, 4))).toBe(packet);
  });

  it("FAN-5 is another packet for another codec", () => {
    const replays = new SharedReplays("room:1");
    const other = { ...jsonCodec, name: "other" };
    expect(replays.packetOf(other, "one", events(1, 4))).not.toBe(replays.packetOf(jsonCodec, "one", events(1, 4)));
  });

  it("FAN-5 keeps no more than 1 MiB, and the latest", () => {
    const replays = new SharedReplays("room:1");
    const large = (seq: number): readonly LoggedEvent[] => [event(seq, { payload: "x".repeat(300_000) })];
    const packets = [1, 2, 3, 4].map((seq) => replays.packetOf(jsonCodec, "one", large(seq)));
    for (const seq of [2, 3, 4]) expect(replays.packetOf(jsonCodec, "one", large(seq))).toBe(packets[seq - 1]);
    expect(replays.packetOf(jsonCodec, "one", large(1))).not.toBe(packets[0]);
  });
});
