import fc from "fast-check";
import { correlationIdOf, readClientFrame, readServerFrame, TuttiError, wireErrorOf } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { goldenClientFrames, goldenServerFrames } from "./golden.js";

/** What a reader says of a value: `ok`, or the code and the field. */
function verdict(read: (value: unknown) => unknown, value: unknown): string {
  try {
    read(value);
    return "ok";
  } catch (error) {
    if (error instanceof TuttiError) return `${error.code} ${error.field ?? ""}`;
    throw error;
  }
}

type Json = Readonly<Record<string, unknown>>;
const hello: Json = { op: "hello", versions: [1], session: "s3cr3t-s3cr3t-s3cr3t-s" };
const subscribe: Json = { op: "subscribe", correlationId: "1", channel: "canvas:7f" };
const publish: Json = { op: "publish", correlationId: "1", channel: "canvas:7f", n: 1, settled: 0, type: "note:add", timestamp: 1 };
const member: Json = { session: "p", activity: "active", since: 1 };

describe("reading a frame of a client", () => {
  it.each<[string, unknown, string]>([
    ["nothing", undefined, "FRAME_INVALID op"],
    ["null", null, "FRAME_INVALID op"],
    ["a number", 1, "FRAME_INVALID op"],
    ["text", "ping", "FRAME_INVALID op"],
    ["a list", [], "FRAME_INVALID op"],
    ["an object without an op", {}, "FRAME_INVALID op"],
    ["an op that is no text", { op: ["ping"] }, "FRAME_INVALID op"],
    ["an op that nobody knows", { op: "dance" }, "FRAME_UNKNOWN op"],
    ["an op in other letters", { op: "PING" }, "FRAME_UNKNOWN op"],
    ["an op that every object has", { op: "constructor" }, "FRAME_UNKNOWN op"],
    ["an op of a server", { op: "welcome" }, "FRAME_UNKNOWN op"],
    ["a hello without versions", { op: "hello", session: hello["session"] }, "FRAME_INVALID versions"],
    ["a hello with a version that is text", { ...hello, versions: [1, "2"] }, "FRAME_INVALID versions.1"],
    ["a hello with too many versions", { ...hello, versions: Array.from({ length: 17 }, () => 1) }, "FRAME_INVALID versions"],
    ["a hello with a secret that can be guessed", { ...hello, session: "s".repeat(21) }, "FRAME_INVALID session"],
    ["a hello with a secret that is too long", { ...hello, session: "s".repeat(65) }, "FRAME_INVALID session"],
    ["a hello with half a client", { ...hello, client: { name: "x" } }, "FRAME_INVALID client.version"],
    ["a hello with a client in a list", { ...hello, client: ["x", "1"] }, "FRAME_INVALID client"],
    ["a hello whose token is null", { ...hello, token: null }, "FRAME_INVALID token"],
    ["a subscribe without a correlation id", { op: "subscribe", channel: "canvas:7f" }, "FRAME_INVALID correlationId"],
    ["a correlation id that is a number", { ...subscribe, correlationId: 1 }, "FRAME_INVALID correlationId"],
    ["a correlation id that is too long", { ...subscribe, correlationId: "x".repeat(65) }, "FRAME_INVALID correlationId"],
    ["a channel that is too long", { ...subscribe, channel: "x".repeat(129) }, "FRAME_INVALID channel"],
    ["a position below zero", { ...subscribe, since: { epoch: "e", seq: -1 } }, "FRAME_INVALID since.seq"],
    ["a position between two", { ...subscribe, since: { epoch: "e", seq: 0.5 } }, "FRAME_INVALID since.seq"],
    ["a position that no number can hold", { ...subscribe, since: { epoch: "e", seq: 2 ** 53 } }, "FRAME_INVALID since.seq"],
    ["a position without an epoch", { ...subscribe, since: { seq: 1 } }, "FRAME_INVALID since.epoch"],
    ["a position as text", { ...subscribe, since: "e-1" }, "FRAME_INVALID since"],
    ["a rewind that is a number", { ...subscribe, rewind: 10 }, "FRAME_INVALID rewind"],
    ["a rewind in a list", { ...subscribe, rewind: [10] }, "FRAME_INVALID rewind"],
    ["a rewind by nothing", { ...subscribe, rewind: { days: 1 } }, "FRAME_INVALID rewind"],
    ["a rewind by count and by time", { ...subscribe, rewind: { count: 1, ageMs: 1 } }, "FRAME_INVALID rewind"],
    ["a rewind below zero", { ...subscribe, rewind: { count: -1 } }, "FRAME_INVALID rewind.count"],
    ["a rewind as text", { ...subscribe, rewind: { ageMs: "60000" } }, "FRAME_INVALID rewind.ageMs"],
    ["a rewind that no number can hold", { ...subscribe, rewind: { ageMs: 2 ** 53 } }, "FRAME_INVALID rewind.ageMs"],
    ["a rewind from a position", { ...subscribe, since: { epoch: "e", seq: 1 }, rewind: { count: 1 } }, "FRAME_INVALID rewind"],
    ["a rewind with a field of tomorrow", { ...subscribe, rewind: { count: 1, shiny: 1 } }, "ok"],
    ["a count that is text", { ...publish, n: "1" }, "FRAME_INVALID n"],
    ["a count that is left out", { ...publish, n: undefined }, "FRAME_INVALID n"],
    ["a retry that is a number", { ...publish, retry: 1 }, "FRAME_INVALID retry"],
    ["an activity that is none", { op: "activity", activity: "asleep" }, "FRAME_INVALID activity"],
    ["a field that every object inherits", Object.assign(Object.create({ op: "ping" }) as object, {}), "ok"],
  ])("WIRE-5: %s", (_title, value, expected) => {
    expect(verdict(readClientFrame, value)).toBe(expected);
  });

  it("WIRE-5: unknown fields are passed over, wherever they stand", () => {
    expect(readClientFrame({ ...hello, shiny: 1, client: { name: "x", version: "1", shiny: 2 } })).toEqual({
      ...hello,
      client: { name: "x", version: "1" },
    });
  });

  it("WIRE-5: a field that is left out stays left out, and null is a payload", () => {
    expect(Object.keys(readClientFrame(publish))).not.toContain("payload");
    expect(readClientFrame({ ...publish, payload: null })).toHaveProperty("payload", null);
  });

  it("WIRE-5: the message repeats no more than the beginning of an op", () => {
    expect(() => readClientFrame({ op: "x".repeat(5_000) })).toThrow(/^.{40,80}$/);
  });
});

