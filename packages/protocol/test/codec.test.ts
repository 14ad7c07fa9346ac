import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { jsonCodec, limits } from "@tutti/protocol";
import { msgpackCodec } from "@tutti/protocol/msgpack";
import { describe, expect, it } from "vitest";
import { anyFrames, anything, codeOf, nested } from "./codec-values.js";

describe.each([jsonCodec, msgpackCodec])("the codec $name", (codec) => {
  const roundTrip = (value: unknown): unknown => {
    const [frame] = codec.decode(codec.encode([{ payload: value }]));
    return (frame as { payload?: unknown }).payload;
  };

  it("WIRE-2: carries a plain object of another window", () => {
    expect(roundTrip(runInNewContext("({ a: [{ b: 1 }] })"))).toEqual({ a: [{ b: 1 }] });
  });

  it("WIRE-2: gives back what it was given, at any depth and under any key", () => {
    fc.assert(
      fc.property(anyFrames, (frames) => {
        expect(codec.decode(codec.encode(frames))).toEqual(frames);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ["bytes", Uint8Array.of(1, 2, 3)],
    ["no bytes", new Uint8Array()],
    ["bytes of every value", Uint8Array.from({ length: 256 }, (_, index) => index)],
    ["an object that looks like bytes", { $bytes: "AAAA" }],
    ["an object that looks like escaped bytes", { $$bytes: "AAAA" }],
    ["bytes under their own key", { $bytes: Uint8Array.of(9) }],
    ["a key of bytes that holds no text", { $bytes: 5 }],
    ["a key of bytes that holds an object", { $bytes: { $bytes: { $$bytes: [] } } }],
    ["a key of bytes beside another", { $bytes: "AAAA", other: 1 }],
    ["lone surrogates", "\ud800 \udfff"],
    ["a lone surrogate at the end of a long text", `${"x".repeat(100)}\ud800`],
    ["a lone surrogate in a key", { "\udc00": 1 }],
    ["byte order marks", ["\ufeff", `\ufeff${"x".repeat(200)}`, `\ufeff${"日".repeat(200)}`]],
    ["text of every length of a header", [0, 1, 31, 32, 255, 256, 65_535, 65_536].flatMap((length) => ["x".repeat(length), "é".repeat(length)])],
    ["lists and objects of every length of a header", [15, 16, 65_536].map((length) => [Array(length).fill(0), Object.fromEntries(Array.from({ length }, (_, index) => [`k${index}`, index]))])],
    ["numbers of every size", [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 60, -1, -32, -33, -128, -129, -32_768, -32_769, -(2 ** 31), -(2 ** 31) - 1, 0.1]],
    ["keys that an encoder might ask", [{ constructor: 1 }, { toJSON: 1 }, { hasOwnProperty: null, toJSON: "x", constructor: { name: "Map" } }]],
    ["a quote, a newline and a null character", '"\n\0'],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
    ["the largest and the smallest number", [Number.MAX_VALUE, Number.MIN_VALUE, -Number.MAX_VALUE]],
  ])("WIRE-2: carries %s", (_title, value) => {
    expect(roundTrip(value)).toEqual(value);
  });

  it("WIRE-2: carries a million bytes", () => {
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, index) => index % 251);
    const back = roundTrip(bytes);
    expect(back instanceof Uint8Array && Buffer.compare(back, bytes) === 0).toBe(true);
  });

  it("WIRE-2: carries a buffer of Node as bytes, and only the part that it shows", () => {
    expect(roundTrip(Buffer.from("xxhixx").subarray(2, 4))).toEqual(Uint8Array.of(104, 105));
  });

  it("WIRE-2: an undefined field is left out, and does not change what the rest is read as", () => {
    expect(roundTrip({ $bytes: "AAAA", other: undefined })).toEqual({ $bytes: "AAAA" });
    expect(roundTrip({ $bytes: undefined })).toEqual({});
    expect(roundTrip({ a: undefined, b: 1 })).toEqual({ b: 1 });
  });

  it("WIRE-2: the frames are left as they were", () => {
    const frame = { op: "publish", payload: { ink: Uint8Array.of(1), twins: [{ $bytes: "x" }] } };
    const before = structuredClone(frame);
    codec.encode([frame]);
    expect(frame).toEqual(before);
  });

  it.each([
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a bigint", 1n],
    ["NaN", Number.NaN],
    ["infinity", [Number.POSITIVE_INFINITY]],
    ["a date", new Date(0)],
    ["a map", new Map()],
    ["other numbers than bytes", Float32Array.of(1)],
    ["an instance", new (class Point {
      readonly x = 1;
    })()],
    ["an instance without a constructor", Object.create(Object.create(Object.create(null)))],
    ["an undefined item", [undefined]],
    ["a key __proto__", JSON.parse('{"__proto__":1}')],
  ])("WIRE-2: refuses %s, which JSON would change on the way", (_title, value) => {
    expect(codeOf(() => codec.encode([{ payload: value }]))).toBe("PAYLOAD_INVALID");
  });

  it("WIRE-3: a frame nests up to the depth, and not deeper, alone as in a batch, and at both ends alike", () => {
    for (const [depth, code] of [[limits.depthMax - 1, "no error"], [limits.depthMax, "MESSAGE_TOO_DEEP"]] as const) {
      const frame = { payload: nested(depth) };
      for (const frames of [[frame], [frame, frame]]) {
        expect(codeOf(() => codec.encode(frames))).toBe(code);
        expect(codeOf(() => codec.decode(codec.encode(frames, limits.serverDepthMax)))).toBe(code);
      }
    }
  });

  it("WIRE-3: bytes count as a level, so that what was encoded can be decoded", () => {
    expect(roundTrip(nested(limits.depthMax - 2, Uint8Array.of(1)))).toEqual(nested(limits.depthMax - 2, Uint8Array.of(1)));
    expect(codeOf(() => codec.encode([{ payload: nested(limits.depthMax - 1, Uint8Array.of(1)) }]))).toBe("MESSAGE_TOO_DEEP");
  });

  it("WIRE-3: the deepest payload of a client fits into the events that carry it on", () => {
    const payload = nested(limits.depthMax - 1);
    const frames = [{ op: "events", events: [{ payload }] }];
    const message = codec.encode(frames, limits.serverDepthMax);
    expect(codec.decode(message, limits.serverDepthMax)).toEqual(frames);
  });

  it("WIRE-3: an object that contains itself is too deep", () => {
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    expect(codeOf(() => codec.encode([circle]))).toBe("MESSAGE_TOO_DEEP");
  });

  it("WIRE-1: one frame, several and none come back as they were", () => {
    for (const frames of [[{ op: "ping" }], [{ op: "ping" }, { op: "bye" }], []]) expect(codec.decode(codec.encode(frames))).toEqual(frames);
  });

  it("WIRE-4: no message changes a prototype", () => {
    codec.decode(codec.encode([{ constructor: { prototype: { polluted: 1 } } }]));
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe("two codecs", () => {
  it("WIRE-9: what one carries, the other carries equally, and what one refuses, the other refuses with the same code", () => {
    const outcome = (codec: typeof jsonCodec | typeof msgpackCodec, payload: unknown): unknown => {
      let frames: unknown;
      const code = codeOf(() => (frames = codec.decode(codec.encode([{ payload }], 8), 8)));
      return { code, frames };
    };
    fc.assert(
      fc.property(anything, (payload) => {
        expect(outcome(msgpackCodec, payload)).toEqual(outcome(jsonCodec, payload));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the JSON codec", () => {
  it("WIRE-1: one frame is an object, several are an array, and so are none", () => {
    expect(jsonCodec.encode([{ op: "ping" }])).toBe('{"op":"ping"}');
    expect(jsonCodec.encode([{ op: "ping" }, { op: "bye" }])).toBe('[{"op":"ping"},{"op":"bye"}]');
    expect(jsonCodec.encode([])).toBe("[]");
    expect(jsonCodec.decode("[]")).toEqual([]);
    expect(jsonCodec.decode('{"op":"ping"}')).toEqual(jsonCodec.decode('[{"op":"ping"}]'));
  });

  it.each(["", " ", "{", "{]", "undefined", "{'op':1}", '{"op":"ping"}{"op":"ping"}', "﻿{}", '"\u0001"', "NaN", '{"op":"ping",}'])(
    "WIRE-3: %j is not JSON",
    (message) => {
      expect(codeOf(() => jsonCodec.decode(message))).toBe("MESSAGE_MALFORMED");
    },
  );

  it("WIRE-3: bytes are not a JSON message", () => {
    expect(codeOf(() => jsonCodec.decode(Uint8Array.of(123, 125)))).toBe("MESSAGE_MALFORMED");
  });

  it("WIRE-3: $bytes that are not base64 are malformed", () => {
    expect(codeOf(() => jsonCodec.decode('{"payload":{"$bytes":"?"}}'))).toBe("MESSAGE_MALFORMED");
  });

  it("WIRE-3: ten thousand brackets are too deep, and no more", () => {
    expect(codeOf(() => jsonCodec.decode("[".repeat(10_000) + "]".repeat(10_000)))).toBe("MESSAGE_TOO_DEEP");
    expect(codeOf(() => jsonCodec.decode('{"a":'.repeat(10_000) + "1" + "}".repeat(10_000)))).toBe("MESSAGE_TOO_DEEP");
  });

  it.each(['{"a":1e400}', '{"a":[[-1e999]]}', "1e400", '{"__proto__":{}}', '{"a":[{"__proto__":1}]}', '{"\\u005f_proto__":1}', '{"$bytes":"AA==","__proto__":1}'])(
    "WIRE-4: %s is malformed",
    (message) => {
      expect(codeOf(() => jsonCodec.decode(message))).toBe("MESSAGE_MALFORMED");
    },
  );

  it("WIRE-3 WIRE-4: any text is decoded, or refused with a code of its own", () => {
    const codes = ["no error", "MESSAGE_MALFORMED", "MESSAGE_TOO_DEEP"];
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.json().map((text) => text.slice(1))), (text) => {
        expect(codes).toContain(codeOf(() => jsonCodec.decode(text)));
      }),
      { numRuns: 1_000 },
    );
  });
});
