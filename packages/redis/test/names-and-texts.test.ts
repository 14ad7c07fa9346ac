import { TuttiError } from "@tutti/protocol";
import { describe, expect, test } from "vitest";
import { checkServers } from "../src/server-check.js";
import { decodeDelivery, decodeId, encodeEvent, encodeId } from "../src/event-text.js";
import { Names } from "../src/keys.js";
import type { RequestLink } from "../src/link.js";
import { readFlag, readHead, readOutcome, readPage, readReplies, readSeen, readSettled, readSnapshot } from "../src/replies.js";
import { slotOf } from "../src/slots.js";
import { RecordedLog } from "./support/redis-nodes.js";

describe("names in Redis", () => {
  const names = new Names("tutti");

  test("RDS-9 all keys of a channel and its topic have one tag, which no name can end", () => {
    for (const channel of ["room:1", "{", "}", "}{", "a}b{c", "ä", "\ud800", "a b", "%7b;"]) {
      const keys = [...names.channel(channel), names.runs(channel)];
      const tags = new Set(keys.map((key) => /\{(.*?)\}/s.exec(key)?.[1]));
      expect(tags.size).toBe(1);
      expect([...tags][0]).toMatch(/^[!-~]+$/);
      for (const key of keys) expect(key).toMatch(/^tutti:\{[^{}]+\}:[a-z:]+$/);
    }
  });

  test("RDS-9 different names stay different", () => {
    const channels = ["room:1", "{", "%7b;", "}", "\u{1f600}", "\ud83d", "\ude00", "%d83d;"];
    expect(new Set(channels.map((channel) => names.runs(channel))).size).toBe(channels.length);
    expect(names.channel("room:1").at(-1)).toBe(names.runs("room:1"));
    expect(names.topic("room:1")).not.toBe(names.runs("room:1"));
    expect(new Names("a}").runs("x")).not.toBe(new Names("a").runs("x"));
  });

  test("RDS-9 a name that would have no tag, or is longer than any valid one, is refused", () => {
    for (const channel of ["", "x".repeat(513)]) expect(() => names.channel(channel)).toThrow(TuttiError);
  });

  test("RDS-9 slots are those of the cluster", () => {
    // As `CLUSTER KEYSLOT` has them.
    expect(["123456789", "foo", "bar", "hello", "0"].map(slotOf)).toEqual([12_739, 12_182, 5_061, 866, 13_907]);
  });
});

