import { LIST_MAX, member, position, presenceChange, start, wireError, wireEvent, wireSignal } from "./common-shapes.js";
import { frameReader, type FrameOf } from "./frame-reader.js";
import { anything, count, flag, list, optional, record, text } from "./shape.js";

const correlationId = text(64);
const channel = text(128);

/** What a server sends, by `op`. */
export const serverShapes = {
  welcome: record({
    version: count,
    /** The session's public id, as others see it. */
    session: text(64),
    connection: text(64),
    user: optional(text(128)),
    capabilities: list(text(32), 32),
    heartbeat: record({ intervalMs: count, timeoutMs: count }),
    limits: record({ messageBytesMax: count }),
    /** When the token expires, in milliseconds from now. */
    tokenExpiresMs: optional(count),
    timestamp: count,
  }),
  /** The answer to every frame with a `correlationId`: `data` or `error`. */
  reply: record({ correlationId, success: flag, data: optional(anything), error: optional(wireError) }),
  /** Events of a channel, one after the other. `prev` is left out when it is `seq - 1`. */
  events: record({ channel, epoch: text(32), seq: count, prev: optional(count), events: list(wireEvent, LIST_MAX) }),
  /** The subscription starts over: what it missed is gone. */
  gap: record({ channel, start }),
  signals: record({ channel, signals: list(wireSignal, LIST_MAX) }),
  /** The whole list (`members`), or what changed in it. */
  presence: record({ channel, members: optional(list(member, LIST_MAX)), complete: optional(flag), changes: optional(list(presenceChange, LIST_MAX)) }),
  /** The server put this session into a channel. */
  joined: record({ channel, start }),
  /** The server ended a subscription. */
  left: record({ channel, error: wireError }),
  /** Something that no request asked for went wrong; where the registry says so, the connection closes after it. */
  error: record({ error: wireError, channel: optional(channel) }),
  pong: record({}),
};

export type ServerFrame = FrameOf<typeof serverShapes>;
export type ServerFrameOf<Op extends ServerFrame["op"]> = Extract<ServerFrame, { op: Op }>;

/** The frame in a decoded message. @throws TuttiError `FRAME_UNKNOWN`, `FRAME_INVALID` */
export const readServerFrame = frameReader(serverShapes);

/** `data` of the reply to `publish`. */
export const publishResult = record({
  position,
  eventId: text(128),
  repeat: optional(flag),
  /** What the server's handler made of the payload; left out where that is what was sent, or is not known any more. */
  payload: optional(anything),
});
/** `data` of the reply to `subscribe`. */
export const subscribeResult = start;
