import { lastSeen, rewind } from "./common-shapes.js";
import { frameReader, type FrameOf } from "./frame-reader.js";
import { anything, atMostOne, count, flag, list, oneOf, optional, record, text } from "./shape.js";

const correlationId = text(64);
const channel = text(128);
const type = text(64);

/** What a client sends, by `op`. */
export const clientShapes = {
  /** The first frame: who is there, and what it understands. */
  hello: record({
    versions: list(count, 16),
    /** The session's secret: 22 to 64 characters that only this client knows. */
    session: text(64, 22),
    token: optional(text(8192)),
    client: optional(record({ name: text(64), version: text(64) })),
    capabilities: optional(list(text(32), 32)),
  }),
  subscribe: atMostOne(
    record({
      correlationId,
      channel,
      since: optional(lastSeen),
      rewind: optional(rewind),
      /** Whether the members are sent, and their changes. */
      presence: optional(flag),
      /** Enters presence with this state. */
      member: optional(anything),
    }),
    "since",
    "rewind",
  ),
  unsubscribe: record({ correlationId, channel }),
  publish: record({
    correlationId,
    channel,
    /** The session's count for this channel: 1, 2, 3 … */
    n: count,
    /** Everything up to here is settled at the client: landed, or refused for good. */
    settled: count,
    /** This *n* has been sent before. */
    retry: optional(flag),
    type,
    payload: optional(anything),
    /** The client's clock, Unix ms. */
    timestamp: count,
  }),
  signal: record({ channel, type, payload: optional(anything) }),
  call: record({ correlationId, channel: optional(channel), type, payload: optional(anything), timestamp: count }),
  /** Enters presence, or replaces the member's state; without a state it leaves. */
  presence: record({ correlationId, channel, member: optional(anything) }),
  activity: record({ activity: oneOf("active", "idle") }),
  refresh: record({ correlationId, token: text(8192) }),
  ping: record({}),
  bye: record({}),
};

export type ClientFrame = FrameOf<typeof clientShapes>;
export type ClientFrameOf<Op extends ClientFrame["op"]> = Extract<ClientFrame, { op: Op }>;

/** The frame in a decoded message. @throws TuttiError `FRAME_UNKNOWN`, `FRAME_INVALID` */
export const readClientFrame = frameReader(clientShapes);

