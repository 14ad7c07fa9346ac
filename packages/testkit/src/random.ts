/** Mixes a 32-bit number so that neighbouring inputs give unrelated outputs (the finaliser of MurmurHash3). */
function mix(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const ID_CHARACTERS = 22;
const SCALE = 2 ** -32;

/**
 * Random numbers from a seed (sfc32). Each concern draws from a stream of its own, so that one more draw in the network changes nothing in
 * what the clients choose to do: schedules stay comparable while the code changes.
 */
export class RandomStream {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, concern = "") {
    this.#a = mix(seed);
    this.#b = mix(hashOf(concern) ^ this.#a);
    this.#c = mix(Math.floor(seed / 0x100000000) ^ this.#b ^ 0x9e3779b9);
    for (let round = 0; round < 12; round++) this.bits();
  }

  /** 32 random bits, as a number from 0 to 2^32 − 1. */
  bits(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** A number from 0 up to, not including, 1. */
  next(): number {
    return this.bits() * SCALE;
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** A number from `low` up to, not including, `high`. */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of these; the list is not empty. */
  pick<T>(list: readonly [T, ...T[]] | readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  /** 22 characters of base64url, as {@link Environment.id} makes them. */
  id(): string {
    let id = "";
    while (id.length < ID_CHARACTERS) {
      // Five characters of six bits from each draw.
      for (let bits = this.bits(), left = Math.min(5, ID_CHARACTERS - id.length); left > 0; left--, bits >>>= 6) id += ALPHABET.charAt(bits & 63);
    }
    return id;
  }
}
