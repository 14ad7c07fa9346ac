import type { Encoded } from "@tutti/protocol";

const FINAL_TEXT = 0x81;
const FINAL_BINARY = 0x82;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/**
 * An unmasked, unfragmented, uncompressed data frame as a server sends it (RFC 6455, section 5.2), made once and written to any number of
 * sockets. `ws` makes the same bytes, but anew for each socket.
 */
export function websocketFrame(data: Encoded): Buffer {
  const isText = typeof data === "string";
  const length = isText ? Buffer.byteLength(data) : data.length;
  const headerLength = length < LENGTH_16 ? 2 : length <= 0xff_ff ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerLength + length);
  frame[0] = isText ? FINAL_TEXT : FINAL_BINARY;
  if (headerLength === 2) frame[1] = length;
  else if (headerLength === 4) {
    frame[1] = LENGTH_16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_64;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  if (isText) frame.write(data, headerLength);
  else frame.set(data, headerLength);
  return frame;
}
