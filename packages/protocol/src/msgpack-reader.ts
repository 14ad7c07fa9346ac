import { TuttiError } from "./errors.js";

declare class TextDecoder {
  constructor(encoding: "utf-8", options: { readonly fatal: boolean; readonly ignoreBOM: boolean });
  decode(bytes: Uint8Array): string;
}

/** `ignoreBOM` leaves a byte order mark where it is. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Up to here text is made of its characters one by one, which is faster than to call the decoder. */
const SHORT = 24;
const TWO_32 = 2 ** 32;

function refuse(what: string): never {
  throw new TuttiError("MESSAGE_MALFORMED", { message: `${what} cannot be read` });
}

/**
 * Reads one message that anybody may have written, in one pass. It makes room for nothing that it has not seen the bytes of, so that a length that
 * is only claimed takes no memory. What JSON has no value for (extensions, keys that are no text, whole numbers beyond 2^53) is refused.
 */
export class MsgpackReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(message: Uint8Array | ArrayBuffer) {
    // A view of its own: parts of a Node buffer would be buffers again.
    this.#bytes = message instanceof Uint8Array ? new Uint8Array(message.buffer, message.byteOffset, message.length) : new Uint8Array(message);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
  }

  /** @throws TuttiError `MESSAGE_MALFORMED`, `MESSAGE_TOO_DEEP` */
  frames(depthMax: number): readonly unknown[] {
    const count = this.#batchCount();
    const frames: unknown[] = [];
    // Each frame has its depth to itself.
    for (let index = 0; index < count; index++) frames.push(this.#value(depthMax));
    if (this.#at < this.#bytes.length) refuse("what follows the message");
    return frames;
  }

  /** How many frames follow; a message that is no list is one. */
  #batchCount(): number {
    const head = this.#bytes[0] ?? refuse("an empty message");
    const isList = (head >= 0x90 && head < 0xa0) || head === 0xdc || head === 0xdd;
    if (!isList) return 1;
    this.#at = 1;
    return head < 0xa0 ? head & 0x0f : head === 0xdc ? this.#uint16() : this.#uint32();
  }

  #value(depthLeft: number): unknown {
    const head = this.#uint8();
    if (head < 0x80) return head;
    if (head >= 0xe0) return head - 0x100;
    if (head < 0x90) return this.#map(head & 0x0f, depthLeft);
    if (head < 0xa0) return this.#list(head & 0x0f, depthLeft);
    if (head < 0xc0) return this.#text(head & 0x1f);
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(this.#uint8(), depthLeft);
      case 0xc5:
        return this.#binary(this.#uint16(), depthLeft);
      case 0xc6:
        return this.#binary(this.#uint32(), depthLeft);
      case 0xdc:
        return this.#list(this.#uint16(), depthLeft);
      case 0xdd:
        return this.#list(this.#uint32(), depthLeft);
      case 0xde:
        return this.#map(this.#uint16(), depthLeft);
      case 0xdf:
        return this.#map(this.#uint32(), depthLeft);
      default:
        return head >= 0xd9 ? this.#longText(head) : this.#number(head);
    }
  }

  #number(head: number): number {
    switch (head) {
      case 0xca:
        return finite(this.#view.getFloat32(this.#take(4)));
      case 0xcb:
        return finite(this.#view.getFloat64(this.#take(8)));
      case 0xcc:
        return this.#uint8();
      case 0xcd:
        return this.#uint16();
      case 0xce:
        return this.#uint32();
      case 0xcf:
        return safe(this.#uint32() * TWO_32 + this.#uint32());
      case 0xd0:
        return this.#view.getInt8(this.#take(1));
      case 0xd1:
        return this.#view.getInt16(this.#take(2));
      case 0xd2:
        return this.#view.getInt32(this.#take(4));
      case 0xd3:
        return safe(this.#view.getInt32(this.#take(4)) * TWO_32 + this.#uint32());
      default:
        return refuse(head === 0xc1 ? "0xc1" : "an extension");
    }
  }

  #longText(head: number): string {
    return this.#text(head === 0xd9 ? this.#uint8() : head === 0xda ? this.#uint16() : this.#uint32());
  }

  #text(length: number): string {
    const start = this.#take(length);
    if (length <= SHORT) {
      let text = "";
      let index = start;
      for (let byte; index < this.#at && (byte = this.#bytes[index] ?? 0) < 0x80; index++) text += String.fromCharCode(byte);
      if (index === this.#at) return text;
    }
    try {
      return utf8.decode(this.#bytes.subarray(start, this.#at));
    } catch {
      return refuse("text that is not UTF-8");
    }
  }

  #binary(length: number, depthLeft: number): Uint8Array {
    enter(depthLeft);
    // A copy, so that a few bytes that the application keeps do not keep the whole message.
    return this.#bytes.slice(this.#take(length), this.#at);
  }

  #list(count: number, depthLeft: number): unknown[] {
    enter(depthLeft);
    const list: unknown[] = [];
    for (let index = 0; index < count; index++) list.push(this.#value(depthLeft - 1));
    return list;
  }

  #map(count: number, depthLeft: number): object {
    enter(depthLeft);
    const fields: Record<string, unknown> = {};
    for (let index = 0; index < count; index++) {
      const key = this.#key();
      if (key === "__proto__") refuse(key);
      fields[key] = this.#value(depthLeft - 1);
    }
    return fields;
  }

  #key(): string {
    const head = this.#uint8();
    if (head >= 0xa0 && head < 0xc0) return this.#text(head & 0x1f);
    return head >= 0xd9 && head <= 0xdb ? this.#longText(head) : refuse("a key that is no text");
  }

  #uint8(): number {
    return this.#bytes[this.#at++] ?? refuse("a message that ends early");
  }

  #uint16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  #uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** Goes over so many bytes; where they start. */
  #take(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) refuse("a message that ends early");
    this.#at += length;
    return start;
  }
}

function enter(depthLeft: number): void {
  if (depthLeft === 0) throw new TuttiError("MESSAGE_TOO_DEEP");
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : refuse(`${value}`);
}

function safe(value: number): number {
  return Number.isSafeInteger(value) ? value : refuse("a whole number beyond 2^53");
}
