import { TuttiError } from "./errors.js";
import { DEPTH_MAX } from "./limits.js";

declare function btoa(binary: string): string;
declare function atob(base64: string): string;

/*
 * JSON has no bytes. A `Uint8Array` travels as `{"$bytes": "<base64>"}`; an object of the application that happens to have `$bytes`, or
 * `$$bytes` and so on, as its one key gets one more `$`, which is taken off again.
 */
const ESCAPED = /^\$+bytes$/;
const CHUNK = 0x8000;

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  // Function arguments are limited in number, so a large array goes in parts.
  for (let start = 0; start < bytes.length; start += CHUNK) binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
  return btoa(binary);
}

function fromBase64(base64: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(base64);
  } catch {
    return fromWire.refuse("$bytes");
  }
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

/** What the two ways of one walk differ in. */
interface Way {
  readonly refuse: (what: string) => never;
  /** What becomes of an object with this one key, which is {@link ESCAPED}. */
  readonly unwrap: (key: string, value: unknown) => unknown;
}

/** What no codec carries. */
export function refuseToSend(what: string): never {
  throw new TuttiError("PAYLOAD_INVALID", { message: `${what} cannot be sent`, field: "payload" });
}

const toWire: Way = {
  refuse: refuseToSend,
  unwrap: (key, value) => ({ [`$${key}`]: value }),
};

const fromWire: Way = {
  refuse(what) {
    throw new TuttiError("MESSAGE_MALFORMED", { message: `${what} cannot be read` });
  },
  unwrap(key, value) {
    if (key === "$bytes") return typeof value === "string" ? fromBase64(value) : { [key]: value };
    return { [key.slice(1)]: value };
  },
};

/**
 * The value with its bytes made JSON; the very same value where there are none.
 *
 * @throws TuttiError `PAYLOAD_INVALID` for what JSON cannot carry (a function, a class instance, `NaN`, …), `MESSAGE_TOO_DEEP`
 */
export function toJson(value: unknown, depthLeft: number): unknown {
  return convert(value, depthLeft, toWire);
}

/**
 * The value that {@link toJson} was given, from what `JSON.parse` made of it; the very same value where there are no bytes.
 *
 * @throws TuttiError `MESSAGE_TOO_DEEP`, or `MESSAGE_MALFORMED` for a number that is not finite (`1e400`) and a key `__proto__`
 */
export function fromJson(value: unknown, depthLeft: number): unknown {
  return convert(value, depthLeft, fromWire);
}

/**
 * Whether a payload can travel. Asked before an event is logged: what is in the log is encoded for everybody, and must not fail there.
 *
 * @throws TuttiError as {@link toJson}
 */
export function assertSendable(payload: unknown): void {
  toJson(payload, DEPTH_MAX - 1);
}

function convert(value: unknown, depthLeft: number, way: Way): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return value;
    case "number":
      return Number.isFinite(value) ? value : way.refuse(`${value}`);
    case "object":
      break;
    default:
      return way.refuse(`a ${typeof value}`);
  }
  if (value === null) return value;
  if (depthLeft === 0) throw new TuttiError("MESSAGE_TOO_DEEP");
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) };
  return Array.isArray(value) ? convertList(value, depthLeft - 1, way) : convertObject(value, depthLeft - 1, way);
}

function convertList(list: readonly unknown[], depthLeft: number, way: Way): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < list.length; index++) {
    const item = list[index];
    if (item === undefined) way.refuse("undefined");
    const converted = convert(item, depthLeft, way);
    if (converted !== item) (copy ??= list.slice())[index] = converted;
  }
  return copy ?? list;
}

/** Whether the prototype is the root of its chain, as in an object literal; one of another window or context counts too. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function convertObject(value: object, depthLeft: number, way: Way): unknown {
  // An inheritance need not end in Object, nor have a constructor.
  if (!isPlain(value)) way.refuse(`an instance of ${(value.constructor as { name?: string } | undefined)?.name}`);
  const fields = value as Readonly<Record<string, unknown>>;
  let copy: Record<string, unknown> | undefined;
  let present = 0;
  let last = "";
  for (const key of Object.keys(fields)) {
    if (key === "__proto__") way.refuse(key);
    const item = fields[key];
    // JSON leaves it out, so it does not count for what the object looks like on the wire.
    if (item === undefined) continue;
    present++;
    last = key;
    const converted = convert(item, depthLeft, way);
    if (converted !== item) (copy ??= { ...fields })[key] = converted;
  }
  const result = copy ?? fields;
  return present === 1 && ESCAPED.test(last) ? way.unwrap(last, result[last]) : result;
}
