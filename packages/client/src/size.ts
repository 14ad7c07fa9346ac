import type { Encoded } from "@tutti/protocol";

/** The size of a message on the wire: text counts in UTF-8. */
export function encodedBytes(message: Encoded): number {
  if (typeof message !== "string") return message.length;
  let bytes = message.length;
  for (let index = 0; index < message.length; index++) {
    const unit = message.charCodeAt(index);
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}
