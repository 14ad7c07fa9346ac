import { callFrame, nameOf, presenceFrame, publishFrame, signalFrame, subscribeFrame, text, type BadMessage } from "./bad-case.js";

const invalid = [
  "",
  ":",
  "::",
  "canvas",
  "canvas:",
  ":1",
  "canvas::a",
  "canvas:1:",
  "canvas:1:a:b",
  "canvas:1:a:b:c:d:e",
  " canvas:1",
  "canvas:1 ",
  "canvas: 1",
  "canvas:a b",
  "canvas:a\tb",
  "canvas:1\n",
  "canvas:1\r\nevil: yes",
  "canvas:\0",
  "canvas:a\0b",
  "canvas:\u007f",
  "canvas:\u0085",
  "canvas:\u00a0",
  "canvas:\u200b",
  "canvas:\u202e1",
  "canvas:\u2028",
  "canvas:\ufeff1",
  "canvas:\ufffd",
  "canvas:\ud800",
  "canvas:\udfff\ud800",
  "canvas:e\u0301",
  "canvas:\u1100\u1161",
  "canvas:*",
  "canvas:>",
  "canvas:?",
  "canvas:#",
  "canvas:$SYS",
  "canvas:a/b",
  "canvas:../../etc/passwd",
  String.raw`canvas:a\b`,
  "canvas:%2e%2e",
  "canvas:{id}",
  "canvas:[1]",
  "canvas:(1)",
  "canvas:<b>",
  "canvas:'1'",
  'canvas:"1"',
  "canvas:`1`",
  "canvas:1;2",
  "canvas:1,2",
  "canvas:1|2",
  "canvas:1&2",
  "canvas:🎨",
  "canvas\uff1a1",
];

/** Well-named, and no channel of the contract. */
const notFound = ["nowhere:1", "canvas:1:2", "Canvas:1", "canvas.1:x", "CANVAS:BAD", "constructor:1", "toString:valueOf", "__proto__:1", "lobby:other", "canvas:gone"];

const elsewhere = (expect: string, frames: readonly Readonly<Record<string, unknown>>[]): BadMessage[] =>
  frames.map((frame) => ({ name: `${String(frame["op"])} with a channel that is no name`, stage: "subscribed", send: text(frame, { channel: "canvas:*" }), expect }));

export const badChannelNames: readonly BadMessage[] = [
  ...invalid.map((channel): BadMessage => ({
    name: `the channel ${nameOf(channel)}`,
    stage: "greeted",
    send: text(subscribeFrame, { channel }),
    expect: "CHANNEL_INVALID",
    field: "channel",
  })),
  ...notFound.map((channel): BadMessage => ({ name: `the channel ${channel}`, stage: "greeted", send: text(subscribeFrame, { channel }), expect: "ROOM_NOT_FOUND" })),
  ...elsewhere("CHANNEL_INVALID", [publishFrame, callFrame]),
  // Nobody can be subscribed to it.
  ...elsewhere("NOT_SUBSCRIBED", [{ op: "unsubscribe", correlationId: "c" }, signalFrame, presenceFrame]),
];
