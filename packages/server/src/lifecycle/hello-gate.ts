import type { Environment } from "@tutti/protocol";
import type { Bounds } from "../options.js";

/** For how long hellos begin in a turn. What begins may be dear: so few begin all the same, or a slow node would let in nobody. */
const A_TURN_MS = 10;
const A_TURN_MIN = 4;
/** And no more than so many: much of what they cost comes only when their tokens are verified. */
const A_TURN_MAX = 64;

/** Has said hello. */
export interface Newcomer {
  /** Its turn has come. Resolves, and never rejects, when it is known who it is, or that it is nobody. */
  admit(): Promise<void>;
}

interface HelloGateParts {
  readonly environment: Environment;
  readonly bounds: Pick<Bounds, "hellosAtOnceMax" | "hellosWaitingMax" | "helloTimeoutMs">;
}

/**
 * Stands in front of authentication. When a node has died its clients come to the others at the same moment, and what each of them costs, until it
 * has what it missed, is more than a delivery: so many begin at a time, and in each turn for a moment, and the others wait, first come, first served. It
 * goes as fast as the node can, and who is connected already is served between two turns.
 */
export class HelloGate {
  readonly #environment: Environment;
  readonly #bounds: HelloGateParts["bounds"];
  /** Since when each of them waits, and is being authenticated, on the monotonic clock; the first ones first. */
  readonly #waiting = new Map<Newcomer, number>();
  readonly #begun = new Map<Newcomer, number>();
  /** How many began in this turn, and when the first of them did. */
  #inThisTurn = 0;
  #firstBeganAt = 0;
  #isScheduled = false;
  readonly #onEnd = (): void => this.#endTurn();

  constructor({ environment, bounds }: HelloGateParts) {
    this.#environment = environment;
    this.#bounds = bounds;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** How many are being authenticated. */
  get begun(): number {
    return this.#begun.size;
  }

  /** How long the first of those who wait has waited. */
  get longestMs(): number {
    for (const since of this.#waiting.values()) return this.#environment.elapsed() - since;
    return 0;
  }

  /** Whether who comes now would wait in vain: in no place, or until its time is over. */
  get isLoaded(): boolean {
    return this.#waiting.size >= Math.max(1, this.#bounds.hellosWaitingMax) || this.longestMs >= this.#bounds.helloTimeoutMs / 2;
  }

  /** Admits it now or when its turn comes. Whether there was a place. */
  enter(newcomer: Newcomer): boolean {
    if (this.#waiting.size === 0 && this.#hasRoom()) this.#begin(newcomer);
    else if (this.#waiting.size < this.#bounds.hellosWaitingMax) this.#waiting.set(newcomer, this.#environment.elapsed());
    else return false;
    return true;
  }

  /** It waits no longer. */
  leave(newcomer: Newcomer): void {
    this.#waiting.delete(newcomer);
  }

  /** Called once in a while. An authentication that comes to no end would hold its place for ever, and as many of them all places. */
  sweep(now: number): void {
    for (const [newcomer, since] of this.#begun) {
      if (now - since < this.#bounds.helloTimeoutMs) break;
      this.#free(newcomer);
    }
  }

  #hasRoom(): boolean {
    if (this.#begun.size >= this.#bounds.hellosAtOnceMax || this.#inThisTurn >= A_TURN_MAX) return false;
    return this.#inThisTurn < A_TURN_MIN || this.#environment.elapsed() - this.#firstBeganAt < A_TURN_MS;
  }

  #begin(newcomer: Newcomer): void {
    const now = this.#environment.elapsed();
    if (this.#inThisTurn === 0) this.#firstBeganAt = now;
    this.#inThisTurn++;
    this.#begun.set(newcomer, now);
    this.#schedule();
    void newcomer.admit().then(() => this.#free(newcomer));
  }

  #free(newcomer: Newcomer): void {
    this.#begun.delete(newcomer);
    if (this.#waiting.size > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#environment.defer(this.#onEnd);
  }

  /** The next ones begin here, and not where a place becomes free: what has arrived is read and written between two turns. */
  #endTurn(): void {
    this.#isScheduled = false;
    this.#inThisTurn = 0;
    for (const newcomer of this.#waiting.keys()) {
      if (!this.#hasRoom()) break;
      this.#waiting.delete(newcomer);
      this.#begin(newcomer);
    }
  }
}
