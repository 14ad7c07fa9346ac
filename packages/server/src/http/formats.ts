import { TuttiError, type Codec, type Encoded } from "@tutti/protocol";
import { Packet } from "../connections/packet.js";
import { lineOf, recordsOf, type StreamRecord } from "./records.js";

/** How a stream is written: a codec that encodes what a channel hands over, once for all that read the same, and reads nothing. */
export interface StreamFormat {
  readonly mediaType: string;
  readonly codec: Codec;
  /** Says that the stream is there. */
  readonly heartbeat: Packet;
}

/** Of every stream: it is of this moment, and neither held back nor changed on its way. */
export function streamHeaders({ mediaType }: StreamFormat): Readonly<Record<string, string>> {
  return { "Content-Type": mediaType, "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no", Vary: "Accept, Origin" };
}

/** How long an `EventSource` waits before it comes back, unless it is told otherwise. */
const RETRY_MS = 2_000;

/** `text/event-stream`: events have no name, so that `onmessage` gets them; what else is said has that of its kind. */
export const sse: StreamFormat = {
  mediaType: "text/event-stream",
  codec: writer("sse", sseText),
  heartbeat: new Packet(":\n\n"),
};

/** `application/x-ndjson`: a line of JSON for each record. */
export const ndjson: StreamFormat = {
  mediaType: "application/x-ndjson",
  codec: writer("ndjson", (record) => `${lineOf(record)}\n`),
  heartbeat: new Packet("\n"),
};

function writer(name: string, textOf: (record: StreamRecord) => string): Codec {
  return {
    name,
    encode: (frames) => recordsOf(frames).map(textOf).join(""),
    decode: unread,
  };
}

/** Who reads over HTTP sends nothing by the way it reads. */
export function unread(): never {
  throw new TuttiError("MESSAGE_MALFORMED", { message: "nothing is read here" });
}

function sseText(record: StreamRecord): string {
  const { kind, ...said } = record;
  const data = `data: ${lineOf(said)}\n\n`;
  switch (record.kind) {
    case "event":
      return `id: ${record.position}\n${data}`;
    case "start":
      return `retry: ${RETRY_MS}\nid: ${record.position}\nevent: start\n${data}`;
    case "gap":
      return `id: ${record.position}\nevent: gap\n${data}`;
    case "end":
      return `${record.retryAfterMs === undefined ? "" : `retry: ${record.retryAfterMs}\n`}event: ${kind}\n${data}`;
  }
}

/** The bytes of a text packet; one function, so that each packet has them made once. */
export function bytesOf(data: Encoded): Uint8Array {
  return typeof data === "string" ? Buffer.from(data) : data;
}
