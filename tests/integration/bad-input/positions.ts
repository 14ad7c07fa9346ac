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

export const badPositions: readonly BadMessage[] = [
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
