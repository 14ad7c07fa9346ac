import { jsonCodec, type Codec } from "@tutti/protocol";
import { msgpackCodec } from "@tutti/protocol/msgpack";
import { describe, expect, it } from "vitest";
import { Packet, SharedPacket } from "../src/connections/packet.js";

/** The codec, and how often it was asked to write. */
function counted(codec: Codec): { readonly codec: Codec; readonly count: () => number } {
  let count = 0;
  const encode: Codec["encode"] = (frames, depthMax) => {
    count++;
    return codec.encode(frames, depthMax);
  };
  return { codec: { ...codec, encode }, count: () => count };
}

describe("a packet", () => {
  it("FAN-1: is encoded once for each codec, in whatever order they come", () => {
    const frames = [{ op: "signals", channel: "room:1", signals: [] }];
    const [json, msgpack] = [counted(jsonCodec), counted(msgpackCodec)];
    const shared = new SharedPacket(frames);
    expect([json.count(), msgpack.count()]).toEqual([0, 0]);
    for (const { codec } of [json, msgpack, msgpack, json, msgpack, json]) {
      expect(shared.for(codec)).toBe(shared.for(codec));
      expect(codec.decode(shared.for(codec).data)).toEqual(frames);
    }
    expect([json.count(), msgpack.count()]).toEqual([1, 1]);
  });

  it("LNK-5: is framed once for each framing in use, in whatever order they come", () => {
    const framing = (name: string) => {
      let count = 0;
      return { frame: (data: unknown) => ({ name, count: ++count, data }), count: () => count };
    };
    const [socket, sse, lines] = [framing("socket"), framing("sse"), framing("lines")];
    const packet = new Packet("{}");
    for (const { frame } of [socket, sse, lines, sse, socket, lines]) expect(packet.framed(frame)).toMatchObject({ count: 1, data: "{}" });
    expect([socket, sse, lines].map(({ frame }) => packet.framed(frame).name)).toEqual(["socket", "sse", "lines"]);
    expect([socket.count(), sse.count(), lines.count()]).toEqual([1, 1, 1]);
  });

  it("FAN-1: weighs what it takes on the wire, as text and as bytes", () => {
    expect(new Packet("é日😀").bytes).toBe(9);
    expect(new Packet(Uint8Array.of(1, 2, 3)).bytes).toBe(3);
  });
});
