import { callFrame, helloFrame, presenceFrame, publishFrame, signalFrame, subscribeFrame } from "./bad-case.js";

type Json = Record<string, unknown>;

/** Numbers from 0 up to, not including, 1: the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const valid: readonly Json[] = [
  helloFrame,
  subscribeFrame,
  { ...subscribeFrame, since: { epoch: "e", seq: 3, eventId: "a:1" }, presence: true, member: { name: "Bad" } },
  { op: "unsubscribe", correlationId: "c", channel: "canvas:bad" },
  publishFrame,
  { ...publishFrame, retry: true },
  signalFrame,
  { op: "signal", channel: "canvas:bad", type: "typing", payload: true },
  callFrame,
  presenceFrame,
  { op: "presence", correlationId: "c", channel: "canvas:bad" },
  { op: "activity", activity: "idle" },
  { op: "refresh", correlationId: "c", token: "ada" },
  { op: "ping" },
];

/** Values that somebody's parser once fell over. `§…§` becomes the bare text, and `¤` nothing: no value would be written so. */
const strange: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.1,
  "§-0§",
  "§1e400§",
  "§-1e400§",
  "§9007199254740993§",
  "§123456789012345678901234567890§",
  "",
  " ",
  "constructor",
  "toString",
  "canvas:*",
  "canvas:other",
  "\0",
  "\ud800",
  "\u202e",
  "x".repeat(70),
  "x".repeat(9_000),
  [],
  {},
  [[[[[]]]]],
  { $bytes: "AAAA" },
  { $bytes: "?" },
  { $$bytes: "AAAA" },
  { toString: 1, valueOf: 2, constructor: 3 },
  { "¤__proto__": { polluted: true } },
  Array.from({ length: 40 }).reduce<unknown>((inside) => [inside], 1),
];

/** Makes one bad message after the other, the same ones for the same randomness. Some of them turn out to be fine. */
export class Mutations {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  next(): string | Uint8Array {
    const [first, second] = [this.#mutated(), this.#mutated()];
    const text = this.#random() < 0.1 ? `[${first},${second}]` : first;
    const kind = this.#random();
    if (kind < 0.7) return text;
    if (kind < 0.95) return this.#garbled(text);
    return new TextEncoder().encode(text);
  }

  /** A valid frame with one to three of its values changed. */
  #mutated(): string {
    const frame = structuredClone(this.#pick(valid));
    // Half of them change only what the application looks at, so that they get further than the envelope.
    const inside = frame["payload"] ?? frame["member"] ?? frame["since"];
    const target = typeof inside === "object" && inside !== null && this.#random() < 0.5 ? (inside as Json) : frame;
    for (let count = this.#below(3); count >= 0; count--) this.#change(target);
    return JSON.stringify(frame).replaceAll(/"§|§"|¤/g, "");
  }

  #change(target: Json): void {
    const keys = Object.keys(target);
    const key = this.#pick(keys);
    const inside = target[key];
    const kind = this.#random();
    if (kind < 0.3 && typeof inside === "object" && inside !== null) this.#change(inside as Json);
    else if (kind < 0.5) delete target[key];
    else if (kind < 0.6) target[this.#pick(["op", "shiny", "¤__proto__", "correlationId", "constructor"])] = structuredClone(this.#pick(strange));
    else if (kind < 0.7) target[key] = [inside];
    else if (kind < 0.8) target[key] = target[this.#pick(keys)];
    else target[key] = structuredClone(this.#pick(strange));
    if (Object.keys(target).length === 0) target["empty"] = true;
  }

  /** Text with a part missing, doubled, or of something else. */
  #garbled(text: string): string {
    const at = this.#below(text.length);
    const end = Math.min(text.length, at + 1 + this.#below(8));
    const kind = this.#random();
    if (kind < 0.3) return text.slice(0, at);
    if (kind < 0.5) return text.slice(0, at) + text.slice(end);
    if (kind < 0.7) return text.slice(0, end) + text.slice(at);
    return text.slice(0, at) + this.#pick(["{", "}", "[", "]", '"', ",", ":", "\\", "\0", "\ud800", "1e999", "null", "[".repeat(500)]) + text.slice(end);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }
}
