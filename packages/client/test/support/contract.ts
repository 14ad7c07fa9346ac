import { channel, defineContract, TuttiError, type AnySchema } from "@tutti/protocol";

type Check<T> = (value: unknown) => value is T;

/** A schema that takes what `check` is true for. */
function schema<T>(check: Check<T>) {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value: unknown) => (check(value) ? { value } : { issues: [{ message: "is wrong", path: ["text"] }] }),
      types: undefined as { readonly input: T; readonly output: T } | undefined,
    },
  } as const satisfies AnySchema;
}

/** The same, but it takes its time: until `release` of the latest value is called. */
export function slowSchema<T>(check: Check<T>) {
  const waiting: (() => void)[] = [];
  const slow = {
    "~standard": {
      ...schema(check)["~standard"],
      validate: (value: unknown) =>
        new Promise<{ value: T } | { issues: { message: string }[] }>((resolve) => {
          waiting.push(() => resolve(check(value) ? { value } : { issues: [{ message: "is wrong" }] }));
        }),
    },
  } as const;
  return { schema: slow, release: () => waiting.splice(0).forEach((go) => go()) };
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
export const isNote = (value: unknown): value is { text: string } => isRecord(value) && typeof value["text"] === "string";
const isPoint = (value: unknown): value is { x: number } => isRecord(value) && typeof value["x"] === "number";
const isMood = (value: unknown): value is { mood: string } => isRecord(value) && typeof value["mood"] === "string";
const isList = (value: unknown): value is string[] => Array.isArray(value);

/** Notes on a board; a note that says "poison" makes the reducer throw. */
export const contract = defineContract({
  channels: {
    "board:{id}": channel({
      events: { "note:add": schema(isNote), "note:clear": schema(isRecord) },
      signals: { "cursor:move": schema(isPoint), "ping:loud": schema(isPoint) },
      calls: { "board:count": { input: schema(isPoint), output: schema(isPoint) } },
      presence: schema(isMood),
      state: {
        version: 2,
        initial: [] as readonly string[],
        reduce(notes, event) {
          if (event.type === "note:clear") return [];
          const { text } = event.payload;
          if (text === "poison") throw new TuttiError("BAD_NOTE");
          return [...notes, text];
        },
        migrate: (state) => (state as readonly string[]).map((text) => `old ${text}`),
      },
    }),
    "feed:{id}": channel({ events: { "item:add": schema(isNote) } }),
  },
  calls: { "board:list": { input: schema(isRecord), output: schema(isList) } },
});
