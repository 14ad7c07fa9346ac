import { TuttiError, formatPosition, parsePosition, type LastSeen } from "@tutti/protocol";

/** A position of 32 characters, 16 digits, and an event's id of 128 characters, each of which may take nine in a URL. */
const CURSOR_CHARACTERS_MAX = 1_280;
const EVENT_ID_CHARACTERS_MAX = 128;
/** What an id may have as it is, in a URL's query too; anything else is percent-encoded. */
const PLAIN = /^[\w:.-]*$/;

/**
 * A position and the event that was seen there, as one text: `epoch-seq~eventId`, without the id where it is not known. In ASCII, and without a space, so that
 * it is good for a header, for the `id` of an SSE event and, as it is, for the query of a URL.
 */
export function formatCursor(last: LastSeen): string {
  const { eventId } = last;
  const position = formatPosition(last);
  if (eventId === undefined) return position;
  if (PLAIN.test(eventId)) return `${position}~${eventId}`;
  try {
    return `${position}~${encodeURIComponent(eventId)}`;
  } catch {
    // Half a character is no text for a URL. The position says where to go on all the same.
    return position;
  }
}

/** What {@link formatCursor} wrote; also as it is after a query was decoded. @throws TuttiError `FRAME_INVALID` with `field` named */
export function parseCursor(text: string, field: string): LastSeen {
  const at = text.indexOf("~");
  const position = text.length > CURSOR_CHARACTERS_MAX ? undefined : parsePosition(at < 0 ? text : text.slice(0, at));
  const eventId = at < 0 ? undefined : decoded(text.slice(at + 1));
  if (position === undefined || (eventId !== undefined && eventId.length > EVENT_ID_CHARACTERS_MAX)) {
    throw new TuttiError("FRAME_INVALID", { message: `${field} is not a position`, field });
  }
  return eventId === undefined || eventId === "" ? position : { ...position, eventId };
}

/** An id that has been decoded once before may not be percent-encoded any more. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
