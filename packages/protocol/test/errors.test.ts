import { closeCodeOf, codeOfClose, errorEntry, errorPolicies, errorRegistry, isFinal, remedies, TuttiError, wireErrorOf, type ErrorCode } from "@tutti/protocol";
import { describe, expect, it } from "vitest";

const codes = Object.keys(errorRegistry) as ErrorCode[];
/** Without the one that a client follows without knowing it. */
const listed = codes.filter((code) => code !== "SESSION_MOVED");

describe("the registry of errors", () => {
  it.each(codes)("ERR-1: %s has a category, a retry and a remedy that is a sentence", (code) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(errorEntry(code).category).toMatch(/^[a-z-]+$/);
    expect(errorEntry(code).retry).toMatch(/^(never|reconnect|refresh|backoff|resend|once)$/);
    expect(remedies[code]).toMatch(/^[A-Z].*\.$/);
  });

  it("ERR-1: it says of retries and close codes what a client goes by", () => {
    for (const code of listed) expect(errorEntry(code)).toMatchObject({ retry: "never", ...(errorPolicies as Partial<Record<ErrorCode, object>>)[code] });
    expect(codes).toEqual(expect.arrayContaining(Object.keys(errorPolicies)));
  });

  it("ERR-1: there are no remedies for codes that do not exist", () => {
    expect(Object.keys(remedies).toSorted()).toEqual(codes.toSorted());
  });

  it("ERR-1: a close code belongs to one code, and leads back to it", () => {
    for (const code of listed) {
      const { closeCode } = errorEntry(code);
      if (closeCode === undefined) continue;
      expect(codeOfClose(closeCode)).toBe(code);
      // Browsers and `ws` let an application use 4000 to 4999 alone; 1009 is the standard's own for a message that is too big.
      expect(closeCode === 1009 || (closeCode >= 4000 && closeCode <= 4999)).toBe(true);
    }
  });

  it("ERR-1: the close code of SESSION_MOVED is nobody else's, and a client that does not know it does what the registry says", () => {
    const { closeCode = 0, retry } = errorEntry("SESSION_MOVED");
    expect(codes.filter((code) => errorEntry(code).closeCode === closeCode)).toEqual(["SESSION_MOVED"]);
    expect(errorEntry(codeOfClose(closeCode)).retry).toBe(retry);
  });

  it("ERR-1: a range of close codes has one category", () => {
    const categories = new Map<number, string>();
    for (const code of codes) {
      const { closeCode, category } = errorEntry(code);
      if (closeCode === undefined || closeCode === 1009) continue;
      const range = Math.floor(closeCode / 100);
      expect(categories.get(range) ?? category).toBe(category);
      categories.set(range, category);
    }
  });

  it.each([1000, 1001, 1006, 3000, 4999, 0])("ERR-1: the close code %i, which is nobody's, is CONNECTION_LOST", (closeCode) => {
    expect(codeOfClose(closeCode)).toBe("CONNECTION_LOST");
  });

  it.each(["CANVAS_LOCKED", "constructor", "__proto__", ""])("ERR-1: the code %j is the application's own, and is not retried", (code) => {
    expect(errorEntry(code)).toEqual({ category: "application", retry: "never" });
    expect(isFinal(code)).toBe(true);
    expect(closeCodeOf(code)).toBeUndefined();
  });

  it("ERR-1: a publish is settled by a code that is not retried by the client itself", () => {
    expect(codes.filter((code) => !isFinal(code)).toSorted()).toEqual(
      [
        "CONNECTION_LOST",
        "CONNECT_TIMEOUT",
        "HEARTBEAT_TIMEOUT",
        "HELLO_TIMEOUT",
        "OUT_OF_ORDER",
        "RATE_LIMITED",
        "SERVER_DRAINING",
        "SLOW_CONSUMER",
        "TOKEN_EXPIRED",
        "UNAVAILABLE",
      ].toSorted(),
    );
  });
});

describe("a TuttiError", () => {
  it("ERR-1: arrives as it was sent, without stack and cause", () => {
    const sent = new TuttiError("CANVAS_LOCKED", { message: "Ada is presenting.", field: "payload.id", retryAfterMs: 5, data: { by: "ada" }, cause: new Error("secret") });
    expect(JSON.stringify(wireErrorOf(sent))).not.toMatch(/secret|errors\.test/);
    const arrived = TuttiError.fromWire(wireErrorOf(sent));
    expect(arrived).toMatchObject({ code: "CANVAS_LOCKED", message: "Ada is presenting.", field: "payload.id", retryAfterMs: 5, data: { by: "ada" }, retry: "never" });
    expect(arrived.cause).toBeUndefined();
  });

  it("ERR-1: says its code where it has no message, and keeps its cause at home", () => {
    const cause = new Error("disk full");
    const error = new TuttiError("UNAVAILABLE", { cause });
    expect(error.message).toBe("UNAVAILABLE");
    expect(error.cause).toBe(cause);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "TuttiError", retry: "backoff" });
    expect(Object.keys(wireErrorOf(error))).toEqual(["code", "message"]);
  });
});
