import { silentLog, type EventRun } from "@tutti/server";
import { describe, expect, test } from "vitest";
import type { Deliveries } from "../src/deliveries.js";
import { encodeEvent } from "../src/event-text.js";
import { Feeds, type Seen } from "../src/feeds.js";
import { ManualEnvironment, settled } from "./support/manual-environment.js";

const eventOf = (seq: number, eventId = `e-${seq}`) => ({ eventId, type: "note:add", payload: seq, timestamp: 0, seq, prev: seq - 1 });
const messageOf = (seq: number, { epoch = "e", eventId = `e-${seq}`, before = `e-${seq - 1}` } = {}): string => `${epoch} ${seq} ${seq - 1} ${before}\n${encodeEvent(eventOf(seq, eventId))}`;

function feedsUnderTest() {
  const listeners = new Set<(message: string) => void>();
  const looks: { readonly seen: Seen | undefined; readonly isBroken: boolean }[] = [];
  let last: EventRun | undefined;
  const deliveries = {
    listen: async (_name: string, listener: (message: string) => void) => {
      listeners.add(listener);
      return async () => void listeners.delete(listener);
    },
  } as unknown as Deliveries;
  const feeds = new Feeds({
    environment: new ManualEnvironment(),
    log: silentLog,
    deliveries,
    nameOf: (channel) => channel,
    lastEvent: async (_channel, seen, isBroken) => {
      looks.push({ seen, isBroken });
      return last;
    },
  });
  const heard: string[] = [];
  return {
    feeds,
    looks,
    heard,
    hear: (run: EventRun) => void heard.push(...run.events.map(({ seq, eventId }) => `${run.epoch} ${seq} ${eventId}${run.before === "other" ? " after other" : ""}`)),
    deliver: (message: string) => listeners.forEach((listener) => listener(message)),
    logEndsWith: (epoch: string, seq: number, before = `e-${seq - 1}`) => (last = { epoch, events: [eventOf(seq)], before }),
  };
}

describe("what is heard of a channel", () => {
  test("RDS-13 of a run in one delivery what was not heard yet is told, and what was is compared", async () => {
    const { feeds, heard, hear, deliver, looks } = feedsUnderTest();
    await feeds.subscribe("room:1", hear);
    const linesOf = (first: number, ...ids: readonly string[]): string => `e ${first} ${first - 1} e-${first - 1}\n${ids.map((id, index) => encodeEvent(eventOf(first + index, id))).join("\n")}`;
    deliver(linesOf(1, "e-1", "e-2"));
    deliver(linesOf(1, "e-1", "e-2", "e-3", "e-4"));
    deliver(linesOf(3, "e-3", "e-4"));
    expect(heard).toEqual(["e 1 e-1", "e 2 e-2", "e 3 e-3", "e 4 e-4"]);
    expect(feeds.seen("room:1")).toEqual({ epoch: "e", seq: 4, eventId: "e-4" });
    expect(looks).toEqual([]);
    // Where e-4 was there is another one.
    deliver(linesOf(3, "e-3", "other", "e-5"));
    await settled();
    expect(heard).toHaveLength(4);
    expect(looks).toEqual([{ seen: { epoch: "e", seq: 4, eventId: "e-4" }, isBroken: true }]);
  });

  test("RDS-6 the last event is told to all after something may have been missed, and nothing before it comes after it", async () => {
    const { feeds, heard, hear, deliver, logEndsWith, looks } = feedsUnderTest();
    await feeds.subscribe("room:1", hear);
    deliver(messageOf(1));
    logEndsWith("e", 4);
    feeds.look();
    await settled();
    deliver(messageOf(3));
    deliver(messageOf(4));
    deliver(messageOf(5));
    expect(heard).toEqual(["e 1 e-1", "e 4 e-4", "e 5 e-5"]);
    feeds.look();
    await settled();
    expect(heard).toHaveLength(3);
    expect(looks).toEqual([{ seen: { epoch: "e", seq: 1, eventId: "e-1" }, isBroken: false }, { seen: { epoch: "e", seq: 5, eventId: "e-5" }, isBroken: false }]);
  });

  test("RDS-6 what is delivered while the last event is looked at counts more", async () => {
    const { feeds, heard, hear, deliver, logEndsWith } = feedsUnderTest();
    await feeds.subscribe("room:1", hear);
    deliver(messageOf(1));
    logEndsWith("e", 2);
    feeds.look();
    deliver(messageOf(2));
    deliver(messageOf(3));
    await settled();
    expect(heard).toEqual(["e 1 e-1", "e 2 e-2", "e 3 e-3"]);
  });

  test("RDS-6 one who asks to look while it is looked at is looked for again", async () => {
    const { feeds, hear, looks } = feedsUnderTest();
    await feeds.subscribe("room:1", hear);
    feeds.look();
    feeds.look();
    feeds.look();
    await settled();
    expect(looks).toHaveLength(2);
  });

  test("RDS-3 another event at the place that was heard last, or behind another than that, is not told but looked into", async () => {
    for (const strange of [messageOf(2, { eventId: "other" }), messageOf(3, { before: "other" })]) {
      const { feeds, heard, hear, deliver, looks } = feedsUnderTest();
      await feeds.subscribe("room:1", hear);
      deliver(messageOf(1));
      deliver(messageOf(2));
      deliver(strange);
      expect(heard).toHaveLength(2);
      expect(looks).toMatchObject([{ isBroken: true }]);
      // In another epoch it is what stands there.
      deliver(messageOf(2, { epoch: "next", eventId: "other" }));
      expect(heard.at(-1)).toBe("next 2 other");
    }
  });

  test("RDS-3 the last event is looked into where another than was heard stands before it", async () => {
    const { feeds, heard, hear, deliver, logEndsWith, looks } = feedsUnderTest();
    await feeds.subscribe("room:1", hear);
    deliver(messageOf(1));
    logEndsWith("e", 2, "other");
    feeds.look();
    await settled();
    expect(looks.map(({ isBroken }) => isBroken)).toEqual([false, true]);
    // As it is told where nothing can have been lost; whoever hears it sees by its `before` that it does not follow.
    expect(heard).toEqual(["e 1 e-1", "e 2 e-2 after other"]);
  });

  test("RDS-5 each message is read once, and told to each listener once, until that leaves", async () => {
    const { feeds, heard, hear, deliver } = feedsUnderTest();
    const [end] = await Promise.all([feeds.subscribe("room:1", hear), feeds.subscribe("room:1", hear)]);
    deliver(messageOf(1));
    expect(heard).toEqual(["e 1 e-1", "e 1 e-1"]);
    await end();
    deliver(messageOf(2));
    expect(heard.slice(2)).toEqual(["e 2 e-2"]);
  });
});
