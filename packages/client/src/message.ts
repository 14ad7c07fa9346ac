import { TuttiError, type Codec, type Encoded } from "@tutti/protocol";

const encoder = new TextEncoder();

/** The message of one frame, and its size on the wire. @throws TuttiError `MESSAGE_TOO_LARGE`, `MESSAGE_TOO_DEEP`, `PAYLOAD_INVALID` */
export function encodeFrame(codec: Codec, frame: object, bytesMax: number): { readonly message: Encoded; readonly bytes: number } {
  const message = codec.encode([frame]);
  const bytes = (typeof message === "string" ? encoder.encode(message) : message).length;
  // The server would close the connection for it, and not be called again.
  if (bytes > bytesMax) throw new TuttiError("MESSAGE_TOO_LARGE", { message: `${bytes} bytes, at most ${bytesMax}` });
  return { message, bytes };
}
