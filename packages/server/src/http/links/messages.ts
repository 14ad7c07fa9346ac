import { TuttiError, limits } from "@tutti/protocol";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** A body as text. @throws TuttiError `MESSAGE_TOO_LARGE`, `MESSAGE_MALFORMED` for what is not UTF-8 */
export function textOf(body: Uint8Array, bytesMax: number): string {
  if (body.length > bytesMax) throw new TuttiError("MESSAGE_TOO_LARGE", { message: `messageBytesMax is ${bytesMax}` });
  try {
    return decoder.decode(body);
  } catch (cause) {
    throw new TuttiError("MESSAGE_MALFORMED", { message: "the body is not UTF-8", cause });
  }
}

/** The messages in a body, one a line; empty lines are none. @throws TuttiError `LIMIT_EXCEEDED` */
export function linesOf(text: string): readonly string[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length > limits.batchFramesMax) throw new TuttiError("LIMIT_EXCEEDED", { message: `a request has at most ${limits.batchFramesMax} messages` });
  return lines;
}
