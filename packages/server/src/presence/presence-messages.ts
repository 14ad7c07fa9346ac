import { LIST_MAX, count, flag, list, member, record, text, type ValueOf } from "@tutti/protocol";

/** How many channels one node asks another for in one message. */
export const ASKED_CHANNELS_MAX = 256;

const channel = text(128);
const session = text(64);

/** A member where it is owned. */
const entry = record({
  member,
  /** How long ago the member itself did something last: which of two nodes has the later connection of a session, by no wall clock. */
  ageMs: count,
});
export type ToldEntry = ValueOf<typeof entry>;

/** All channels that changed between two numbers of the sender, each with that of its last change there. */
export const presenceDigest = record({
  /** Up to which number the sender has forgotten what changed. */
  forgottenUpTo: count,
  after: count,
  upTo: count,
  numbers: list(record({ channel, number: count }), LIST_MAX),
});
export type PresenceDigest = ValueOf<typeof presenceDigest>;

const members = record({
  channel,
  /** That of the last change which is in it. */
  number: count,
  /** How many members of the same list came in the parts before. */
  from: count,
  isWhole: flag,
  entries: list(entry, LIST_MAX),
});
export type ToldMembers = ValueOf<typeof members>;

const changes = record({
  channel,
  /** The number of the change before it; `0` where the sender owned nobody there. */
  before: count,
  number: count,
  entered: list(entry, LIST_MAX),
  left: list(session, LIST_MAX),
});
export type ToldChanges = ValueOf<typeof changes>;

/** What nodes tell each other about members. */
export const presenceShapes = {
  "presence:changes": changes,
  /** Names what a heartbeat had no room for, or what the node that hears this missed. */
  "presence:changed": presenceDigest,
  /** Missed what the node that hears this named after a number. */
  "presence:since": record({ number: count }),
  /** Wants to know the members that other nodes own in these channels. */
  "presence:ask": record({ ask: count, channels: list(channel, ASKED_CHANNELS_MAX) }),
  /** Answers an ask in parts. Of the channels that are in none of them the sender owns nobody. */
  "presence:answer": record({
    ask: count,
    part: count,
    isLast: flag,
    /** The number of the sender's last change of any channel: the lists are of that moment. */
    at: count,
    lists: list(members, LIST_MAX),
  }),
};
