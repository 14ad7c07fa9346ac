import type { LastSeen } from "@tutti/protocol";
import { parseCursor } from "./cursor.js";
import type { HttpHeaders } from "./exchange.js";

/** Shared by all that name nothing. */
const NOTHING: readonly LastSeen[] = [];
const OPAQUE = /^(?:W\/)?"([^"]*)"$/;

/** A tag of what was answered up to a position. A weak one: what a proxy makes of the bytes, compressing them say, changes nothing. */
export function etagOf(cursor: string): string {
  return `W/"${cursor}"`;
}

/** The positions of which `If-None-Match` says that they need not be told again. What is no tag of ours matches nothing. */
export function seenBy({ "if-none-match": given }: HttpHeaders): readonly LastSeen[] {
  if (typeof given !== "string") return NOTHING;
  return given.split(",").flatMap((tag) => {
    const [, cursor] = OPAQUE.exec(tag.trim()) ?? [];
    return cursor === undefined ? [] : positionOf(cursor);
  });
}

/** Whether a client knows what it would be told: the place, and the event there where both name one. */
export function knows(seen: readonly LastSeen[], { epoch, seq, eventId }: LastSeen): boolean {
  return seen.some((each) => each.seq === seq && each.epoch === epoch && (each.eventId ?? eventId) === (eventId ?? each.eventId));
}

function positionOf(cursor: string): readonly LastSeen[] {
  try {
    return [parseCursor(cursor, "If-None-Match")];
  } catch {
    return [];
  }
}