describe("texts", () => {
  test("RDS-10 any event id comes back from a token without spaces", () => {
    for (const id of ["plain-1:2", "", "two words", "%", "%YQ", "ä", "\ud800", "\n", "a".repeat(128)]) {
      expect(encodeId(id)).not.toMatch(/[\s]/);
      expect(decodeId(encodeId(id))).toBe(id);
    }
    expect(new Set(["%", "%JQA", "%25"].map(encodeId)).size).toBe(3);
  });

  test("RDS-10 a delivery says where it stands, and anything else is none", () => {
    const event = { eventId: "e-2", type: "note:add", payload: [], timestamp: 5 };
    const text = encodeEvent(event);
    expect(decodeDelivery(`epoch 2 1 e-1\n${text}`)).toEqual({ epoch: "epoch", events: [{ ...event, seq: 2, prev: 1 }], before: "e-1" });
    expect(decodeDelivery(`epoch 2 1 \n${text}`)).toEqual({ epoch: "epoch", events: [{ ...event, seq: 2, prev: 1 }] });
    const strange = ["", "\n", `epoch 2 1\n${text}`, `epoch 2 2 x\n${text}`, ` 2 1 x\n${text}`, `epoch -2 1 x\n${text}`, `epoch 2 1 x y\n${text}`, `epoch 1e3 1 x\n${text}`];
    const broken = ["[]", "[{},{}]", "null", "{}", `{"eventId":"a","type":"b","timestamp":"c"}`, `{"eventId":"a","type":"b","timestamp":1,"user":2}`, "[".repeat(10_000)];
    expect(decodeDelivery(`epoch 2 1 e-1\n${text}\n${text}`)).toEqual({ epoch: "epoch", events: [{ ...event, seq: 2, prev: 1 }, { ...event, seq: 3, prev: 2 }], before: "e-1" });
    for (const rest of ["\n", "\n{}", `\n\n${text}`]) expect(decodeDelivery(`epoch 2 1 x\n${text}${rest}`)).toBeUndefined();
    for (const message of [...strange, ...broken.map((json) => `epoch 2 1 x\n${json}`)]) expect(decodeDelivery(message)).toBeUndefined();
  });

  test("RDS-10 an answer of a script is read, or refused as unavailable", () => {
    const after = { epoch: "e", seq: 1 };
    const place = (head: number): readonly unknown[] => ["e", head, "", 0, ""];
    const readers: readonly (readonly [(reply: unknown) => unknown, readonly unknown[]])[] = [
      [readOutcome, [undefined, [], ["landed"], ["appended", "e"], ["appended", "", 1], ["appended", "e", -1], ["appended", "e", "1"], ["refused", "{}"], ["refused", "{"], ["out-of-order"]]],
      [readSettled, [["none"], ["failed", "ERR no"], ["failed"]]],
      [(reply) => readReplies(reply, 2), ["OK", [], [["none"]], [["none"], ["none"], ["none"]]]],
      [readHead, [["e", 1, ""], ["e", 1, "", 0, "", "not JSON", ""], [1, 1, "", 0, "", "", ""], ["e", 1, "", 0, "not JSON", "", ""], ["e", 1, "", 0, "{}", "", ""]]],
      [readSeen, [{}, ["e", 1], ["e", 1.5, ""], ["e", 2 ** 53, ""], ["e", 1, "7"], ["e", 1, '"half']]],
      [readFlag, [2, "1", undefined, true]],
      [readSnapshot, [["e", 1, "", "{}"], ["e", 1, "", '{"version":"1","state":{}}'], ["e", 1, ""]]],
      [(reply) => readPage(reply, after, 1), [["book", ...place(1), []], ["page", ...place(1), "none"], ["page", ...place(1), [["3-0", ["start", "0", "event", "{}"]]]], ["page", ...place(3), [["2-0", ["start"]]]], ["gap", "e", 1, "", 0]]],
    ];
    for (const [read, replies] of readers) {
      for (const reply of replies) expect(() => read(reply)).toThrow(expect.objectContaining({ code: "UNAVAILABLE" }));
    }
    const entry = (seq: number): unknown => [`${seq}-0`, ["start", "0", "event", encodeEvent({ eventId: `e-${seq}`, type: "t", payload: 1, timestamp: 0 })]];
    expect(() => readPage(["page", ...place(3), [entry(2), entry(3)]], after, 1)).toThrow(expect.objectContaining({ code: "UNAVAILABLE" }));
    expect(readPage(["page", ...place(3), [entry(2), entry(3)]], after, 2)).toMatchObject({ outcome: "page", run: { events: [{ seq: 2, prev: 1 }, { seq: 3, prev: 2 }] } });
    expect(readPage(["page", ...place(3), [entry(1), entry(2)]], { ...after, eventId: "other" }, 2)).toMatchObject({ outcome: "gap" });
  });
});

describe("a server that is looked at", () => {
  const linkTo = (info: unknown): RequestLink => ({ sendToAll: async () => [info] }) as unknown as RequestLink;

  test("RDS-11 is refused where it is too old, or is no Redis", async () => {
    const log = new RecordedLog();
    await expect(checkServers(linkTo("redis_version:6.2.14\r\nmaxmemory:0\r\n"), log)).rejects.toMatchObject({ code: "VERSION_UNSUPPORTED" });
    await expect(checkServers(linkTo(7), log)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await checkServers(linkTo("redis_version:7.0.0\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n"), log);
    expect(log.lines).toEqual([]);
  });
});
