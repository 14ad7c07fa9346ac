import fc from "fast-check";
import { TuttiError } from "@tutti/protocol";

/** The code that `task` ends with. */
export function codeOf(task: () => unknown): string {
  try {
    task();
  } catch (error) {
    if (error instanceof TuttiError) return error.code;
    throw error;
  }
  return "no error";
}

/** So many lists around a leaf. */
export const nested = (depth: number, leaf: unknown = 1): unknown => (depth === 0 ? leaf : [nested(depth - 1, leaf)]);

/** Keys that a careless codec trips over. */
const key = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }).filter((text) => text !== "__proto__"),
  fc.constantFrom("$bytes", "$$bytes", "$$$bytes", "bytes", "$", "constructor", "toString", "valueOf", "toJSON", "hasOwnProperty", "length", "0", "", "op"),
);
const leaf = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme", maxLength: 300 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 40 }),
  fc.base64String(),
);

/** Anything that a payload may be. */
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 5 }, leaf, fc.array(tie("value"), { maxLength: 4 }), fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs))),
}));

export const anyFrames = fc.array(fc.record({ op: fc.string(), payload: anyValue }), { maxLength: 3 });

/** Anything that an application may try to send, also what no codec carries. */
export const anything = fc.oneof(anyValue, fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withNullPrototype: true, withSparseArray: true }));
