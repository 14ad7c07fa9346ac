import { TuttiError } from "./errors.js";
import { limits } from "./limits.js";

declare function btoa(binary: string): string;
declare function atob(base64: string): string;

/*
 * JSON has no bytes. A `Uint8Array` travels as `{"$bytes": "<base64>"}`; an object of the application that happens to have `$bytes`, or
 * `$$bytes` and so on, as its one key gets one more `$`, which is taken off again.
 */
const ESCAPED = /^\$+bytes$/;
const CHUNK = 0x8000;

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  // Function arguments are limited in number, so a large array goes in parts.
  for (let start = 0; start < bytes.length; start += CHUNK) binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
  return btoa(binary);
}

function fromBase64(base64: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(base64);
  } catch (cause) {
    throw new TuttiError("MESSAGE_MALFORMED", { message: "$bytes is not base64", cause });
  }
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

function escapedKey([key, ...others]: readonly string[]): string | undefined {
  return key !== undefined && others.length === 0 && ESCAPED.test(key) ? key : undefined;
}

function refuse(message: string): never {
  throw new TuttiError("PAYLOAD_INVALID", { message, field: "payload" });
}

/**
 * The value with its bytes made JSON; the very same value where there are none.
 *
 * @throws TuttiError `PAYLOAD_INVALID` for what JSON cannot carry (a function, a class instance, `NaN`, …), `MESSAGE_TOO_DEEP`
 */
export function toJson(value: unknown, depthLeft: number): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return value;
    case "number":
      return Number.isFinite(value) ? value : refuse(`${value} cannot be sent`);
    case "object":
      break;
    default:
      return refuse(`a ${typeof value} cannot be sent`);
  }
  if (value === null) return value;
  if (depthLeft === 0) throw new TuttiError("MESSAGE_TOO_DEEP");
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) };
  return Array.isArray(value) ? listToJson(value, depthLeft) : objectToJson(value, depthLeft);
}

/**
 * Whether a payload can travel. Asked before an event is logged: what is in the log is encoded for everybody, and must not fail there.
 *
 * @throws TuttiError as {@link toJson}
 */
export function assertSendable(payload: unknown): void {
  toJson(payload, limits.depthMax - 1);
}

function listToJson(list: readonly unknown[], depthLeft: number): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < list.length; index++) {
    const item = list[index];
    if (item === undefined) refuse("an undefined item cannot be sent");
    const converted = toJson(item, depthLeft - 1);
    if (converted !== item) (copy ??= list.slice())[index] = converted;
  }
  return copy ?? list;
}

/** Whether the prototype is the root of its chain, as in an object literal; one of another window or context counts too. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function objectToJson(value: object, depthLeft: number): object {
  // An inheritance need not end in Object, nor have a constructor.
  if (!isPlain(value)) refuse(`a ${(value.constructor as { name?: string } | undefined)?.name ?? "nameless instance"} cannot be sent`);
  const keys: string[] = [];
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(value)) {
    if (key === "__proto__") refuse("the key __proto__ cannot be sent");
    const item = (value as Record<string, unknown>)[key];
    // JSON leaves it out, so it does not count for what the object looks like on the wire.
    if (item === undefined) continue;
    keys.push(key);
    const converted = toJson(item, depthLeft - 1);
    if (converted !== item) (copy ??= { ...value })[key] = converted;
  }
  const escaped = escapedKey(keys);
  return escaped === undefined ? (copy ?? value) : { [`$${escaped}`]: (copy ?? (value as Record<string, unknown>))[escaped] };
}

/**
 * The value that {@link toJson} was given, from what `JSON.parse` made of it; changed in place.
 *
 * @throws TuttiError `MESSAGE_TOO_DEEP`, or `MESSAGE_MALFORMED` for a number that is not finite (`1e400`) and a key `__proto__`
 */
export function fromJson(value: unknown, depthLeft: number): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) throw new TuttiError("MESSAGE_MALFORMED", { message: "a number is out of range" });
  if (typeof value !== "object" || value === null) return value;
  if (depthLeft === 0) throw new TuttiError("MESSAGE_TOO_DEEP");
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = fromJson(value[index], depthLeft - 1);
    return value;
  }
  return objectFromJson(value as Record<string, unknown>, depthLeft);
}

function objectFromJson(value: Record<string, unknown>, depthLeft: number): unknown {
  const keys = Object.keys(value);
  const escaped = escapedKey(keys);
  if (escaped === "$bytes" && typeof value["$bytes"] === "string") return fromBase64(value["$bytes"]);
  for (const key of keys) {
    if (key === "__proto__") throw new TuttiError("MESSAGE_MALFORMED", { message: "the key __proto__ is not allowed" });
    const item = value[key];
    if (typeof item === "object" || typeof item === "number") value[key] = fromJson(item, depthLeft - 1);
  }
  return escaped === undefined || escaped === "$bytes" ? value : { [escaped.slice(1)]: value[escaped] };
}
