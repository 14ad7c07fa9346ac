import { jsonCodec, TuttiError } from "@tutti/protocol";

const encoder = new TextEncoder();

/** The message of one frame, and its size on the wire. @throws TuttiError `MESSAGE_TOO_LARGE`, `MESSAGE_TOO_DEEP`, `PAYLOAD_INVALID` */
export function encodeFrame(frame: object, bytesMax: number) {
  const message = jsonCodec.encode([frame]);
  const bytes = encoder.encode(message).length;
  // The server would close the connection for it, and not be called again.
  if (bytes > bytesMax) throw new TuttiError("MESSAGE_TOO_LARGE", { message: `${bytes} bytes, at most ${bytesMax}` });
  return { message, bytes };
}
