import type { StandardSchemaV1 } from "@standard-schema/spec";
import { channel, defineContract, TuttiError, validate, type ContractDefinition } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { z } from "zod";

const text = z.string();
const note = channel({ events: { "note:add": text } });

const refusal = (definition: ContractDefinition): string => {
  try {
    defineContract(definition);
  } catch (error) {
    if (error instanceof TuttiError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "accepted";
};

describe("the pattern of a channel", () => {
  const events = { "note:add": text };
  const canvas = channel({ events });
  const chat = channel({ events });
  const lobby = channel({ events });
  const any = channel({ events });
  const main = channel({ events });
  const contract = defineContract({
    channels: { "canvas:{id}:{part}": any, "canvas:{id}": canvas, "canvas:{id}:chat": chat, "lobby:all": lobby, "canvas:main:{part}": main },
  });

  it.each([
    ["canvas:7f", "canvas:{id}", { id: "7f" }, canvas],
    ["lobby:all", "lobby:all", {}, lobby],
    ["canvas:7f:notes", "canvas:{id}:{part}", { id: "7f", part: "notes" }, any],
    ["canvas:7f:chat", "canvas:{id}:chat", { id: "7f" }, chat],
    ["canvas:main:notes", "canvas:main:{part}", { part: "notes" }, main],
    ["canvas:main:chat", "canvas:main:{part}", { part: "chat" }, main],
    ["canvas:constructor", "canvas:{id}", { id: "constructor" }, canvas],
  ] as const)("CTR-1: %s belongs to %s", (name, pattern, params, definition) => {
    expect(contract.match(name)).toEqual({ pattern, params, definition });
    expect(contract.match(name)?.definition).toBe(definition);
  });

  it.each(["lobby:other", "lobby", "canvas", "canvas:1:2:3", "Canvas:1", "", "toString:1", "__proto__:1"])("CTR-1: %j belongs to none", (name) => {
    expect(contract.match(name)).toBeUndefined();
  });
});

describe("a contract with a mistake", () => {
  it.each([
    ["a pattern of one segment", { channels: { canvas: note } }],
    ["a pattern of four segments", { channels: { "a:b:c:d": note } }],
    ["a pattern with an empty segment", { channels: { "canvas:": note } }],
    ["a namespace that is a parameter", { channels: { "{kind}:{id}": note } }],
    ["a parameter twice", { channels: { "a:{id}:{id}": note } }],
    ["a parameter without a name", { channels: { "a:{}": note } }],
    ["a parameter with a name that is none", { channels: { "a:{1}": note } }],
    ["a parameter that is part of a segment", { channels: { "a:x{id}": note } }],
    ["a parameter that is not closed", { channels: { "a:{id": note } }],
    ["a wildcard", { channels: { "a:*": note } }],
    ["two patterns for the same names", { channels: { "a:{id}": note, "a:{name}": note } }],
    ["an event that has no name", { channels: { "a:{id}": channel({ events: { "": text } }) } }],
    ["an event with a space", { channels: { "a:{id}": channel({ events: { "note add": text } }) } }],
    ["a signal with a slash", { channels: { "a:{id}": channel({ signals: { "cursor/move": text } }) } }],
    ["a call with a name that is too long", { channels: { "a:{id}": channel({ calls: { ["x".repeat(65)]: { input: text, output: text } } }) } }],
    ["a call of no channel with an umlaut", { channels: {}, calls: { ändern: { input: text, output: text } } }],
    ["an event and a signal of one name", { channels: { "a:{id}": channel({ events: { move: text }, signals: { move: text } }) } }],
    ["an event with the name of a notice", { channels: { "a:{id}": channel({ events: { "presence:join": text } }) } }],
    ["a signal with the name that typing uses", { channels: { "a:{id}": channel({ signals: { typing: text } }) } }],
  ] satisfies readonly (readonly [string, ContractDefinition])[])("CTR-5: %s is refused", (_title, definition) => {
    expect(refusal(definition)).toMatch(/^CONTRACT_INVALID: ./);
  });

  it("CTR-5: the message names what is wrong", () => {
    expect(refusal({ channels: { "a:{id}": note, "a:{name}": note } })).toContain('"a:{name}" and "a:{id}"');
    expect(refusal({ channels: { "a:{id}": channel({ events: { "note add": text } }) } })).toContain('a:{id}: "note add"');
  });

  it("CTR-5: names of one segment may be of another kind at another place, and versions of a type stand side by side", () => {
    const versions = channel({ events: { "v1:item.updated": text, "v2:item.updated": text }, calls: { "note:add": { input: text, output: text } } });
    expect(refusal({ channels: { "a:{id}": versions, "a:{id}:{part}": note, "a:{id}:chat": note, "b:{id}": note } })).toBe("accepted");
    expect(refusal({ channels: {} })).toBe("accepted");
  });
});

/** What a library of our own would make: a schema that implements the standard with no more than it asks for. */
function handMade<Input, Output>(read: (value: unknown) => StandardSchemaV1.Result<Output>): StandardSchemaV1<Input, Output> {
  return { "~standard": { version: 1, vendor: "hand-made", validate: read } };
}

const celsius = handMade<string, number>((value) => {
  const degrees = typeof value === "string" ? Number(value) : Number.NaN;
  return Number.isFinite(degrees) ? { value: degrees } : { issues: [{ message: "not a number of degrees" }] };
});

const fieldOf = async (schema: StandardSchemaV1, value: unknown, root?: string): Promise<string> => {
  try {
    await validate(schema, value, root);
  } catch (error) {
    if (error instanceof TuttiError) return `${error.code} ${error.field}`;
    throw error;
  }
  return "valid";
};

describe("a payload and its schema", () => {
  const concept = z.object({ title: z.string().trim().min(1), tags: z.array(z.object({ name: z.string() })).default([]) });

  it("CTR-2: what comes out is the output of the schema, not its input", () => {
    expect(validate(concept, { title: "  Sun ", moon: 1 })).toEqual({ title: "Sun", tags: [] });
    expect(validate(celsius, "21.5")).toBe(21.5);
  });

  it("CTR-2: the other end takes what this end has made, and leaves it as it is", () => {
    const once = validate(concept, { title: "  Sun " });
    expect(validate(concept, once)).toEqual(once);
    expect(() => validate(celsius, validate(celsius, "21.5"))).toThrow(expect.objectContaining({ code: "PAYLOAD_INVALID" }));
  });

  it("CTR-2: a schema may take its time", async () => {
    const known = z.string().refine((name) => Promise.resolve(name === "ada"), "unknown");
    await expect(validate(known, "ada")).resolves.toBe("ada");
    await expect(fieldOf(known, "bob")).resolves.toBe("PAYLOAD_INVALID payload");
  });

  it.each([
    [{ title: "" }, "payload.title"],
    [{}, "payload.title"],
    [{ title: 5 }, "payload.title"],
    [{ title: "Sun", tags: [{ name: "a" }, {}] }, "payload.tags.1.name"],
    ["Sun", "payload"],
    [null, "payload"],
    [undefined, "payload"],
  ])("CTR-3: %j is PAYLOAD_INVALID at %s", async (value, field) => {
    await expect(fieldOf(concept, value)).resolves.toBe(`PAYLOAD_INVALID ${field}`);
  });

  it("CTR-3: the field starts with what was looked at", async () => {
    await expect(fieldOf(concept, { title: "" }, "member")).resolves.toBe("PAYLOAD_INVALID member.title");
  });

  it("CTR-3: paths of every form that the standard allows are named", async () => {
    const withPath = (path: readonly (PropertyKey | StandardSchemaV1.PathSegment)[]) => handMade(() => ({ issues: [{ message: "no", path }] }));
    await expect(fieldOf(withPath(["a", 0, { key: "b" }]), 1)).resolves.toBe("PAYLOAD_INVALID payload.a.0.b");
    await expect(fieldOf(withPath([]), 1)).resolves.toBe("PAYLOAD_INVALID payload");
    await expect(fieldOf(handMade(() => ({ issues: [] })), 1)).resolves.toBe("PAYLOAD_INVALID payload");
  });
});
