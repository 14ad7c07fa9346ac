import { fromJson, toJson } from "./binary.js";
import { TuttiError } from "./errors.js";
import { DEPTH_MAX } from "./limits.js";

/** What a transport carries: text or bytes, as the codec makes them. */
export type Encoded = string | Uint8Array;

/** What a transport received, as it has it: some have bytes, some a buffer that is all of the message. */
export type Received = Encoded | ArrayBuffer;

/** Turns frames into one message of a transport, and back. */
export interface Codec {
  /** The name in the WebSocket subprotocol, `tutti.1.<name>`. */
  readonly name: string;
  /**
   * One message with these frames, in this order.
   *
   * @param depthMax how deep a frame may nest; what a client may send where it is left out
   * @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP`
   */
  encode(frames: readonly object[], depthMax?: number): Encoded;
  /**
   * What stands in the message, not yet known to be frames. Text is read as JSON, whatever the codec: so a server says that it does not have it.
   *
   * @param depthMax how deep a frame may nest; what a client may send where it is left out
   * @throws TuttiError `MESSAGE_MALFORMED`, `MESSAGE_TOO_DEEP`
   */
  decode(message: Received, depthMax?: number): readonly unknown[];
}

function parse(message: Received): unknown {
  try {
    if (typeof message === "string") return JSON.parse(message);
  } catch {
    // Told below, as the bytes are.
  }
  throw new TuttiError("MESSAGE_MALFORMED", { message: "not JSON" });
}

/** The default: readable JSON, one object for one frame, an array for a batch. */
export const jsonCodec = {
  name: "json",

  encode(frames: readonly object[], depthMax: number = DEPTH_MAX): string {
    // Each frame has its depth to itself, so that what may be sent alone may be sent in a batch.
    const values = frames.map((frame) => toJson(frame, depthMax));
    return JSON.stringify(values.length === 1 ? values[0] : values);
  },

  decode(message: Received, depthMax: number = DEPTH_MAX): readonly unknown[] {
    const value = parse(message);
    const frames: unknown[] = Array.isArray(value) ? value : [value];
    return frames.map((frame) => fromJson(frame, depthMax));
  },
} satisfies Codec;
