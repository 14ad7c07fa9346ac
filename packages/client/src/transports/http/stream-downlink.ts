import { count, record, text } from "@tutti/protocol";
import type { Downlink, LinkSide } from "./http-link.js";

const opening = record({ token: text(512, 1), messageBytesMax: count });
const closing = record({ code: count, reason: text(1_024) });

/** What a stream says of itself: `open` before the first message after admission, `close` last. */
export type RecordName = "open" | "close";

/** What stands in a stream, in its order. */
export interface StreamEvents {
  readonly message: (message: string) => void;
  readonly record: (name: RecordName, value: unknown) => void;
}

/** Finds messages and records in the text of a stream, in whatever slices that comes. @throws where it is not what it should be */
export type Feed = (slice: string) => void;

/** A downlink that is one long answer. */
export function streamDownlink(side: LinkSide, makeFeed: (events: StreamEvents) => Feed): Downlink {
  const { signal } = side;
  const feed = makeFeed({
    message: (message) => side.message(message),
    record(name, value) {
      if (name === "open") return side.opened(opening.read(value, name));
      const { code, reason } = closing.read(value, name);
      side.closed(code, reason);
    },
  });
  return {
    async read({ body }) {
      const reader = body?.getReader();
      // A character may come in two slices.
      const decoder = new TextDecoder("utf-8", { fatal: true });
      for (let slice = await reader?.read(); slice?.value !== undefined && !signal.aborted; slice = await reader?.read()) {
        feed(decoder.decode(slice.value, { stream: true }));
      }
    },
  };
}
