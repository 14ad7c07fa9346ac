import type { Writable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as ws from "ws";
import { websocketFrame } from "../src/transports/websocket-frame.js";

// `ws` exports it, and its types leave it out.
const { Receiver } = ws as unknown as { readonly Receiver: new (options: { readonly isServer: boolean }) => Writable };

/** What a client's `ws` reads in the bytes, however they are cut. */
async function readBack(bytes: Buffer, pieceBytes = bytes.length): Promise<{ data: string | Buffer; isBinary: boolean }[]> {
  const receiver = new Receiver({ isServer: false });
  const messages: { data: string | Buffer; isBinary: boolean }[] = [];
  receiver.on("message", (data: Buffer, isBinary: boolean) => messages.push({ data: isBinary ? data : data.toString(), isBinary }));
  await new Promise<void>((resolve, reject) => {
    receiver.on("error", reject);
    for (let start = 0; start < bytes.length; start += pieceBytes) receiver.write(bytes.subarray(start, start + pieceBytes));
    receiver.end(() => resolve());
  });
  return messages;
}

describe("a WebSocket frame", () => {
  it.each([0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 100_000])("WIRE-1 of %i bytes is read as it was written", async (length) => {
    const text = "x".repeat(length);
    expect(await readBack(websocketFrame(text))).toEqual([{ data: text, isBinary: false }]);
    const bytes = Buffer.alloc(length, 7);
    expect(await readBack(websocketFrame(Uint8Array.from(bytes)))).toEqual([{ data: bytes, isBinary: true }]);
  });

  it.each([
    [125, 2],
    [126, 4],
    [65_535, 4],
    [65_536, 10],
  ])("WIRE-1 of %i bytes has the shortest header there is: %i", (length, headerLength) => {
    expect(websocketFrame("x".repeat(length)).length - length).toBe(headerLength);
  });

  it("WIRE-1 has the length of its bytes, not of its characters", async () => {
    const text = "ä€😀".repeat(60);
    expect(await readBack(websocketFrame(text))).toEqual([{ data: text, isBinary: false }]);
  });

  it("WIRE-1 is read byte by byte", async () => {
    const text = "ä".repeat(200);
    expect(await readBack(websocketFrame(text), 1)).toEqual([{ data: text, isBinary: false }]);
  });

  it("WIRE-1 is one of many in a stream, however it is cut", async () => {
    const message = fc.oneof(fc.string({ unit: "grapheme", maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), fc.constant("y".repeat(70_000)));
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 8 }), fc.integer({ min: 50, max: 5_000 }), async (messages, pieceBytes) => {
        const read = await readBack(Buffer.concat(messages.map(websocketFrame)), pieceBytes);
        expect(read).toEqual(messages.map((data) => (typeof data === "string" ? { data, isBinary: false } : { data: Buffer.from(data), isBinary: true })));
      }),
      { numRuns: 40 },
    );
  });
});
