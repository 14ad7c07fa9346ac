import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SharedPacket } from "../src/connections/packet.js";
import { eventsFrame } from "../src/channels/events-frame.js";
import { bytesOf, ndjson, sse } from "../src/http/formats.js";
import { endRecord, startRecord } from "../src/http/records.js";
import { TuttiError } from "@tutti/protocol";
import { readSse } from "./support/sse-reader.js";

/** Text with whatever ends lines, fields and characters somewhere. */
const wild = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.array(fc.constantFrom("\r", "\n", "\r\n", "\0", "\u2028", "\u2029", "\ufeff", ":", " ", "data: x", "\n\nevent: gap\n", "é", "日本", "👩‍👩‍👧", "\\", '"'), { maxLength: 12 }).map((parts) => parts.join("")),
);

const event = fc.record({
  eventId: wild.filter((id) => id.length > 0 && id.length <= 128),
  type: fc.stringMatching(/^[a-z:.-]{1,20}$/),
  payload: fc.oneof(wild, fc.dictionary(wild.filter((key) => key !== "__proto__" && !/^\$+bytes$/.test(key)), fc.oneof(wild, fc.integer(), fc.boolean(), fc.constant(null)), { maxKeys: 4 })),
  timestamp: fc.nat(),
  user: fc.option(wild, { nil: undefined }),
});

const run = fc.array(fc.tuple(event, fc.integer({ min: 1, max: 3 })), { minLength: 1, maxLength: 8 }).map((pairs) => {
  let seq = 0;
  return pairs.map(([{ user, ...rest }, step]) => {
    const prev = seq;
    seq += step;
    return { ...rest, seq, prev, ...(user !== undefined && { user }) };
  });
});

/** What a reader gets of events, by way of bytes cut anywhere. */
function through(format: typeof sse, events: Parameters<typeof eventsFrame>[2], cut: number): string {
  const bytes = Buffer.from(bytesOf(new SharedPacket([eventsFrame("room:1", "e1", events)]).for(format.codec).data));
  const decoder = new TextDecoder();
  const at = cut % (bytes.length + 1);
  return decoder.decode(bytes.subarray(0, at), { stream: true }) + decoder.decode(bytes.subarray(at), { stream: true }) + decoder.decode();
}

/** As JSON carries it. */
const carried = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("a stream's bytes", () => {
  it("HTTP-18 HTTP-5 bring what was published to who reads server-sent events, each with its position", () => {
    fc.assert(
      fc.property(run, fc.nat(), (events, cut) => {
        const read = readSse(through(sse, events, cut));
        expect(read.map(({ event: name }) => name)).toEqual(events.map(() => "message"));
        const data = read.map((each): unknown => JSON.parse(each.data));
        expect(data).toEqual(events.map(({ seq: _seq, prev: _prev, ...said }) => expect.objectContaining(Object(carried(said)))));
        for (const [index, { id }] of read.entries()) {
          expect(id).toMatch(/^[!-~]+$/);
          expect(id.startsWith(`e1-${events[index]?.seq}`)).toBe(true);
          expect(Object(data[index]).position).toBe(id);
        }
      }),
    );
  });

  it("HTTP-18 have no CR, and an LF nowhere but at the end of a field", () => {
    fc.assert(
      fc.property(run, (events) => {
        const text = through(sse, events, 0);
        expect(text).not.toContain("\r");
        for (const line of text.split("\n")) expect(line).toMatch(/^(?:|id: [!-~]+|data: \{.*\})$/s);
      }),
    );
  });

  it("HTTP-18 HTTP-5 are a line of JSON for each event, for who reads lines", () => {
    fc.assert(
      fc.property(run, fc.nat(), (events, cut) => {
        const lines = through(ndjson, events, cut).split("\n");
        expect(lines.pop()).toBe("");
        expect(lines.map((line) => Object(JSON.parse(line)).eventId)).toEqual(events.map(({ eventId }) => carried(eventId)));
        expect(lines.every((line) => Object(JSON.parse(line)).kind === "event")).toBe(true);
      }),
    );
  });

  it("HTTP-18 say of errors and states whatever stands in them", () => {
    fc.assert(
      fc.property(wild, wild, (message, field) => {
        const text = String(sse.codec.encode([endRecord(new TuttiError("FORBIDDEN", { message, field, retryAfterMs: 7 }))]));
        const [end, ...rest] = readSse(text);
        expect(rest).toEqual([]);
        expect([end?.event, Object(JSON.parse(end?.data ?? "")).code]).toEqual(["end", "FORBIDDEN"]);
        const start = String(sse.codec.encode([{ kind: "start", ...startRecord({ position: { epoch: "e", seq: 1, eventId: message.slice(0, 128) }, snapshot: { version: 1, state: message } }) }]));
        expect(readSse(start).map(({ event: name, data }) => [name, Object(JSON.parse(data)).snapshot.state])).toEqual([["start", carried(message)]]);
      }),
    );
  });

  it("HTTP-5 bring nothing of signals and presence", () => {
    const frames = [
      { op: "signals", channel: "room:1", signals: [{ type: "typing", payload: true, session: "s" }] },
      { op: "presence", channel: "room:1", members: [], complete: true },
    ];
    for (const { codec } of [sse, ndjson]) expect(new SharedPacket(frames).for(codec).bytes).toBe(0);
  });

  it("HTTP-18 carry an event of 1 MB, and one write of it is one packet for all", () => {
    const packet = new SharedPacket([eventsFrame("room:1", "e1", [{ seq: 1, prev: 0, eventId: "a:1", type: "note:add", payload: "é\n".repeat(350_000), timestamp: 0 }])]).for(sse.codec);
    const bytes = packet.framed(bytesOf);
    expect(bytes.length).toBeGreaterThan(1_000_000);
    expect(packet.framed(bytesOf)).toBe(bytes);
    expect(JSON.parse(readSse(Buffer.from(bytes).toString())[0]?.data ?? "")).toMatchObject({ payload: "é\n".repeat(350_000) });
  });
});