describe("reading a frame of a server", () => {
  it.each<[string, unknown, string]>([
    ["a frame of a client", hello, "FRAME_UNKNOWN op"],
    ["a reply without success", { op: "reply", correlationId: "1" }, "FRAME_INVALID success"],
    ["an error without a code", { op: "error", error: { message: "x" } }, "FRAME_INVALID error.code"],
    ["events that are no list", { op: "events", channel: "a:b", epoch: "e", seq: 1, events: {} }, "FRAME_INVALID events"],
    ["an event without an id", { op: "events", channel: "a:b", epoch: "e", seq: 1, events: [{ type: "x", timestamp: 1 }] }, "FRAME_INVALID events.0.eventId"],
    ["a member without a session", { op: "presence", channel: "a:b", members: [{ ...member, session: 1 }] }, "FRAME_INVALID members.0.session"],
    ["a change that is none", { op: "presence", channel: "a:b", changes: [{ type: "presence:jump", member }] }, "FRAME_INVALID changes.0.type"],
    ["a gap without an end", { op: "gap", channel: "a:b", start: { position: { epoch: "e", seq: 1 }, gap: { from: { epoch: "e", seq: 0 } } } }, "FRAME_INVALID start.gap.to"],
  ])("WIRE-5: %s", (_title, value, expected) => {
    expect(verdict(readServerFrame, value)).toBe(expected);
  });

  it("WIRE-5: an error of an application's own, with texts of any length, reaches the client", () => {
    const error = new TuttiError("X".repeat(200), { message: "m".repeat(5_000), field: `payload.${"k".repeat(5_000)}` });
    expect(verdict(readServerFrame, { op: "reply", correlationId: "1", success: false, error: wireErrorOf(error) })).toBe("ok");
  });
});

describe.each([
  { side: "client", read: readClientFrame, golden: goldenClientFrames },
  { side: "server", read: readServerFrame, golden: goldenServerFrames },
])("any value, read as a frame of a $side", ({ read, golden }) => {
  const isVerdict = (text: string) => /^(ok|FRAME_UNKNOWN op|FRAME_INVALID .+)$/.test(text);

  it("WIRE-5: is a frame, or refused with the field named", () => {
    const ops = golden.map(({ frame }) => frame.op);
    const fields = fc.dictionary(fc.constantFrom("op", "channel", "correlationId", "n", "since", "session", "events", "member", "error", "start"), fc.jsonValue());
    const frameLike = fc.tuple(fc.constantFrom(...ops), fields).map(([op, rest]) => Object.assign(rest, { op }));
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.anything(), frameLike), (value) => {
        expect(verdict(read, value)).toSatisfy(isVerdict);
      }),
      { numRuns: 2_000 },
    );
  });

  it("WIRE-5: a frame with one field of another kind is refused by that field, or the field may be anything", () => {
    fc.assert(
      fc.property(fc.constantFrom(...golden), fc.nat(), fc.constantFrom<unknown>(null, -1, 1.5, "x".repeat(9_000), [], {}, [[]]), (vector, nth, wrong) => {
        const names = Object.keys(vector.frame).filter((name) => name !== "op");
        const name = names[nth % Math.max(names.length, 1)];
        if (name === undefined) return;
        expect(verdict(read, { ...vector.frame, [name]: wrong })).toSatisfy((text: string) => text === "ok" || text.startsWith(`FRAME_INVALID ${name}`));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the correlation id of what may be no frame", () => {
  it.each<[unknown, string | undefined]>([
    [{ op: "dance", correlationId: "7" }, "7"],
    [{ correlationId: "7" }, "7"],
    [{ correlationId: 7 }, undefined],
    [{ correlationId: "x".repeat(65) }, undefined],
    [["7"], undefined],
    [null, undefined],
    ["7", undefined],
  ])("WIRE-5: of %j is %j", (value, expected) => {
    expect(correlationIdOf(value)).toBe(expected);
  });
});
