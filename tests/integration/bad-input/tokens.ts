import { helloFrame, nameOf, text, type BadMessage } from "./bad-case.js";

const hello = (expect: string, tokens: readonly unknown[]): BadMessage[] =>
  tokens.map((token) => ({ name: `the token ${nameOf(token)}`, stage: "opened", send: text(helloFrame, { token }), expect }));

const refresh = (expect: string, tokens: readonly unknown[]): BadMessage[] =>
  tokens.map((token) => ({ name: `refresh with ${nameOf(token)}`, stage: "greeted", send: text({ op: "refresh", correlationId: "c", token }), expect }));

const forged = [
  "",
  " ",
  "ADA",
  "ada ",
  "constructor",
  "toString",
  "hasOwnProperty",
  "__proto__",
  "undefined",
  "null",
  "\0",
  "ada\0",
  "\ud800",
  "e\u0301",
  "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.",
  "Bearer ada",
  "' OR 1=1 --",
  "../../etc/passwd",
  "x".repeat(8_192),
];

/** The tokens of a server whose `authenticate` knows `ada` and `bob`, and treats a few others as their names say. */
export const badTokens: readonly BadMessage[] = [
  ...hello("AUTHENTICATION_REQUIRED", [undefined]),
  ...hello("TOKEN_INVALID", forged),
  ...hello("TOKEN_EXPIRED", ["expired"]),
  // Nobody is let in on a guess, so these close although a request with the same code would not.
  ...hello("UNAVAILABLE", ["crashes", "rejects"]).map((message) => ({ ...message, closes: 1011 })),
  ...hello("CANVAS_LOCKED", ["locked"]).map((message) => ({ ...message, closes: 1011 })),
  ...hello("FRAME_INVALID", ["x".repeat(8_193), null, 1, {}]),
  ...refresh("TOKEN_INVALID", ["", "forged", "constructor"]),
  ...refresh("TOKEN_EXPIRED", ["expired"]),
  ...refresh("USER_CHANGED", ["bob"]),
  ...refresh("ok", ["ada"]),
];
