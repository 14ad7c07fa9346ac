import type { Packet } from "./packet.js";
import type { ServerTransport } from "./transport.js";
import type { Writer } from "./writer-line.js";

/** What an outbox needs of a transport. */
export type Sink = Pick<ServerTransport, "bufferedBytes" | "send">;

/** Shared by all outboxes with nothing in them, and never changed. */
const NONE: Packet[] = [];

/**
 * What waits to be sent to one connection. It leaves in one write when the turn lets it, and has a bound. A transport that holds something gets no
 * more until that has left: what it holds cannot be dropped, and costs an error for each write when its socket is given up.
 */
export class Outbox implements Writer {
  isInLine = false;
  readonly #transport: Sink;
  readonly #bytesMax: number;
  #packets = NONE;
  #bytes = 0;
  /** The transport holds something of what it was sent last, and tells when that has left. */
  #isHeld = false;
  #waiting: (() => void)[] | undefined;

  constructor(transport: Sink, bytesMax: number) {
    this.#transport = transport;
    this.#bytesMax = bytesMax;
  }

  /** What has not left this process yet. */
  get bytes(): number {
    return this.#bytes + this.#transport.bufferedBytes;
  }

  /** More than half full: what can be put off should be. */
  get isPressed(): boolean {
    return this.bytes > this.#bytesMax / 2;
  }

  /** More than half full, and its client has not taken all that was handed over: what can be dropped should be. Others only wait to be written to. */
  get isSlow(): boolean {
    return this.#transport.bufferedBytes > 0 && this.isPressed;
  }

  /**
   * Takes a packet; `false` where it does not fit. What a turn brings beyond the bound is handed over before its end, so that a client that
   * keeps up is not taken for slow. A single packet always fits into an empty outbox, or it could never be delivered.
   */
  push(packet: Packet): boolean {
    const { bytes } = packet;
    let waiting = this.#transport.bufferedBytes;
    if (this.#bytes > 0 && !this.#isHeld && this.#bytes + waiting + bytes > this.#bytesMax) {
      this.#handOver();
      waiting = this.#transport.bufferedBytes;
    }
    if (waiting > 0 && this.#bytes + waiting + bytes > this.#bytesMax) return false;
    this.#put(packet);
    this.#bytes += bytes;
    return true;
  }

  /** Hands everything to the transport, unless that holds something still. Whether anything was handed over. */
  flush(): boolean {
    const leaves = this.#packets.length > 0 && !this.#isHeld;
    if (leaves) this.#handOver();
    this.#notice();
    return leaves;
  }

  /** Hands over what is left, whatever the transport holds: nothing comes after it. */
  finish(): void {
    if (this.#packets.length > 0) this.#handOver();
  }

  /** The transport holds nothing any more. */
  drained(): void {
    this.#isHeld = false;
    this.flush();
  }

  /** Resolves once the outbox is not pressed, or is closed; not to be asked after that. Others that waited may have filled it again by then. */
  roomy(): Promise<void> {
    return new Promise((resolve) => {
      (this.#waiting ??= []).push(resolve);
    });
  }

  /** Drops what was not handed over, and lets go who waits for room. */
  close(): void {
    this.#packets = NONE;
    this.#bytes = 0;
    this.#release();
  }

  #put(packet: Packet): void {
    // Most often one packet is all that a write takes: none of the outboxes that hold it makes a list of its own.
    if (this.#packets.length === 0) this.#packets = packet.alone;
    else if (this.#packets.length === 1) this.#packets = [...this.#packets, packet];
    else this.#packets.push(packet);
  }

  #handOver(): void {
    const packets = this.#packets;
    this.#packets = NONE;
    this.#bytes = 0;
    this.#transport.send(packets);
    this.#isHeld = this.#transport.bufferedBytes > 0;
  }

  /** Looks whether those who wait for room have it now. */
  #notice(): void {
    if (this.#waiting !== undefined && !this.isPressed) this.#release();
  }

  #release(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const resolve of waiting) resolve();
  }
}
