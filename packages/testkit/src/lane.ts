import type { EventOwner, SimulatedClock } from "./clock.js";
import type { RandomStream } from "./random.js";

/** How one connection treats what is sent over it. */
export interface LinkConditions {
  /** Each message takes this long; those of one direction never overtake each other, those of two connections may. */
  readonly delayMs: readonly [low: number, high: number];
  /** `Infinity` for a link that takes any amount at once. */
  readonly bytesPerMs: number;
}

/** What the kernel and the network take before the sender notices that nobody reads. */
const KERNEL_BYTES = 16 * 1024;
/** The finest difference in time that keeps two messages in their order. */
const TICK_MS = 0.001;

/**
 * - `open`: messages arrive.
 * - `stalled`: they wait, and the sender's buffer grows, until it is open again.
 * - `lost`: they vanish, and nobody is told.
 */
type Passage = "open" | "stalled" | "lost";

interface Waiting {
  readonly bytes: number;
  readonly kind: string;
  readonly detail: string;
  readonly arrive: () => void;
}

/** One direction of a connection: first in, first out. */
export class Lane {
  readonly #clock: SimulatedClock;
  readonly #random: RandomStream;
  #conditions: LinkConditions;
  readonly #receiver: EventOwner;
  readonly #drained: () => void;
  #passage: Passage = "open";
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** When all that was sent has left the sender. */
  #departedAtMs = 0;
  #isDrainPlanned = false;
  #arrivedAtMs = 0;

  constructor(clock: SimulatedClock, random: RandomStream, conditions: LinkConditions, receiver: EventOwner, drained: () => void) {
    this.#clock = clock;
    this.#random = random;
    this.#conditions = conditions;
    this.#receiver = receiver;
    this.#drained = drained;
  }

  get passage(): Passage {
    return this.#passage;
  }

  /** What the sender still holds. */
  get bufferedBytes(): number {
    const departingMs = this.#departedAtMs - this.#clock.nowMs;
    const departingBytes = departingMs > 0 ? Math.ceil(departingMs * this.#conditions.bytesPerMs) : 0;
    return Math.max(0, departingBytes + this.#waitingBytes - KERNEL_BYTES);
  }

  /** Sends something of this size; `arrive` runs when it is there, if ever. */
  send(bytes: number, kind: string, detail: string, arrive: () => void): void {
    const message: Waiting = { bytes, kind, detail, arrive };
    switch (this.#passage) {
      case "open":
        this.#carry(message);
        return;
      case "stalled":
        this.#waiting.push(message);
        this.#waitingBytes += bytes;
        return;
      case "lost":
        this.#waitingBytes += bytes;
        return;
    }
  }

  stall(): void {
    if (this.#passage === "open") this.#passage = "stalled";
  }

  resume(): void {
    if (this.#passage !== "stalled") return;
    this.#passage = "open";
    const waiting = this.#waiting;
    const wasBuffered = this.bufferedBytes > 0;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const message of waiting) this.#carry(message);
    if (wasBuffered && this.bufferedBytes === 0) this.#drained();
  }

  /** What is sent from now on is treated like this. */
  reshape(conditions: LinkConditions): void {
    this.#conditions = conditions;
    this.#departedAtMs = Math.min(this.#departedAtMs, this.#clock.nowMs);
  }

  /** From now on everything vanishes, what is under way included. */
  lose(): void {
    this.#passage = "lost";
    this.#waiting = [];
  }

  #carry(message: Waiting): void {
    const { nowMs } = this.#clock;
    const { delayMs, bytesPerMs } = this.#conditions;
    this.#departedAtMs = Math.max(this.#departedAtMs, nowMs) + message.bytes / bytesPerMs;
    if (this.#departedAtMs > nowMs && !this.#isDrainPlanned) this.#planDrain();
    const arrivesAtMs = this.#departedAtMs + this.#random.between(...delayMs);
    this.#arrivedAtMs = Math.max(this.#arrivedAtMs + TICK_MS, arrivesAtMs);
    const { kind, detail } = message;
    this.#clock.plan({ inMs: this.#arrivedAtMs - nowMs, kind, owner: this.#receiver, detail }, () => {
      if (this.#passage !== "lost") message.arrive();
    });
  }

  /** One event tells that everything has left, however many messages that were. */
  #planDrain(): void {
    this.#isDrainPlanned = true;
    this.#clock.plan({ inMs: this.#departedAtMs - this.#clock.nowMs, kind: "drained", owner: network }, () => {
      this.#isDrainPlanned = false;
      if (this.#passage !== "open") return;
      if (this.#departedAtMs > this.#clock.nowMs) this.#planDrain();
      else this.#drained();
    });
  }
}

/** What happens in the network itself happens to nobody else. */
export const network: EventOwner = { name: "network", frozenUntilMs: 0 };
