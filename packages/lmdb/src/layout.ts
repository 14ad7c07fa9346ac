import type { Key, KeyRange } from "./store.js";

/** Above every id and `seq`. */
const TOP = Number.MAX_SAFE_INTEGER;

/*
 * Where everything stands on disk. Names of channels are mapped to small numbers, so that keys are short and the events of a channel stand
 * side by side in their order.
 */
export const places = {
  /** The number of this layout. */
  format: ["meta", "format"],
  /** The epoch of all channels. */
  epoch: ["meta", "epoch"],
  /** There while a process runs that acknowledges before the flush. */
  unflushed: ["meta", "unflushed"],
  /** Which process writes. */
  holder: ["meta", "holder"],
  /** The highest id of a channel. */
  ids: ["meta", "ids"],
  /** A channel's id and floor. */
  channel: (name: string): Key => ["channel", name],
  event: (id: number, seq: number): Key => ["e", id, seq],
  publisher: (id: number, session: string): Key => ["p", id, session],
  /** An idempotency key, by its digest. */
  key: (id: number, digest: string): Key => ["k", id, digest],
  /** The idempotency keys of a channel in the order in which they were used, without a hole. */
  keyOrder: (id: number, ordinal: number): Key => ["o", id, ordinal],
  snapshot: (id: number): Key => ["s", id],
} as const;

/** All of a place; the bounds have the types of its keys. */
export const ranges = {
  anything: { start: ["", ""], end: ["\u{10ffff}", ""] },
  events: (id: number, after: number, upTo: number): KeyRange => ({ start: places.event(id, after + 1), end: places.event(id, upTo + 1) }),
  eventsAbove: (id: number, after: number): KeyRange => ({ start: places.event(id, after + 1), end: places.event(id, TOP) }),
  publishers: { start: ["p", 0, ""], end: ["p", TOP, ""] },
  keyOrder: (id: number): KeyRange => ({ start: places.keyOrder(id, 0), end: places.keyOrder(id, TOP) }),
  keyOrders: { start: ["o", 0, 0], end: ["o", TOP, 0] },
} as const;

/** The layout that this code reads and writes. */
export const FORMAT = 1;
