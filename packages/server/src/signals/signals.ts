import type { Cancel, Environment, WireSignal } from "@tutti/protocol";
import { SharedPacket } from "../connections/packet.js";
import { keyOfTarget, type SignalTarget } from "../target.js";
import type { AddressedSignal } from "./signal-messages.js";

interface SignalsParts {
  readonly environment: Environment;
  readonly channel: string;
  /** For how long they are held, from the first of them. */
  readonly flushMs: number;
  /** Whether another node might want them, too. */
  readonly bus: { readonly isAlone: boolean };
  /** Hears that there are some to be taken at the end of this turn. */
  readonly onDue: () => void;
}

/** Signals for one target. */
export interface DirectSignals {
  readonly to: SignalTarget;
  readonly packet: SharedPacket;
}

/** A channel's signals since they left last: the latest of each sender and type, and of those for some alone of each target too. */
export class Signals {
  readonly #parts: SignalsParts;
  /** Those for all. */
  #latest = new Map<string, WireSignal>();
  /** Those for some alone, by target, once there are any. */
  #direct: Map<string, Map<string, AddressedSignal & { readonly to: SignalTarget }>> | undefined;
  /** What other nodes are to be told of both: what came from another node is not among them. */
  #untold: Map<string, AddressedSignal> | undefined;
  /** Set while they are held: the one timer of all of them. */
  #cancelHold: Cancel | undefined;

  constructor(parts: SignalsParts) {
    this.#parts = parts;
  }

  /** A signal of somebody at this node, or of the node itself. */
  put(signal: WireSignal, to?: SignalTarget): void {
    if (!this.#parts.bus.isAlone) this.#noteUntold(signal, to);
    this.#keep(signal, to);
  }

  /** A signal that another node told of. */
  putTold(signal: WireSignal, to?: SignalTarget): void {
    this.#untold?.delete(keyOf(signal, to));
    this.#keep(signal, to);
  }

  /** Whether there is something to be taken. */
  get areDue(): boolean {
    return this.#cancelHold === undefined && !this.#isEmpty;
  }

  /** What was put for all since the last call; `undefined` where there is nothing. */
  take(): SharedPacket | undefined {
    if (this.#latest.size === 0) return undefined;
    const signals = [...this.#latest.values()];
    this.#latest = new Map();
    return this.#packetOf(signals);
  }

  /** What was put for some alone since the last call, by target. */
  takeDirect(): readonly DirectSignals[] {
    if (this.#direct === undefined) return [];
    const direct: DirectSignals[] = [];
    for (const addressed of this.#direct.values()) {
      const signals = Array.from(addressed.values(), ({ signal }) => signal);
      for (const { to } of addressed.values()) {
        direct.push({ to, packet: this.#packetOf(signals) });
        break;
      }
    }
    this.#direct = undefined;
    return direct;
  }

  /** What other nodes are to be told since the last call. */
  takeUntold(): readonly AddressedSignal[] {
    if (this.#untold === undefined) return [];
    const untold = [...this.#untold.values()];
    this.#untold = undefined;
    return untold;
  }

  /** Drops what is held. */
  clear(): void {
    this.#cancelHold?.();
    this.#cancelHold = undefined;
    this.#latest.clear();
    this.#direct = this.#untold = undefined;
  }

  get #isEmpty(): boolean {
    return this.#latest.size === 0 && this.#direct === undefined;
  }

  #keep(signal: WireSignal, to: SignalTarget | undefined): void {
    const isFirst = this.#isEmpty;
    const { flushMs, onDue } = this.#parts;
    if (to === undefined) putLast(this.#latest, keyOf(signal), signal);
    else this.#keepDirect(signal, to);
    if (isFirst && flushMs > 0) this.#hold();
    else if (this.#cancelHold === undefined) onDue();
  }

  #keepDirect(signal: WireSignal, to: SignalTarget): void {
    const target = keyOfTarget(to);
    this.#direct ??= new Map();
    const signals = this.#direct.get(target) ?? new Map();
    putLast(signals, keyOf(signal), { signal, to });
    this.#direct.set(target, signals);
  }

  #noteUntold(signal: WireSignal, to: SignalTarget | undefined): void {
    this.#untold ??= new Map();
    putLast(this.#untold, keyOf(signal, to), to === undefined ? { signal } : { signal, to });
  }

  #packetOf(signals: readonly WireSignal[]): SharedPacket {
    return new SharedPacket([{ op: "signals", channel: this.#parts.channel, signals }]);
  }

  #hold(): void {
    const { environment, flushMs, onDue } = this.#parts;
    this.#cancelHold = environment.after(flushMs, () => {
      this.#cancelHold = undefined;
      onDue();
    });
  }
}

function keyOf({ session, type }: WireSignal, to?: SignalTarget): string {
  return to === undefined ? `${session} ${type}` : `${session} ${type} ${keyOfTarget(to)}`;
}

/** Deleted first, so that the order is that of the latest ones. */
function putLast<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
}
