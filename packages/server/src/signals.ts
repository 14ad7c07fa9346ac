import type { WireSignal } from "@tutti/protocol";
import { SharedPacket } from "./packet.js";

/** A channel's signals of one turn: the latest of each sender and type. */
export class Signals {
  readonly #channel: string;
  #latest = new Map<string, WireSignal>();

  constructor(channel: string) {
    this.#channel = channel;
  }

  put(signal: WireSignal): void {
    const key = `${signal.session} ${signal.type}`;
    // Deleted first, so that the order is that of the latest ones.
    this.#latest.delete(key);
    this.#latest.set(key, signal);
  }

  /** What was put since the last call, or `undefined`. */
  take(): SharedPacket | undefined {
    if (this.#latest.size === 0) return undefined;
    const signals = [...this.#latest.values()];
    this.#latest = new Map();
    return new SharedPacket([{ op: "signals", channel: this.#channel, signals }]);
  }
}
