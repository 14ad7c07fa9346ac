import type { BadHandshake } from "./bad-case.js";

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const proper: Headers = {
  Host: "tutti.test",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Protocol": "tutti.1.json",
};

/** A request with some headers replaced, repeated or, by `undefined`, left out. */
function request(changes: Headers = {}, line = "GET /v1/connect HTTP/1.1"): string {
  const lines = Object.entries({ ...proper, ...changes }).flatMap(([name, value]) => [value ?? []].flat().map((each) => `${name}: ${each}`));
  return `${[line, ...lines].join("\r\n")}\r\n\r\n`;
}

const origins: readonly BadHandshake[] = [
  { name: "no origin, as of a program", send: request(), expect: 101 },
  { name: "the origin of the same host", send: request({ Origin: "https://tutti.test" }), expect: 101 },
  ...[
    "https://evil.test",
    "http://tutti.test.evil.test",
    "https://eviltutti.test",
    "https://tutti.test:8443",
    "https://tutti.test/",
    "https://tutti.test@evil.test",
    "HTTPS://TUTTI.TEST",
    "ftp://tutti.test",
    "file://",
    "null",
    "",
    "*",
    "tutti.test",
    "https://tutti.test, https://evil.test",
    "x".repeat(4_000),
  ].map((origin): BadHandshake => ({ name: `the origin ${origin.slice(0, 40)}`, send: request({ Origin: origin }), expect: 403 })),
];

const subprotocols: readonly BadHandshake[] = [
  { name: "ours among others", send: request({ "Sec-WebSocket-Protocol": "chat, tutti.1.json ,tutti.2.json" }), expect: 101 },
  ...[undefined, "", "tutti", "tutti.1", "TUTTI.1.JSON", "graphql-ws", ",", "__proto__", "x".repeat(4_000)].map((offered): BadHandshake => ({
    name: `the subprotocol ${offered?.slice(0, 40) ?? "missing"}`,
    send: request({ "Sec-WebSocket-Protocol": offered }),
    expect: 400,
  })),
  // Let in, to be told in a way that a page hears.
  { name: "a version that is not there", send: request({ "Sec-WebSocket-Protocol": "tutti.2.json" }), expect: 101 },
  { name: "a codec that is not there", send: request({ "Sec-WebSocket-Protocol": "tutti.1.json5" }), expect: 101 },
  { name: "ours twice", send: request({ "Sec-WebSocket-Protocol": "tutti.1.json, tutti.1.json" }), expect: 400 },
];

const keys: readonly BadHandshake[] = [undefined, "", "short", "dGhlIHNhbXBsZSBub25jZQ", "!!!!!!!!!!!!!!!!!!!!!!==", "x".repeat(2_000)].map((key) => ({
  name: `the key ${key?.slice(0, 40) ?? "missing"}`,
  send: request({ "Sec-WebSocket-Key": key }),
  expect: 400,
}));

const versions: readonly BadHandshake[] = [undefined, "", "12", "14", "-13", "99999999999999999999"].map((version) => ({
  name: `the version ${version ?? "missing"}`,
  send: request({ "Sec-WebSocket-Version": version }),
  expect: 400,
}));

const paths: readonly BadHandshake[] = [
  { name: "a query", send: request({}, "GET /v1/connect?token=x HTTP/1.1"), expect: 101 },
  ...["/", "/v1", "/v1/connect/", "/v1/connect/../connect", "/V1/CONNECT", "//v1/connect", "/v1/connect%00", "/v1%2Fconnect", "*", "/__proto__", `/${"x".repeat(8_000)}`].map(
    (path): BadHandshake => ({ name: `the path ${path.slice(0, 40)}`, send: request({}, `GET ${path} HTTP/1.1`), expect: 404 }),
  ),
];

const requests: readonly BadHandshake[] = [
  { name: "another method", send: request({ "Content-Length": "0" }, "POST /v1/connect HTTP/1.1"), expect: 405 },
  { name: "a method that is none", send: request({}, "DANCE /v1/connect HTTP/1.1"), expect: 400 },
  { name: "a method in small letters", send: request({}, "get /v1/connect HTTP/1.1"), expect: 400 },
  { name: "a version of HTTP that is none", send: request({}, "GET /v1/connect HTTP/9.9"), expect: 400 },
  { name: "the preface of HTTP/2", send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", expect: 400 },
  { name: "the hello of TLS", send: "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003", expect: 400 },
  { name: "an upgrade to something else", send: request({ Upgrade: "h2c" }), expect: 400 },
  { name: "a request that asks for no upgrade", send: request({ Upgrade: undefined, Connection: "close" }), expect: 404 },
  { name: "a header without a colon", send: request().replace("Upgrade: websocket", "Upgrade websocket"), expect: 400 },
  { name: "a header with a space before the colon", send: request().replace("Upgrade:", "Upgrade :"), expect: 400 },
  { name: "a header with a null character", send: request({ Origin: "https://tutti.test\0" }), expect: 400 },
  { name: "a header that is folded", send: request().replace("Upgrade: websocket", "Upgrade:\r\n websocket"), expect: 400 },
  { name: "headers that are too long", send: request({ "X-Long": "x".repeat(20_000) }), expect: 431 },
  { name: "headers that are too many", send: request({ "X-Many": Array.from({ length: 5_000 }, () => "1234567890") }), expect: 431 },
  { name: "two lengths", send: request({ "Content-Length": ["5", "6"] }), expect: 400 },
  { name: "a length and chunks", send: request({ "Content-Length": "5", "Transfer-Encoding": "chunked" }), expect: 400 },
  { name: "a length below zero", send: request({ "Content-Length": "-1" }), expect: 400 },
  { name: "a broken WebSocket frame in place of a request", send: "\u0081\u00ff\u00ff", expect: 400 },
];

export const badHandshakes: readonly BadHandshake[] = [...origins, ...subprotocols, ...keys, ...versions, ...paths, ...requests];
