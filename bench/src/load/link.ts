import { connect, type Socket } from "node:net";
import type { Identity, Wire } from "./wire.js";

/** What a link tells of what arrives. One object serves all links of a load. */
export interface LinkListener {
  opened(link: Link): void;
  /** A message that its head told apart has arrived whole. Only where its text is wanted, `text` is there. */
  arrived(link: Link, identity: Identity, text: string | undefined): void;
  /** Whether the text of a message is wanted, asked when its head is there. */
  wants(link: Link, identity: Identity): boolean;
  ended(link: Link, reason: string): void;
}

/** Where the sockets read into: all the same, since each is done with it before the next one reads. */
const HEADROOM = 1024;
const readBuffer = Buffer.allocUnsafeSlow(HEADROOM + 256 * 1024);
const intoBuffer = readBuffer.subarray(HEADROOM);

const OPCODE_TEXT = 1;
const OPCODE_BINARY = 2;
const OPCODE_CLOSE = 8;
const OPCODE_PING = 9;

type Phase = "connecting" | "handshake" | "open" | "ended";

/**
 * The load's end of a WebSocket (RFC 6455), which costs as little as can be: it reads all sockets into one buffer, looks at the heads of messages, and skips
 * the rest unless its text is wanted. It masks with zero, since the peers are its own.
 */
export class Link {
  /** Whose it is; the listener's own. */
  readonly owner: number;
  readonly #wire: Wire;
  readonly #listener: LinkListener;
  readonly #socket: Socket;
  #phase: Phase = "connecting";
  /** What of a head has arrived. */
  #carried: Buffer | undefined;
  /** How much of the present message is still to come. */
  #remaining = 0;
  #identity: Identity = "own";
  /** The text of the present message, where it is wanted. */
  #pieces: string[] | undefined;

  constructor(port: number, wire: Wire, owner: number, listener: LinkListener) {
    this.owner = owner;
    this.#wire = wire;
    this.#listener = listener;
    this.#socket = connect({
      port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer: intoBuffer,
        callback: (length) => {
          this.#take(length);
          return true;
        },
      },
    });
    this.#socket.on("connect", () => this.#shakeHands(port));
    this.#socket.on("error", (error) => this.#end(error.message));
    this.#socket.on("close", () => this.#end("closed by the server"));
  }

  /** Sends texts, in one write. */
  send(texts: readonly string[]): void {
    if (this.#phase !== "open") return;
    this.#socket.write(texts.length === 1 ? frameOf(texts[0] ?? "") : Buffer.concat(texts.map(frameOf)));
  }

  /** No more is read, as by a client that hangs; the kernel's buffers fill up. */
  pause(): void {
    this.#socket.pause();
  }

  /** Gone without a goodbye. */
  cut(): void {
    this.#phase = "ended";
    this.#socket.destroy();
  }

  #shakeHands(port: number): void {
    this.#phase = "handshake";
    const { path, subprotocol } = this.#wire;
    const offered = subprotocol === undefined ? "" : `Sec-WebSocket-Protocol: ${subprotocol}\r\n`;
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${offered}\r\n`,
    );
  }

  #end(reason: string): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#socket.destroy();
    this.#listener.ended(this, reason);
  }

  #take(length: number): void {
    let start = HEADROOM;
    const end = HEADROOM + length;
    if (this.#carried !== undefined) {
      start -= this.#carried.length;
      this.#carried.copy(readBuffer, start);
      this.#carried = undefined;
    }
    if (this.#phase === "handshake") start = this.#readHandshake(start, end);
    while (start < end && this.#phase === "open") start = this.#remaining > 0 ? this.#go(start, end) : this.#begin(start, end);
  }

  /** Where the messages begin. */
  #readHandshake(start: number, end: number): number {
    const blank = readBuffer.subarray(start, end).indexOf("\r\n\r\n");
    if (blank < 0) return this.#carry(start, end);
    const status = readBuffer.toString("latin1", start, start + 12);
    if (!status.endsWith("101")) {
      this.#end(`the handshake was answered: ${readBuffer.toString("latin1", start, end)}`);
      return end;
    }
    this.#phase = "open";
    this.#listener.opened(this);
    return start + blank + 4;
  }

  /** The head of a message: what it is, and whether its text is wanted. */
  #begin(start: number, end: number): number {
    const available = end - start;
    if (available < 2) return this.#carry(start, end);
    const short = (readBuffer[start + 1] ?? 0) & 127;
    const headerLength = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (available < headerLength) return this.#carry(start, end);
    const length = short < 126 ? short : short === 126 ? readBuffer.readUInt16BE(start + 2) : Number(readBuffer.readBigUInt64BE(start + 2));
    const first = start + headerLength;
    const opcode = (readBuffer[start] ?? 0) & 15;
    const isControl = opcode >= OPCODE_CLOSE;
    if (end - first < (isControl ? length : Math.min(length, this.#wire.headBytes))) return this.#carry(start, end);
    if (opcode === OPCODE_CLOSE) {
      const code = length >= 2 ? readBuffer.readUInt16BE(first) : "without a code";
      this.#end(`closed by the server: ${code} ${readBuffer.toString("utf8", first + 2, first + length)}`);
      return end;
    }
    if (opcode === OPCODE_PING) this.#socket.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0]));
    if (opcode === OPCODE_TEXT || opcode === OPCODE_BINARY) {
      this.#identity = this.#wire.identify(readBuffer, first, Math.min(end, first + length), length);
      if (this.#listener.wants(this, this.#identity)) this.#pieces = [];
      if (length === 0) this.#finish();
    } else if (opcode !== OPCODE_PING) throw new Error(`a frame of opcode ${opcode} came, which no peer was expected to send`);
    else this.#identity = "none";
    this.#remaining = length;
    return first;
  }

  /** More of the message, or all the rest of it. */
  #go(start: number, end: number): number {
    const next = Math.min(end, start + this.#remaining);
    this.#pieces?.push(readBuffer.toString("latin1", start, next));
    this.#remaining -= next - start;
    if (this.#remaining === 0) this.#finish();
    return next;
  }

  #finish(): void {
    const text = this.#pieces?.join("");
    this.#pieces = undefined;
    if (this.#identity !== "none") this.#listener.arrived(this, this.#identity, text);
  }

  #carry(start: number, end: number): number {
    this.#carried = Buffer.from(readBuffer.subarray(start, end));
    return end;
  }
}

/** A final text frame, masked with zero. Everything that the load sends is ASCII. */
function frameOf(text: string): Buffer {
  const { length } = text;
  const headerLength = length < 126 ? 6 : length <= 0xff_ff ? 8 : 14;
  const frame = Buffer.alloc(headerLength + length);
  frame[0] = 0x80 | OPCODE_TEXT;
  if (headerLength === 6) frame[1] = 0x80 | length;
  else if (headerLength === 8) {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 0x80 | 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, headerLength, "latin1");
  return frame;
}
