import type { Cancel, Environment } from "@tutti/protocol";
import type { EventOwner, SimulatedClock } from "./clock.js";
import { RandomStream } from "./random.js";

/** How a participant's clocks differ from simulated time. */
export interface ClockSkew {
  /** The wall clock's difference, in milliseconds. */
  readonly wallOffsetMs?: number;
  /** How fast the monotonic clock runs: 1.01 is one percent fast. */
  readonly rate?: number;
}

const START_UNIX_MS = 1_700_000_000_000;

/**
 * A process in a simulation: a client's page, a server node, a broker. It is the environment of the core that runs in it, with clocks of
 * its own that may run fast and jump, and it can stand still or die; what was planned for it then waits or never happens.
 */
export class Participant implements Environment, EventOwner {
  readonly name: string;
  readonly #clock: SimulatedClock;
  readonly #random: RandomStream;
  readonly #ids: RandomStream;
  readonly #rate: number;
  #wallOffsetMs: number;
  #frozenUntilMs = 0;
  /** What is to be done once it has ended. */
  readonly #heirs: (() => void)[] = [];

  constructor(clock: SimulatedClock, name: string, seed: number, { wallOffsetMs = 0, rate = 1 }: ClockSkew = {}) {
    this.name = name;
    this.#clock = clock;
    this.#random = new RandomStream(seed, `random of ${name}`);
    this.#ids = new RandomStream(seed, `ids of ${name}`);
    this.#wallOffsetMs = wallOffsetMs;
    this.#rate = rate;
  }

  now(): number {
    return Math.floor(START_UNIX_MS + this.#clock.nowMs + this.#wallOffsetMs);
  }

  elapsed(): number {
    return this.#clock.nowMs * this.#rate;
  }

  after(delayMs: number, task: () => void): Cancel {
    return this.#clock.plan({ inMs: delayMs / this.#rate, kind: "timer", owner: this }, task);
  }

  defer(task: () => void): void {
    this.#clock.plan({ inMs: 0, kind: "turn", owner: this }, task);
  }

  random(): number {
    return this.#random.next();
  }

  id(): string {
    return this.#ids.id();
  }

  get frozenUntilMs(): number {
    return this.#frozenUntilMs;
  }

  get isStopped(): boolean {
    return this.#frozenUntilMs === Infinity;
  }

  /** Moves the wall clock, as somebody setting it does. */
  jumpWallClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Stands still: a laptop that sleeps, an event loop that is blocked. Timers and messages wait; the monotonic clock goes on. */
  freeze(forMs: number): void {
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, this.#clock.nowMs + forMs);
  }

  /** Ends at once and for good, as `kill -9` does: nothing of it runs any more. */
  stop(): void {
    if (this.isStopped) return;
    this.#frozenUntilMs = Infinity;
    for (const heir of this.#heirs) heir();
  }

  /** Runs `task` when it ends: what the system does that it ran on, such as giving its locks to others. */
  whenStopped(task: () => void): void {
    this.#heirs.push(task);
  }
}
