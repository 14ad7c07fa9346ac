import type { ConnectionEvents, Packet, ServerTransport } from "@tutti/server";

/** A transport whose other end is a test. */
export class FakeTransport implements ServerTransport {
  readonly name = "fake";
  readonly remoteAddress = "192.0.2.1";
  carriesHello = false;
  /** How the server closed it. */
  closing: { readonly closeCode: number; readonly reason: string } | undefined;
  /** How many times the server wrote. */
  writes = 0;
  /** What arrived at the other end. */
  readonly messages: string[] = [];
  #stuck: string[] = [];
  #isStalled = false;

  get bufferedBytes(): number {
    return this.#stuck.reduce((bytes, message) => bytes + Buffer.byteLength(message), 0);
  }

  send(packets: readonly Packet[]): void {
    if (this.closing !== undefined) throw new Error("the server wrote after it had closed");
    this.writes++;
    for (const { data } of packets) {
      if (typeof data !== "string") throw new Error("the JSON codec sends text");
      (this.#isStalled ? this.#stuck : this.messages).push(data);
    }
  }

  close(closeCode: number, reason: string): void {
    if (this.closing !== undefined) throw new Error("the server closed twice");
    this.closing = { closeCode, reason };
  }

  terminate(): void {
    this.close(1006, "terminated");
  }

  /** The other end reads nothing any more. */
  stall(): void {
    this.#isStalled = true;
  }

  /** The other end reads again: all of what waits, or only the first messages. */
  drain(events: ConnectionEvents, count = this.#stuck.length): void {
    this.messages.push(...this.#stuck.splice(0, count));
    if (this.#stuck.length > 0) return;
    this.#isStalled = false;
    events.drained();
  }
}
