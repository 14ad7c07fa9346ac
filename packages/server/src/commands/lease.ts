import type { Environment } from "@tutti/protocol";
import type { Bounds, ServerGuards } from "../options.js";

/** How much of `nodeSilenceMsMax` a lease lasts. Who waits for its end waits for all of that: the rates of two clocks may differ by the rest. */
const SHARE = 0.8;

interface LeaseParts {
  readonly environment: Pick<Environment, "elapsed">;
  readonly bounds: Pick<Bounds, "nodeSilenceMsMax">;
  /** Whether other nodes may be at the same log. */
  readonly isShared: boolean;
  readonly guards?: Pick<ServerGuards, "lease">;
}

/**
 * Whether this node may deliver. It may while it has read the log of commands up to a head that it asked for no longer ago than a lease lasts, and stands
 * in that log as a node whom commands wait for: so whoever commands something knows, without hearing of this node, by when it delivers nothing any more to
 * whom the command ends.
 *
 * It runs out by the clock alone, also of a node that stood still, so whoever is about to deliver asks here first. Where no other node can be it is good
 * for ever, and asking looks at no clock.
 */
export class Lease {
  /** For how long a look at the log's head is good, in ms of the monotonic clock. */
  readonly durationMs: number;
  readonly isShared: boolean;
  readonly #environment: LeaseParts["environment"];
  readonly #isInForce: boolean;
  #isEntered = false;
  /** When the last look began that showed the head, on the monotonic clock. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Somebody saw that it had run out, and it was not renewed since. */
  #isHeld: boolean;
  #waiting: (() => void)[] = [];
  readonly #watchers = new Set<() => void>();

  constructor({ environment, bounds, isShared, guards = {} }: LeaseParts) {
    this.#environment = environment;
    this.durationMs = SHARE * bounds.nodeSilenceMsMax;
    this.isShared = isShared;
    this.#isHeld = this.#isInForce = isShared && guards.lease !== false;
  }

  /** Whether it is known to have run out, without a look at the clock: for who only takes what is delivered later. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Whether it has run out by now. */
  get isOver(): boolean {
    return this.#isInForce && this.isOverAt(this.#environment.elapsed());
  }

  /** Whether it has run out. @param now on the monotonic clock */
  isOverAt(now: number): boolean {
    if (!this.#isInForce) return false;
    this.#isHeld ||= !this.#isGoodAt(now);
    return this.#isHeld;
  }

  /** The log was read up to the head that a look showed. @param lookedAt when that look began, on the monotonic clock */
  renew(lookedAt: number): void {
    this.#lookedAt = Math.max(this.#lookedAt, lookedAt);
    this.#resume();
  }

  /** The log says whether commands wait for this node. */
  setEntered(isEntered: boolean): void {
    this.#isEntered = isEntered;
    if (!isEntered) this.#isHeld = this.#isInForce;
    this.#resume();
  }

  /** Resolves with the next renewal. It may have run out again by the time that is heard of. */
  renewal(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  /** Hears of each renewal after it had run out, from now on. */
  watch(watcher: () => void): void {
    this.#watchers.add(watcher);
  }

  #isGoodAt(now: number): boolean {
    return this.#isEntered && now - this.#lookedAt < this.durationMs;
  }

  #resume(): void {
    if (!this.#isHeld || !this.#isGoodAt(this.#environment.elapsed())) return;
    this.#isHeld = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
    for (const watcher of this.#watchers) watcher();
  }
}
