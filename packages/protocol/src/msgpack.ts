import { jsonCodec, type Codec, type Encoded, type Received } from "./codec.js";
import { DEPTH_MAX } from "./limits.js";
import { MsgpackReader } from "./msgpack-reader.js";
import { MsgpackWriter } from "./msgpack-writer.js";

/**
 * MessagePack: binary, with bytes as they are, and otherwise what {@link jsonCodec} carries and refuses, with the same codes. Each message stands
 * for itself. Text that UTF-8 has no bytes for, lone surrogates, MessagePack cannot carry: a message with such text is one of JSON, and a message
 * that is text is read as JSON.
 *
 * @example
 * const server = createServer({ contract, codecs: [jsonCodec, msgpackCodec] });
 * const client = createClient({ url: "/v1/connect", contract, codec: msgpackCodec });
 */
export const msgpackCodec: Codec = {
  name: "msgpack",

  encode(frames: readonly object[], depthMax: number = DEPTH_MAX): Encoded {
    return new MsgpackWriter().write(frames, depthMax) ?? jsonCodec.encode(frames, depthMax);
  },

  decode(message: Received, depthMax: number = DEPTH_MAX): readonly unknown[] {
    return typeof message === "string" ? jsonCodec.decode(message, depthMax) : new MsgpackReader(message).frames(depthMax);
  },
};
