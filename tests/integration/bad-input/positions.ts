import { nameOf, subscribeFrame, text, type BadMessage } from "./bad-case.js";

const since = (value: unknown): string => text(subscribeFrame, { since: value });

function positions(expect: string, field: string | undefined, values: readonly unknown[]): BadMessage[] {
  return values.map((value) => ({
    name: `since ${nameOf(value)}`,
    stage: "greeted",
    send: since(value),
    expect,
    ...(field !== undefined && { field }),
  }));
}

const seqs = [undefined, null, "1", "", true, [], {}, -1, -0.5, 0.5, 1e21, 2 ** 53, -(2 ** 53)];
const epochs = [undefined, null, 1, true, [], {}, "x".repeat(33)];
const eventIds = [null, 1, {}, [], "x".repeat(129)];

/** Positions that are well formed and not of this log: what cannot be had is announced, and never guessed. */
const foreign = [
  { epoch: "e", seq: 0 },
  { epoch: "e", seq: 1 },
  { epoch: "e", seq: 2 ** 53 - 1 },
  { epoch: "", seq: 0 },
  { epoch: "\0", seq: 3 },
  { epoch: "\ud800", seq: 3 },
  { epoch: "constructor", seq: 3 },
  { epoch: "__proto__", seq: 3 },
  { epoch: "e", seq: 3, eventId: "somebody:1" },
  { epoch: "e", seq: 3, shiny: true },
  { epoch: "e\r\nid: 5", seq: 3 },
];

/** A rewind of a channel without state, where nothing but the rewind can be wrong. */
function rewinds(expect: string, field: string | undefined, values: readonly unknown[]): BadMessage[] {
  return values.map((rewind) => ({
    name: `rewind ${nameOf(rewind)}`,
    stage: "greeted",
    send: text(subscribeFrame, { channel: "lobby:main", rewind }),
    expect,
    ...(field !== undefined && { field }),
  }));
}

const counts = [null, "1", "", true, [], {}, -1, 0.5, 1e21, 2 ** 53];

export const badPositions: readonly BadMessage[] = [
  ...rewinds("FRAME_INVALID", "rewind", [null, 1, "50", "", true, [], [50], {}, { days: 1 }, { count: 1, ageMs: 1 }]),
  ...rewinds(
    "FRAME_INVALID",
    "rewind.count",
    counts.map((count) => ({ count })),
  ),
  ...rewinds(
    "FRAME_INVALID",
    "rewind.ageMs",
    counts.map((ageMs) => ({ ageMs })),
  ),
  { name: "rewind over the range of numbers", stage: "greeted", send: text(subscribeFrame, { rewind: { count: 7 } }).replace("7", "1e400"), expect: "MESSAGE_MALFORMED" },
  { name: "rewind of a position", stage: "greeted", send: text(subscribeFrame, { since: { epoch: "e", seq: 1 }, rewind: { count: 1 } }), expect: "FRAME_INVALID", field: "rewind" },
  { name: "rewind of a state", stage: "greeted", send: text(subscribeFrame, { rewind: { count: 1 } }), expect: "REWIND_UNSUPPORTED", field: "rewind" },
  ...rewinds("ok", undefined, [{ count: 0 }, { ageMs: 0 }, { count: 2 ** 53 - 1 }, { ageMs: 2 ** 53 - 1 }, { count: 1, shiny: true }]),
  ...positions("FRAME_INVALID", "since", [null, 1, "e-1", "", true, [], [1, 2]]),
  ...positions(
    "FRAME_INVALID",
    "since.seq",
    seqs.map((seq) => ({ epoch: "e", seq })),
  ),
  ...positions(
    "FRAME_INVALID",
    "since.epoch",
    epochs.map((epoch) => ({ epoch, seq: 1 })),
  ),
  ...positions(
    "FRAME_INVALID",
    "since.eventId",
    eventIds.map((eventId) => ({ epoch: "e", seq: 1, eventId })),
  ),
  { name: "since a seq over the range of numbers", stage: "greeted", send: since({ epoch: "e", seq: 7 }).replace("7", "1e400"), expect: "MESSAGE_MALFORMED" },
  ...positions("gap", undefined, foreign),
];
