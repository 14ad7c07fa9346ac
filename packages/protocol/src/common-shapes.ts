import { CODE_CHARACTERS_MAX, FIELD_CHARACTERS_MAX, MESSAGE_CHARACTERS_MAX } from "./wire-error.js";
import { anything, count, flag, oneField, oneOf, optional, record, text, type ValueOf } from "./shape.js";

export const position = record({ epoch: text(32), seq: count });

export const lastSeen = record({ epoch: text(32), seq: count, eventId: optional(text(128)) });

/** How far behind the head a subscription starts: so many events, or those that were appended within so many milliseconds. */
export const rewind = oneField({ count, ageMs: count });
export type Rewind = ValueOf<typeof rewind>;

export const wireError = record({
  code: text(CODE_CHARACTERS_MAX),
  message: text(MESSAGE_CHARACTERS_MAX),
  field: optional(text(FIELD_CHARACTERS_MAX)),
  retryAfterMs: optional(count),
  data: optional(anything),
});

/** One device of one person in a channel. */
export const member = record({
  /** The public id of the member's session. */
  session: text(64),
  user: optional(text(128)),
  state: optional(anything),
  activity: oneOf("active", "idle"),
  /** The connection ended without a `bye`, and may come back. */
  away: optional(flag),
  /** Since when, Unix ms of the server. */
  since: count,
});
export type Member = ValueOf<typeof member>;

export const presenceChange = record({ type: oneOf("presence:join", "presence:update", "presence:leave"), member });
export type PresenceChange = ValueOf<typeof presenceChange>;

/** Where a subscription starts. */
export const start = record({
  /** The first event has this position as its previous one. With the event there, where it is known: it goes into the next `since`. */
  position: lastSeen,
  /** Events after `from`, up to and including `to`, cannot be had. */
  gap: optional(record({ from: position, to: position })),
  /** The channel's state at `position`. */
  snapshot: optional(record({ version: count, state: optional(anything) })),
});
export type SubscriptionStart = ValueOf<typeof start>;

export const wireEvent = record({
  eventId: text(128),
  type: text(64),
  payload: optional(anything),
  /** The server's clock when it was appended, Unix ms. */
  timestamp: count,
  user: optional(text(128)),
  /** Left out when it is the one before it plus one. */
  seq: optional(count),
});
export type WireEvent = ValueOf<typeof wireEvent>;

export const wireSignal = record({ type: text(64), payload: optional(anything), session: text(64), user: optional(text(128)) });
export type WireSignal = ValueOf<typeof wireSignal>;

/** Lists of a server are as long as a channel is busy; this only keeps a length from being absurd. */
export const LIST_MAX = 1_000_000;
