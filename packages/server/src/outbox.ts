import type { Packet } from "./packet.js";
import type { ServerTransport } from "./transport.js";

/** What waits to be sent to one connection. It leaves in one write at the end of the turn, and has a bound. */
export class Outbox {
  readonly #transport: ServerTransport;
  readonly #bytesMax: number;
  #packets: Packet[] = [];
  #bytes = 0;
  #waiting: (() => void)[] = [];

  constructor(transport: ServerTransport, bytesMax: number) {
    this.#transport = transport;
    this.#bytesMax = bytesMax;
  }

  /** What has not left this process yet. */
  get bytes(): number {
    return this.#bytes + this.#transport.bufferedBytes;
  }

  /** More than half full: what can be dropped or put off should be. */
  get isPressed(): boolean {
    return this.bytes > this.#bytesMax / 2;
  }

  /**
   * Takes a packet; `false` where it does not fit. What a turn brings beyond the bound is handed over before its end, so that a client that
   * keeps up is not taken for slow. A single packet always fits into an empty outbox, or it could never be delivered.
   */
  push(packet: Packet): boolean {
    if (this.#bytes > 0 && this.bytes + packet.bytes > this.#bytesMax) this.#handOver();
    const waiting = this.#transport.bufferedBytes;
    if (waiting > 0 && this.#bytes + waiting + packet.bytes > this.#bytesMax) return false;
    this.#packets.push(packet);
    this.#bytes += packet.bytes;
    return true;
  }

  /** Hands everything to the transport. */
  flush(): void {
    if (this.#packets.length > 0) this.#handOver();
    this.notice();
  }

  /** Resolves once the outbox is not pressed, or is closed; not to be asked after that. Others that waited may have filled it again by then. */
  roomy(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Looks whether those who wait for room have it now. */
  notice(): void {
    if (this.#waiting.length === 0 || this.isPressed) return;
    this.#release();
  }

  /** Drops what was not handed over, and lets go who waits for room. */
  close(): void {
    this.#packets = [];
    this.#bytes = 0;
    this.#release();
  }

  #handOver(): void {
    const packets = this.#packets;
    this.#packets = [];
    this.#bytes = 0;
    this.#transport.send(packets);
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
