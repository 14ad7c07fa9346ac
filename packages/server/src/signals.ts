import type { Cancel, Environment, WireSignal } from "@tutti/protocol";
import { SharedPacket } from "./packet.js";

interface SignalsParts {
  readonly environment: Environment;
  readonly channel: string;
  /** For how long they are held, from the first of them. */
  readonly flushMs: number;
  /** Hears that there are some to be taken at the end of this turn. */
  readonly onDue: () => void;
}

/** A channel's signals since they left last: the latest of each sender and type. */
export class Signals {
  readonly #environment: Environment;
  readonly #channel: string;
  readonly #flushMs: number;
  readonly #onDue: () => void;
  #latest = new Map<string, WireSignal>();
  /** Set while they are held: the one timer of all of them. */
  #cancelHold: Cancel | undefined;

  constructor({ environment, channel, flushMs, onDue }: SignalsParts) {
    this.#environment = environment;
    this.#channel = channel;
    this.#flushMs = flushMs;
    this.#onDue = onDue;
  }

  put(signal: WireSignal): void {
    const isFirst = this.#latest.size === 0;
    const key = `${signal.session} ${signal.type}`;
    // Deleted first, so that the order is that of the latest ones.
    this.#latest.delete(key);
    this.#latest.set(key, signal);
    if (isFirst && this.#flushMs > 0) this.#hold();
    else if (this.#cancelHold === undefined) this.#onDue();
  }

  /** Whether there is something to be taken. */
  get areDue(): boolean {
    return this.#latest.size > 0 && this.#cancelHold === undefined;
  }

  /** What was put since the last call. */
  take(): SharedPacket {
    const signals = [...this.#latest.values()];
    this.#latest = new Map();
    return new SharedPacket([{ op: "signals", channel: this.#channel, signals }]);
  }

  /** Drops what is held. */
  clear(): void {
    this.#cancelHold?.();
    this.#cancelHold = undefined;
    this.#latest.clear();
  }

  #hold(): void {
    this.#cancelHold = this.#environment.after(this.#flushMs, () => {
      this.#cancelHold = undefined;
      this.#onDue();
    });
  }
}
