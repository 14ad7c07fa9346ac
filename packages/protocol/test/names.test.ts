import fc from "fast-check";
import { assertChannelName, channelName, formatPosition, isChannelName, isTypeName, namespaceOf, parsePosition, samePosition, TuttiError } from "@tutti/protocol";
import { describe, expect, it } from "vitest";

describe("the name of a channel", () => {
  it.each([
    "canvas:1",
    "canvas:7f:chat",
    "user:ada@example.org",
    "tenant:a_b-c.d~e=f+g",
    "Leinwand:Größe",
    "キャンバス:一",
    "n:٣",
    "a:..",
    "constructor:toString",
    `a:${"x".repeat(126)}`,
  ])("WIRE-7: %s is one", (name) => {
    expect(isChannelName(name)).toBe(true);
    expect(() => assertChannelName(name)).not.toThrow();
  });

  it.each([
    ["no text", ""],
    ["one segment", "canvas"],
    ["four segments", "canvas:1:a:b"],
    ["an empty segment", "canvas:"],
    ["an empty namespace", ":1"],
    ["an empty segment between", "canvas::a"],
    ["too many characters", `a:${"x".repeat(127)}`],
    ["a space", "canvas:a b"],
    ["a slash", "canvas:a/b"],
    ["a backslash", "canvas:a\\b"],
    ["a wildcard", "canvas:*"],
    ["another wildcard", "canvas:>"],
    ["braces", "canvas:{id}"],
    ["a percent sign", "canvas:%2F"],
    ["a hash", "canvas:#1"],
    ["a question mark", "canvas:1?"],
    ["a newline at the end", "canvas:1\n"],
    ["a carriage return", "canvas:1\r"],
    ["a null character", "canvas:\0"],
    ["a tab", "canvas:\t"],
    ["a letter and its accent apart, which is not NFC", "canvas:e\u0301"],
    ["a lone surrogate", "canvas:\ud800"],
    ["a zero-width space", "canvas:a\u200bb"],
    ["a right-to-left override", "canvas:a\u202eb"],
    ["an emoji", "canvas:🎨"],
    ["a full-width colon", "canvas\uff1a1"],
  ])("WIRE-7: %s makes it CHANNEL_INVALID", (_title, name) => {
    expect(isChannelName(name)).toBe(false);
    expect(() => assertChannelName(name)).toThrow(expect.objectContaining({ code: "CHANNEL_INVALID", field: "channel" }));
  });

  it("WIRE-7: its first segment is the namespace", () => {
    expect(namespaceOf("canvas:7f:chat")).toBe("canvas");
  });

  it("WIRE-7: any text is a name or refused", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        const expected = text.length <= 128 && text.normalize("NFC") === text && /^[^:]+(:[^:]+){1,2}$/.test(text) && !/[^\p{L}\p{N}_.~@=+:-]/u.test(text);
        expect(isChannelName(text)).toBe(expected);
      }),
    );
  });
});

describe("a channel's name from its pattern", () => {
  it("WIRE-7: the parameters are filled in", () => {
    expect(channelName("canvas:{id}", { id: "7f" })).toBe("canvas:7f");
    expect(channelName("canvas:{id}:{part}", { id: "7f", part: "chat" })).toBe("canvas:7f:chat");
    expect(channelName("lobby:all", {})).toBe("lobby:all");
  });

  it.each(["", "1:2", "a b", "*", "\ud800", "x".repeat(200)])("WIRE-7: the parameter %j is CHANNEL_INVALID", (id) => {
    expect(() => channelName("canvas:{id}", { id })).toThrow(expect.objectContaining({ code: "CHANNEL_INVALID" }));
  });

  it("WIRE-7: a parameter that is missing, or makes no name, is CHANNEL_INVALID; a number is as good as its digits", () => {
    const untyped: (pattern: string, params: object) => string = channelName;
    for (const params of [{}, { id: undefined }, { id: null }, { id: {} }, { id: "1:2" }, { id: () => 1 }]) {
      expect(() => untyped("canvas:{id}", params)).toThrow(expect.objectContaining({ code: "CHANNEL_INVALID", field: "channel" }));
    }
    expect(untyped("canvas:{id}", { id: 7 })).toBe("canvas:7");
    expect(() => untyped("canvas:{toString}", {})).toThrow(TuttiError);
  });
});

describe("the type of a message", () => {
  it.each(["concept:update", "v1:item.updated", "a", "typing", "A_b-c.d:e", "x".repeat(64), "constructor"])("WIRE-8: %s is one", (type) => {
    expect(isTypeName(type)).toBe(true);
  });

  it.each(["", " ", "a b", "a/b", "ä", "a\n", "\na", "x".repeat(65), "concept/update", "*", "a\0", "🎨"])("WIRE-8: %j is none", (type) => {
    expect(isTypeName(type)).toBe(false);
  });
});

describe("a position", () => {
  const position = fc.record({ epoch: fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/), seq: fc.maxSafeInteger().map(Math.abs) });

  it("reads as it was written, also with an epoch that has hyphens", () => {
    fc.assert(
      fc.property(position, (value) => {
        expect(parsePosition(formatPosition(value))).toEqual(value);
      }),
    );
    expect(parsePosition("a-1-2")).toEqual({ epoch: "a-1", seq: 2 });
  });

  it.each(["", "-", "e", "e-", "-1", "e--1x", "e-01", "e-1.5", "e-1e3", "e- 1", "e-1\n", "e-+1", "e-9007199254740992", "e-99999999999999999", "é-1", `${"e".repeat(33)}-1`])(
    "%j is none",
    (text) => {
      expect(parsePosition(text)).toBeUndefined();
    },
  );

  it("is another in another epoch or place", () => {
    expect(samePosition({ epoch: "e", seq: 1 }, { epoch: "e", seq: 1 })).toBe(true);
    expect(samePosition({ epoch: "e", seq: 1 }, { epoch: "e", seq: 2 })).toBe(false);
    expect(samePosition({ epoch: "e", seq: 1 }, { epoch: "f", seq: 1 })).toBe(false);
  });
});
