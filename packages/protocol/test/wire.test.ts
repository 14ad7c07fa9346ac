import { createHash } from "node:crypto";
import {
  clientShapes,
  jsonCodec,
  PROTOCOL_VERSION,
  publishResult,
  readClientFrame,
  readServerFrame,
  serverShapes,
  subprotocolOf,
  subscribeResult,
  type ClientFrame,
  type ServerFrame,
} from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { goldenClientFrames, goldenServerFrames, type Golden } from "./golden.js";

/**
 * The shape of the wire, for each protocol version that was ever released. Version 1 has grown since its first release by fields that may be left out,
 * and that an older peer passes over: `rewind` of subscribe, `payload` of the answer to a publish, and the
 * `eventId` of a start.
 */
const shapeHashes: Readonly<Record<number, string>> = {
  1: "cc416cecfa64dab0",
};

function shapeHash(): string {
  const kinds = (shapes: Readonly<Record<string, { readonly kind: string }>>, from: string) =>
    Object.entries(shapes).map(([op, { kind }]) => `${from} ${op} ${kind}`);
  const answers = { publish: publishResult, subscribe: subscribeResult };
  const lines = [...kinds(clientShapes, "client"), ...kinds(serverShapes, "server"), ...kinds(answers, "answer to")].toSorted();
  return createHash("sha256").update(lines.join("\n")).digest("hex").slice(0, 16);
}

interface Side {
  readonly side: string;
  readonly vectors: readonly Golden<ClientFrame | ServerFrame>[];
  readonly read: (value: unknown) => ClientFrame | ServerFrame;
  readonly shapes: object;
}
const sides: readonly Side[] = [
  { side: "client", vectors: goldenClientFrames, read: readClientFrame, shapes: clientShapes },
  { side: "server", vectors: goldenServerFrames, read: readServerFrame, shapes: serverShapes },
];

describe.each(sides)("frames of a $side", ({ vectors, read, shapes }) => {
  it.each(vectors.map((vector) => [vector.title, vector] as const))("WIRE-6: %s is written as it always was", (_title, { frame, text }) => {
    expect(jsonCodec.encode([frame])).toBe(text);
  });

  it.each(vectors.map((vector) => [vector.title, vector] as const))("WIRE-6: %s is read as it always was", (_title, { frame, text }) => {
    expect(jsonCodec.decode(text).map((value) => read(value))).toEqual([frame]);
  });

  it("WIRE-6: every op has a golden vector", () => {
    expect(new Set(vectors.map(({ frame }) => frame.op))).toEqual(new Set(Object.keys(shapes)));
  });

  it("WIRE-1: a batch of all frames is read as each of them alone", () => {
    const batch = jsonCodec.decode(`[${vectors.map(({ text }) => text).join(",")}]`);
    expect(batch.map((value) => read(value))).toEqual(vectors.map(({ frame }) => frame));
  });
});

describe("the shape of the wire", () => {
  it("WIRE-6: changes only together with the protocol version", () => {
    expect(
      { version: PROTOCOL_VERSION, hash: shapeHash() },
      "The shape of the frames changed. If a released peer would misread it, raise PROTOCOL_VERSION (src/version.ts) and add a line to shapeHashes; " +
        "if it is compatible by the evolution rules of docs/PROTOCOL.md, say so in the commit and renew the line. Renew golden.ts and docs/PROTOCOL.md with it.",
    ).toEqual({ version: PROTOCOL_VERSION, hash: shapeHashes[PROTOCOL_VERSION] });
  });

  it("WIRE-6: the subprotocol names version and codec", () => {
    expect(subprotocolOf(jsonCodec.name)).toBe("tutti.1.json");
  });
});
