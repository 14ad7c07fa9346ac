/** Bytes after a proper handshake that break the WebSocket protocol itself. */
export interface BadBytes {
  readonly name: string;
  readonly send: Uint8Array;
  /** The code of the server's close frame. */
  readonly expect: number;
}

const bytes = (...parts: readonly (number | readonly number[])[]): Uint8Array => Uint8Array.from(parts.flat());
const key = [1, 2, 3, 4];
/** A masked frame: its first byte, its payload. */
const frame = (first: number, payload: readonly number[]): number[] => [first, 0x80 | payload.length, ...key, ...payload.map((byte, index) => byte ^ key[index % 4]!)];
const text = (value: string): number[] => [...new TextEncoder().encode(value)];

export const badBytes: readonly BadBytes[] = [
  { name: "a frame without a mask", send: bytes(0x81, 0x02, 0x7b, 0x7d), expect: 1002 },
  { name: "an opcode that is reserved", send: bytes(frame(0x83, [])), expect: 1002 },
  { name: "a control opcode that is reserved", send: bytes(frame(0x8b, [])), expect: 1002 },
  { name: "a reserved bit", send: bytes(frame(0xc1, text("{}"))), expect: 1002 },
  { name: "another reserved bit", send: bytes(frame(0x91, text("{}"))), expect: 1002 },
  { name: "text that is not UTF-8", send: bytes(frame(0x81, [0xff, 0xfe])), expect: 1007 },
  { name: "half a character at the end", send: bytes(frame(0x81, [0x22, 0xe2, 0x82])), expect: 1007 },
  { name: "a ping in two parts", send: bytes(frame(0x09, [])), expect: 1002 },
  { name: "a ping that is too long", send: bytes(0x89, 0xfe, 0x00, 0x80, ...key, Array.from({ length: 128 }, () => 0)), expect: 1002 },
  { name: "a second part without a first", send: bytes(frame(0x80, text("{}"))), expect: 1002 },
  { name: "a first part within another", send: bytes(frame(0x01, text("{")), frame(0x81, text("}"))), expect: 1002 },
  { name: "a close frame of one byte", send: bytes(frame(0x88, [3])), expect: 1002 },
  { name: "a close code that nobody may send", send: bytes(frame(0x88, [0x03, 0xed])), expect: 1002 },
  { name: "a close reason that is not UTF-8", send: bytes(frame(0x88, [0x03, 0xe8, 0xff])), expect: 1007 },
  { name: "a length beyond what a number holds", send: bytes(0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ...key), expect: 1009 },
  { name: "a length over the limit, and nothing of it", send: bytes(0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, ...key), expect: 1009 },
  {
    name: "parts that are small and without end",
    send: bytes(frame(0x01, text("[")), Array.from({ length: 20_000 }, () => frame(0x00, [0x20])).flat()),
    expect: 1008,
  },
  {
    name: "parts that are too large together",
    send: bytes(frame(0x01, text("[")), Array.from({ length: 600 }, () => frame(0x00, Array.from({ length: 120 }, () => 0x20))).flat()),
    expect: 1009,
  },
];
