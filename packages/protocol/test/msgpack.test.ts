import fc from "fast-check";
import { assertSendable, jsonCodec, limits, readClientFrame, readServerFrame, subprotocolOf } from "@tutti/protocol";
import { msgpackCodec } from "@tutti/protocol/msgpack";
import { Unpackr } from "msgpackr/unpack";
import { describe, expect, it } from "vitest";
import { anyFrames, codeOf } from "./codec-values.js";
import { goldenClientFrames, goldenServerFrames } from "./golden.js";
import { goldenMsgpack } from "./golden-msgpack.js";

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hexOf = (message: string | Uint8Array): string => (typeof message === "string" ? message : Buffer.from(message).toString("hex"));
const decoded = (hex: string): unknown => msgpackCodec.decode(bytesOf(hex));

describe("MessagePack", () => {
  it("WIRE-9: has a subprotocol of its own", () => {
    expect(subprotocolOf(msgpackCodec.name)).toBe("tutti.1.msgpack");
  });

  it("WIRE-9: one frame is a map, several are a list, and so are none", () => {
    expect(hexOf(msgpackCodec.encode([{ op: "bye" }]))).toBe("81a26f70a3627965");
    expect(hexOf(msgpackCodec.encode([{ op: "bye" }, { op: "bye" }]))).toBe("9281a26f70a362796581a26f70a3627965");
    expect(hexOf(msgpackCodec.encode([]))).toBe("90");
    expect(decoded("81a26f70a3627965")).toEqual(decoded("9181a26f70a3627965"));
  });

  it("WIRE-9: the same frames are the same bytes, whatever was written before", () => {
    const frames = [{ op: "x", a: 1, b: "two" }];
    const first = hexOf(msgpackCodec.encode(frames));
    msgpackCodec.encode([{ a: 1, b: 2 }, { b: 2, a: 1 }, { long: "x".repeat(20_000) }]);
    expect(hexOf(msgpackCodec.encode(frames))).toBe(first);
  });

  it("WIRE-9: a message keeps its bytes when others are written after it, and no more memory than it has bytes", () => {
    const message = msgpackCodec.encode([{ op: "ping" }]) as Uint8Array;
    const before = hexOf(message);
    msgpackCodec.encode([{ op: "bye" }]);
    expect(hexOf(message)).toBe(before);
    expect(message.buffer.byteLength).toBe(message.length);
  });

  it("WIRE-9: bytes are read as bytes of their own, also out of a buffer of Node", () => {
    const message = Buffer.from(msgpackCodec.encode([{ ink: Uint8Array.of(1, 2) }]));
    const [frame] = msgpackCodec.decode(message) as [{ ink: Uint8Array }];
    message.fill(0);
    expect(frame.ink).toEqual(Uint8Array.of(1, 2));
    expect(frame.ink.buffer.byteLength).toBe(2);
  });

  it("WIRE-9: text that UTF-8 has no bytes for travels as JSON, and a text message is read as JSON", () => {
    const frames = [{ payload: "\ud800", ink: Uint8Array.of(1) }];
    const message = msgpackCodec.encode(frames);
    expect(message).toBe(jsonCodec.encode(frames));
    expect(msgpackCodec.decode(message)).toEqual(frames);
    expect(codeOf(() => msgpackCodec.decode("{"))).toBe("MESSAGE_MALFORMED");
    expect(codeOf(() => msgpackCodec.decode("[[[]]]", 1))).toBe("MESSAGE_TOO_DEEP");
  });

  it.each([
    ["a float of 32 bits", "81a161ca3f000000", { a: 0.5 }],
    ["a whole number of 64 bits", "81a161cf001fffffffffffff", { a: 2 ** 53 - 1 }],
    ["a negative one", "81a161d3ffe0000000000001", { a: -(2 ** 53) + 1 }],
    ["a small number in many bytes", "81a161d3ffffffffffffffff", { a: -1 }],
    ["short things under long headers", "df00000001d90161dd00000001db0000000162", { a: ["b"] }],
    ["bytes under a long header", "81a161c60000000107", { a: Uint8Array.of(7) }],
    ["a key twice", "82a16101a16102", { a: 2 }],
  ])("WIRE-9: reads %s, as other programs may write it", (_title, hex, frame) => {
    expect(decoded(hex)).toEqual([frame]);
  });

  it.each([
    ["nothing", ""],
    ["what follows the message", "8080"],
    ["a timestamp", "81a161d6ff00000000"],
    ["an extension of one byte", "81a161d40001"],
    ["an undefined of msgpackr", "81a161d40000"],
    ["a record of msgpackr", "d47240 91a161 01"],
    ["an extension of any length", "81a161c7010141"],
    ["an extension of 2^32 bytes", "c9ffffffff01"],
    ["the byte that is never used", "81a161c1"],
    ["a key that is a number", "810101"],
    ["a key that is bytes", "81c4016101"],
    ["a key that is null", "81c001"],
    ["a list as a key", "819001"],
    ["a key __proto__", "81a95f5f70726f746f5f5f80"],
    ["a key __proto__ under a long header", "81db000000095f5f70726f746f5f5f80"],
    ["a key __proto__ in bytes that are no UTF-8", "81aac19f5f70726f746f5f5f80"],
    ["NaN", "81a161cb7ff8000000000000"],
    ["infinity", "81a161cb7ff0000000000000"],
    ["infinity of 32 bits", "81a161caff800000"],
    ["2^53", "81a161cf0020000000000000"],
    ["the largest whole number", "81a161cfffffffffffffffff"],
    ["the smallest whole number", "81a161d38000000000000000"],
    ["text that is not UTF-8", "81a161a1ff"],
    ["text that ends within a character", "81a161a1c3"],
    ["half of a pair", "81a161a3eda080"],
    ["long text that is not UTF-8", `81a161d928${"61".repeat(39)}ff`],
    ["a list of 2^32 things", "ddffffffff"],
    ["a list of 2^32 things in a frame", "81a161ddffffffff"],
    ["a map of 2^32 things", "dfffffffff"],
    ["a map whose values are missing", "82a161a162"],
    ["text of 2^32 bytes", "81a161dbffffffff"],
    ["bytes of 2^32", "81a161c6ffffffff"],
    ["a header that ends early", "81a161cd01"],
    ["a key that ends early", "81a561"],
  ])("WIRE-9: %s cannot be read", (_title, hex) => {
    expect(codeOf(() => decoded(hex))).toBe("MESSAGE_MALFORMED");
  });

  it("WIRE-9: ten thousand lists, maps or both are too deep, and no more", () => {
    for (const hex of ["91", "81a161", "9181a161"]) expect(codeOf(() => decoded(`${hex.repeat(10_000)}c0`))).toBe("MESSAGE_TOO_DEEP");
  });

  it("WIRE-9: any bytes are read, or refused with a code of their own; what is read can be sent on", () => {
    const mutated = fc
      .tuple(anyFrames, fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0xc1, 0xc7, 0xd4, 0xdb, 0xdd, 0xdf))), { maxLength: 4 }), fc.nat({ max: 8 }))
      .map(([frames, changes, cut]) => {
        const message = Uint8Array.from(Buffer.from(msgpackCodec.encode(frames)));
        for (const [at, byte] of changes) message[at % message.length] = byte;
        return message.subarray(0, message.length - cut);
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (message) => {
        let frames: readonly unknown[] = [];
        const code = codeOf(() => (frames = msgpackCodec.decode(message)));
        expect(["no error", "MESSAGE_MALFORMED", "MESSAGE_TOO_DEEP"]).toContain(code);
        for (const frame of frames) assertSendable(frame);
      }),
      { numRuns: 5_000 },
    );
  });

  it("WIRE-9: every other reader of MessagePack reads what was written", () => {
    const reader = new Unpackr({ useRecords: false });
    fc.assert(
      fc.property(anyFrames, (frames) => {
        const message = msgpackCodec.encode(frames);
        // It takes a byte order mark off a long text.
        fc.pre(typeof message !== "string" && !JSON.stringify(frames).includes("\ufeff"));
        const value: unknown = reader.unpack(new Uint8Array(message));
        expect(Array.isArray(value) ? value : [value]).toEqual(frames);
      }),
      { numRuns: 500 },
    );
  });
});

describe("frames as MessagePack", () => {
  const vectors = [
    ...goldenClientFrames.map(({ title, frame }) => [`a client's ${title}`, frame, readClientFrame] as const),
    ...goldenServerFrames.map(({ title, frame }) => [`a server's ${title}`, frame, readServerFrame] as const),
  ];

  it.each(vectors)("WIRE-6: %s is written and read as it always was", (title, frame, read) => {
    const hex = goldenMsgpack[title] ?? "";
    expect(hexOf(msgpackCodec.encode([frame], limits.serverDepthMax))).toBe(hex);
    expect(msgpackCodec.decode(bytesOf(hex)).map((value) => read(value))).toEqual([frame]);
  });

  it("WIRE-6: every vector is of a frame that there is", () => {
    expect(Object.keys(goldenMsgpack)).toEqual(vectors.map(([title]) => title));
  });
});
