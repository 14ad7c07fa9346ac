import type { Environment } from "@tutti/protocol";
import type { Bounds } from "./options.js";

/** How many hellos begin in a turn: ten milliseconds' work, where a token costs a tenth of one. */
const A_TURN_MAX = 64;
const A_TURN_MIN = 4;
/** After a turn that took longer, the next one begins half as many. */
const TURN_MS_MAX = 50;

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
 * has what it missed, is more than a delivery: so many begin at a time, so many in a turn, and the others wait, first come, first served. It goes as
 * fast as the loop turns, and slower where its turns get long, so that who is connected already hardly notices.
 */
export class HelloGate {
  readonly #environment: Environment;
  readonly #bounds: HelloGateParts["bounds"];
  /** Since when each of them waits, and is being authenticated, on the monotonic clock; the first ones first. */
  readonly #waiting = new Map<Newcomer, number>();
  readonly #begun = new Map<Newcomer, number>();
  #aTurn = A_TURN_MAX;
  #inThisTurn = 0;
  #turnBeganAt = 0;
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
    return this.#inThisTurn < this.#aTurn && this.#begun.size < this.#bounds.hellosAtOnceMax;
  }

  #begin(newcomer: Newcomer): void {
    this.#begun.set(newcomer, this.#environment.elapsed());
    this.#inThisTurn++;
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
    this.#turnBeganAt = this.#environment.elapsed();
    this.#environment.defer(this.#onEnd);
  }

  /** The next ones begin here, and not where a place becomes free: what has arrived is read and written between two turns. */
  #endTurn(): void {
    this.#isScheduled = false;
    this.#inThisTurn = 0;
    const isLong = this.#environment.elapsed() - this.#turnBeganAt > TURN_MS_MAX;
    this.#aTurn = isLong ? Math.max(A_TURN_MIN, this.#aTurn / 2) : Math.min(A_TURN_MAX, this.#aTurn * 2);
    for (const newcomer of this.#waiting.keys()) {
      if (!this.#hasRoom()) break;
      this.#waiting.delete(newcomer);
      this.#begin(newcomer);
    }
  }
}
