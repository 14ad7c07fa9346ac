import { callFrame, helloFrame, nameOf, presenceFrame, publishFrame, signalFrame, subscribeFrame, text, type BadMessage, type Stage } from "./bad-case.js";

type Fields = Readonly<Record<string, unknown>>;
const long = (length: number) => "x".repeat(length);

/** One case for each wrong value of a field; the answer names the field, or the part of it that is wrong. */
function wrong(frame: Fields, field: string, values: readonly unknown[], stage: Stage = "subscribed"): BadMessage[] {
  return values.map((value) => ({
    name: `${String(frame["op"])} with ${field} ${nameOf(value)}`,
    stage,
    send: text(frame, { [field]: value }),
    expect: "FRAME_INVALID",
    field,
  }));
}

const noText = [undefined, null, 1, true, [], {}];
const noCount = [undefined, null, "1", -1, 0.5, 2 ** 53, 1e300, true, [1]];

const frames: BadMessage[] = [
  ...wrong(helloFrame, "session", [...noText, "", "guessable", long(65)], "opened"),
  ...wrong(helloFrame, "versions", [undefined, null, 1, "1", {}, ["1"], [1, -1], [1.5], Array.from({ length: 17 }, () => 1)], "opened"),
  ...wrong(helloFrame, "token", [null, 1, {}, ["a"]], "opened"),
  ...wrong(helloFrame, "client", [null, "canvas", [], {}, { name: "x" }, { name: 1, version: "1" }, { name: "x", version: long(65) }], "opened"),
  ...wrong(helloFrame, "capabilities", [null, "all", {}, [1], [long(33)], Array.from({ length: 33 }, () => "a")], "opened"),
  ...wrong(subscribeFrame, "correlationId", [...noText, long(65)]),
  ...wrong(subscribeFrame, "channel", [...noText, long(129)]),
  ...wrong(subscribeFrame, "presence", [null, 1, "true", {}]),
  ...wrong({ op: "unsubscribe", correlationId: "c", channel: "canvas:bad" }, "channel", noText),
  ...wrong(publishFrame, "n", noCount),
  ...wrong(publishFrame, "settled", noCount),
  ...wrong(publishFrame, "retry", [null, 0, "false"]),
  ...wrong(publishFrame, "type", [...noText, long(65)]),
  ...wrong(publishFrame, "timestamp", [undefined, "now", -1, 1.5]),
  ...wrong(signalFrame, "type", noText),
  ...wrong(signalFrame, "channel", [undefined, 1]),
  ...wrong(callFrame, "type", noText),
  ...wrong(callFrame, "channel", [null, 1, [], long(129)]),
  ...wrong(presenceFrame, "channel", noText),
  ...wrong({ op: "activity", activity: "active" }, "activity", [...noText, "", "ACTIVE", "away"]),
  ...wrong({ op: "refresh", correlationId: "c", token: "t" }, "token", [...noText, long(8_193)]),
];

function payloads(frame: Fields, expect: string, cases: Readonly<Record<string, readonly [payload: unknown, field: string]>>): BadMessage[] {
  return Object.entries(cases).map(([name, [payload, field]]) => ({
    name: `${String(frame["op"])}: ${name}`,
    stage: "subscribed",
    send: text(frame, { payload }),
    expect,
    field,
  }));
}

const againstTheSchema: BadMessage[] = [
  ...payloads(publishFrame, "PAYLOAD_INVALID", {
    "no payload": [undefined, "payload"],
    "null": [null, "payload"],
    "text for an object": ["Sun", "payload"],
    "a list for an object": [[], "payload"],
    "bytes for an object": [{ $bytes: "AAAA" }, "payload"],
    "a field that is missing": [{ id: "c1" }, "payload.title"],
    "a field of another kind": [{ id: "c1", title: 5 }, "payload.title"],
    "a title that is too long": [{ id: "c1", title: long(201) }, "payload.title"],
    "a fault deep inside": [{ id: "c1", title: "Sun", tags: ["a", { b: 1 }] }, "payload.tags.1"],
    "a key as long as the message": [{ id: "c1", title: "Sun", sizes: { [long(2_000)]: "x" } }, "payload.sizes."],
  }),
  ...payloads(signalFrame, "PAYLOAD_INVALID", { "no payload": [undefined, "payload"], "a coordinate as text": [{ x: "1", y: 2 }, "payload.x"] }),
  ...payloads(callFrame, "PAYLOAD_INVALID", { "no payload": [undefined, "payload"], "a number for text": [1, "payload"] }),
  {
    name: "presence: a member against the schema",
    stage: "subscribed",
    send: text(presenceFrame, { member: { name: 5 } }),
    expect: "PAYLOAD_INVALID",
    field: "member.name",
  },
];

const unknownTypes: BadMessage[] = [publishFrame, signalFrame, callFrame].flatMap((frame) =>
  ["concept:dance", "constructor", "toString", "", "ä", "a b"].map((type) => ({
    name: `${String(frame["op"])} of the type ${nameOf(type)}`,
    stage: "subscribed",
    send: text(frame, { type }),
    expect: "TYPE_UNKNOWN",
  })),
);

const ofAnother: BadMessage[] = [
  { name: "publish of a signal", stage: "subscribed", send: text(publishFrame, { type: "cursor:move" }), expect: "TYPE_UNKNOWN" },
  { name: "signal of an event", stage: "subscribed", send: text(signalFrame, { type: "concept:create" }), expect: "TYPE_UNKNOWN" },
  { name: "signal into a channel that it does not hear", stage: "greeted", send: text(signalFrame), expect: "NOT_SUBSCRIBED" },
  { name: "presence in a channel that it does not hear", stage: "greeted", send: text(presenceFrame), expect: "NOT_SUBSCRIBED" },
  { name: "publish with a count that jumps", stage: "subscribed", send: text(publishFrame, { n: 7 }), expect: "OUT_OF_ORDER" },
  { name: "publish with the count zero", stage: "subscribed", send: text(publishFrame, { n: 0 }), expect: "FRAME_INVALID", field: "n" },
  { name: "publish that is settled before it is sent", stage: "subscribed", send: text(publishFrame, { n: 2, settled: 9 }), expect: "FRAME_INVALID", field: "n" },
];

const fine: BadMessage[] = [
  { name: "a clock that is far ahead", stage: "subscribed", send: text(publishFrame, { timestamp: 2 ** 53 - 1 }), expect: "ok" },
  { name: "a field twice, of which the last counts", stage: "subscribed", send: text(publishFrame).replace('"n":1', '"n":-5,"n":1'), expect: "ok" },
  { name: "fields that nobody knows", stage: "subscribed", send: text(publishFrame, { toString: 1, constructor: {}, shiny: [[[]]] }), expect: "ok" },
  { name: "lone surrogates in a payload", stage: "subscribed", send: text(publishFrame, { payload: { id: "\ud800", title: "\udfff" } }), expect: "ok" },
  { name: "a title that looks like markup", stage: "subscribed", send: text(publishFrame, { payload: { id: "c", title: "<script>alert(1)</script>\r\n\0" } }), expect: "ok" },
];

export const badEnvelopes: readonly BadMessage[] = [...frames, ...againstTheSchema, ...unknownTypes, ...ofAnother, ...fine];
