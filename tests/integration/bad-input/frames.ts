import { badSession, helloFrame, nameOf, publishFrame, subscribeFrame, text, type BadMessage } from "./bad-case.js";

const kibibyte = 1024;
const bytes = (...values: number[]) => Uint8Array.from(values);
const nest = (depth: number, open: string, leaf: string, close: string) => open.repeat(depth) + leaf + close.repeat(depth);

const after = (expect: string, messages: Readonly<Record<string, string | Uint8Array>>): BadMessage[] =>
  Object.entries(messages).map(([name, send]) => ({ name, stage: "greeted", send, expect }));

/** What is no JSON at all. */
const malformed = after("MESSAGE_MALFORMED", {
  "an empty message": "",
  "a space": " ",
  "a word": "hello",
  "an XML document": '<?xml version="1.0"?><op>ping</op>',
  "an HTTP request": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
  "the packet of another engine": '42["message","hi"]',
  "an object that is not closed": '{"op":"ping"',
  "an object that is closed twice": '{"op":"ping"}}',
  "a list that is not closed": '[{"op":"ping"}',
  "a key without quotes": '{op:"ping"}',
  "a key in single quotes": "{'op':'ping'}",
  "a comma too many": '{"op":"ping",}',
  "a comma too few": '{"op":"ping" "a":1}',
  "two objects": '{"op":"ping"}{"op":"ping"}',
  "two objects on two lines": '{"op":"ping"}\n{"op":"ping"}',
  "a comment": '{"op":"ping"} // please',
  "a byte order mark": '\ufeff{"op":"ping"}',
  "a null character after": '{"op":"ping"}\0',
  "a control character in text": '{"op":"pi\u0001ng"}',
  "an escape that is none": String.raw`{"op":"\x70ing"}`,
  "half an escape": String.raw`{"op":"\u00"}`,
  "text that is not closed": '{"op":"ping',
  "a number with a plus": '{"op":"ping","a":+1}',
  "a number with a leading zero": '{"op":"ping","a":01}',
  "a hexadecimal number": '{"op":"ping","a":0x10}',
  "NaN": '{"op":"ping","a":NaN}',
  "infinity": '{"op":"ping","a":-Infinity}',
  "undefined": "undefined",
  "a number over the range": '{"op":"ping","a":1e400}',
  "a number below the range, deep inside": '{"op":"ping","a":[{"b":-1e999}]}',
  "a bare number over the range": "1e400",
  "a key __proto__": '{"op":"ping","__proto__":{}}',
  "a key __proto__, deep inside": '{"op":"ping","a":[{"__proto__":null}]}',
  "a key __proto__ in escapes": String.raw`{"op":"ping","\u005f\u005fproto__":1}`,
  "a key __proto__ twice": '{"op":"ping","__proto__":1,"__proto__":2}',
  "a key __proto__ beside bytes": '{"op":"ping","a":{"$bytes":"AA==","__proto__":1}}',
  "bytes that are not base64": '{"op":"ping","a":{"$bytes":"?!"}}',
  "a binary message with JSON": new TextEncoder().encode('{"op":"ping"}'),
  "an empty binary message": bytes(),
  "a binary message of zeros": new Uint8Array(64),
  "a binary message that is MessagePack": bytes(0x81, 0xa2, 0x6f, 0x70, 0xa4, 0x70, 0x69, 0x6e, 0x67),
});

const tooDeep = after("MESSAGE_TOO_DEEP", {
  "a batch of a list 33 deep": nest(34, "[", "1", "]"),
  "an object 33 deep": nest(33, '{"a":', "1", "}"),
  "ten thousand brackets": nest(10_000, "[", "", "]"),
  "five thousand objects": nest(5_000, '{"a":', "1", "}"),
  "a payload that is too deep": text(publishFrame, { payload: JSON.parse(nest(32, "[", "1", "]")) as unknown }),
  "a payload that is too deep, in a batch": `[{"op":"ping"},${text(publishFrame, { payload: JSON.parse(nest(32, "[", "1", "]")) as unknown })}]`,
});

const tooLarge = after("MESSAGE_TOO_LARGE", {
  "one byte more than allowed": `{"op":"ping","a":"${"x".repeat(64 * kibibyte - 19)}"}`,
  "characters that take three bytes each": `{"op":"ping","a":"${"€".repeat(22 * kibibyte)}"}`,
  "a binary message": new Uint8Array(64 * kibibyte + 1),
  "half a megabyte of spaces": " ".repeat(512 * kibibyte),
});

const noFrames: BadMessage[] = [null, true, 1, "ping", [null], [[]], [[{ op: "ping" }]], {}, { op: null }, { op: 1 }, { op: ["ping"] }, { op: { op: "ping" } }].map((value) => ({
  name: `no frame: ${nameOf(value)}`,
  stage: "greeted",
  send: JSON.stringify(value),
  expect: "FRAME_INVALID",
  field: "op",
}));

const unknown: BadMessage[] = ["", "PING", "ping ", " ping", "dance", "welcome", "reply", "events", "pong", "constructor", "toString", "__proto__", "hasOwnProperty", "x".repeat(1_000)].map((op) => ({
  name: `an op that is none: ${nameOf(op)}`,
  stage: "greeted",
  send: JSON.stringify({ op, correlationId: "c" }),
  expect: "FRAME_UNKNOWN",
  field: "op",
}));

const beforeHello: BadMessage[] = [
  text(subscribeFrame),
  text(publishFrame),
  '{"op":"ping"}',
  '{"op":"activity","activity":"idle"}',
  `[{"op":"ping"},${text(helloFrame)}]`,
].map((send) => ({ name: `before the hello: ${send.slice(0, 30)}`, stage: "opened", send, expect: "HELLO_REQUIRED" }));

const fine = after("ok", {
  "an empty batch": "[]",
  "white space around": ' \r\n\t{"op":"ping"} \n',
  "a key twice, of which the last counts": '{"op":"dance","op":"ping"}',
  "escapes in an op": String.raw`{"op":"\u0070ing"}`,
  "fields that nobody knows": '{"op":"ping","shiny":{"a":[1,2,3]},"toString":1,"constructor":{"prototype":{"polluted":true}}}',
  "a list 31 deep in a field that nobody knows": `{"op":"ping","a":${nest(31, "[", "1", "]")}}`,
  "exactly as many bytes as allowed": `{"op":"ping","a":"${"x".repeat(64 * kibibyte - 20)}"}`,
  "a number that JavaScript cannot hold exactly": '{"op":"ping","a":9007199254740993}',
  "a very small number": '{"op":"ping","a":1e-400}',
  "lone surrogates": String.raw`{"op":"ping","a":"\ud800"}`,
});

const versions: BadMessage[] = [[], [0], [2], [99, 98], [9_007_199_254_740_991]].map((list) => ({
  name: `versions that nobody speaks: ${nameOf(list)}`,
  stage: "opened",
  send: JSON.stringify({ op: "hello", versions: list, session: badSession }),
  expect: "VERSION_UNSUPPORTED",
}));

export const badFrames: readonly BadMessage[] = [...malformed, ...tooDeep, ...tooLarge, ...noFrames, ...unknown, ...beforeHello, ...fine, ...versions];
