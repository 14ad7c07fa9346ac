import type { Encoded } from "@tutti/protocol";

/** What fills the buffer of a proxy that holds back little. */
const PADDING_CHARACTERS = 2_048;

/** What a stream says of itself: `open` before the first message after admission, `close` last. */
type StreamRecord = "open" | "close";

/** How a stream tells its messages apart. There is one of each kind, so that a packet is framed once for all links of it. */
export interface Framing {
  /** The transport's name. */
  readonly name: "sse" | "stream";
  readonly contentType: string;
  /** Means nothing, and is something. */
  readonly heartbeat: Uint8Array;
  /** Means nothing, and is long. */
  readonly padding: Uint8Array;
  readonly message: (data: Encoded) => Uint8Array;
  readonly record: (name: StreamRecord, value: object) => Uint8Array;
}

/** Server-sent events. JSON has no line ends of its own, so each message is one line of data. */
export const sse: Framing = {
  name: "sse",
  contentType: "text/event-stream",
  heartbeat: Buffer.from(":\n\n"),
  padding: Buffer.from(`:${" ".repeat(PADDING_CHARACTERS)}\n\n`),
  message: (data) => Buffer.from(`data: ${String(data)}\n\n`),
  record: (name, value) => Buffer.from(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`),
};

/** Lines of JSON. A record is an object with its name alone; a message has an `op`, or is an array of what has. */
export const ndjson: Framing = {
  name: "stream",
  contentType: "application/x-ndjson",
  heartbeat: Buffer.from("\n"),
  padding: Buffer.from(`${" ".repeat(PADDING_CHARACTERS)}\n`),
  message: (data) => Buffer.from(`${String(data)}\n`),
  record: (name, value) => Buffer.from(`${JSON.stringify({ [name]: value })}\n`),
};
