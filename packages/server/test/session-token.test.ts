import { TuttiError } from "@tutti/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SessionTokens } from "../src/sessions/session-token.js";
import { ManualEnvironment } from "./support/manual-environment.js";

const [first, second] = ["the first key, of more than 32 bytes", "the second key, of more than 32 bytes"];
const place = { session: "s".repeat(22), ordinal: 7 };

/** The tokens of some nodes. */
function nodes() {
  const environment = new ManualEnvironment();
  const tokens = (node: string, ...keys: readonly (string | Uint8Array)[]): SessionTokens => new SessionTokens({ node, environment, keys });
  return { tokens };
}

/** The code that a token is refused with; `undefined` where it is good. */
function codeOf(tokens: SessionTokens, token: string): string | undefined {
  try {
    tokens.verify(token);
    return undefined;
  } catch (error) {
    if (error instanceof TuttiError) return error.code;
    throw error;
  }
}

describe("a session token", () => {
  it("SES-6 names the session, the node and the connection, to any node that has the key", () => {
    const { tokens } = nodes();
    const token = tokens("node-a", first).issue(place);
    expect(tokens("node-b", first).verify(token)).toEqual({ ...place, node: "node-a" });
    // It travels in a header or a query.
    expect(token).toMatch(/^[\w-]+\.[\w-]{43}$/);
  });

  it("SES-6 is signed with the first key and good under any, so that keys can be changed one node after the other", () => {
    const { tokens } = nodes();
    const [old, both, changed, done] = [tokens("a", first), tokens("b", first, second), tokens("c", second, first), tokens("d", second)];
    for (const [issuer, verifier] of [[old, both], [both, old], [changed, both], [both, changed], [done, changed], [changed, done]] as const) {
      expect(codeOf(verifier, issuer.issue(place))).toBeUndefined();
    }
    expect(codeOf(done, old.issue(place))).toBe("SESSION_MOVED");
    expect(codeOf(old, changed.issue(place))).toBe("SESSION_MOVED");
  });

  it("SES-6 may be signed with bytes as with text", () => {
    const { tokens } = nodes();
    const bytes = new TextEncoder().encode(first);
    expect(codeOf(tokens("b", bytes), tokens("a", first).issue(place))).toBeUndefined();
  });

  it("SES-6 is refused with one character of it changed, added or left out", () => {
    const { tokens } = nodes();
    const a = tokens("a", first);
    const token = a.issue(place);
    const spot = fc.nat({ max: token.length });
    fc.assert(
      fc.property(spot, fc.constantFrom(..."ABCDabcd0123-_.= é".split("")), fc.constantFrom("change", "add", "leave out"), (at, character, how) => {
        const changed = token.slice(0, at) + (how === "leave out" ? "" : character) + token.slice(how === "add" ? at : at + 1);
        expect(codeOf(a, changed)).toBe(changed === token ? undefined : "SESSION_MOVED");
      }),
    );
  });

  it("SES-6 is refused where it is none", () => {
    const a = nodes().tokens("a", first);
    const nearly = fc.stringMatching(/^[\w-]{0,80}(\.[\w-]{0,44}){0,3}$/);
    fc.assert(fc.property(fc.oneof(fc.string(), nearly), (token) => codeOf(a, token) === "SESSION_MOVED"));
    expect(codeOf(a, `${"a".repeat(100_000)}.${"b".repeat(43)}`)).toBe("SESSION_MOVED");
  });

  it("SES-6 is refused where a key signed something else: a token of another shape, or for another purpose", async () => {
    const { createHmac } = await import("node:crypto");
    const a = nodes().tokens("a", first);
    const said = Buffer.from(JSON.stringify({ session: "s", node: "a" })).toString("base64url");
    const signed = (purpose: string, what: string): string => `${what}.${createHmac("sha256", first).update(purpose).update(what).digest("base64url")}`;
    expect(codeOf(a, signed("tutti session 1\0", said))).toBe("SESSION_MOVED");
    expect(codeOf(a, signed("tutti session 1\0", "bm8ganNvbg"))).toBe("SESSION_MOVED");
    const whole = Buffer.from(JSON.stringify({ ...place, node: "a" })).toString("base64url");
    expect(codeOf(a, signed("tutti session 1\0", whole))).toBeUndefined();
    expect(codeOf(a, signed("", whole))).toBe("SESSION_MOVED");
    expect(codeOf(a, `${signed("tutti session 1\0", whole)}.more`)).toBe("SESSION_MOVED");
    const long = Buffer.from(JSON.stringify({ ...place, node: "a", more: "x".repeat(512) })).toString("base64url");
    expect(codeOf(a, signed("tutti session 1\0", long))).toBe("SESSION_MOVED");
  });

  it.each([[[]], [["short"]], [[first, new Uint8Array(31)]]])("SES-6 is not signed with keys that may be guessed: %j", (keys) => {
    expect(() => nodes().tokens("a", ...keys)).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID", field: "sessionKeys" }));
  });
});
