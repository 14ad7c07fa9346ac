import { TuttiError, type Environment } from "@tutti/protocol";
import { assertDelay } from "../options.js";

const STEP_MS = 20;
/** What another node takes without an effort: eight hundred a second. Closing fewer would only make a small node stop slowly. */
const CLOSED_A_STEP_MIN = 16;
/** How long those who wait for an answer are waited for, once there is nobody else. */
const SETTLE_MS_MAX = 2_000;
/** Those of one step come back at moments of their own within this. */
const COME_BACK_MS = 1_000;

/** How a node takes leave. */
export interface DrainOptions {
  /** Over how long connections are closed, in milliseconds; 10,000. Small nodes need less: at least sixteen connections are closed every 20 ms. */
  readonly withinMs?: number;
  /**
   * How long the first connection is told after readiness failed, in milliseconds; 0. Where a load balancer asks for readiness every few seconds, a
   * little more than that, so that nobody is sent back here; one that goes on to the next node at a 503 needs none.
   */
  readonly noticeMs?: number;
}

/** Who has to go when a node takes leave: a connection, or a request that is held. */
export interface Guest {
  /** What it asks for; `undefined` before it was welcomed. */
  readonly requests: { readonly isIdle: boolean } | undefined;
  fail(error: TuttiError): void;
}

/** Guests of one kind. */
export interface Guests extends Iterable<Guest> {
  readonly size: number;
}

/** The last things that a node does: no connection comes any more, and those that are there go, answered, and not all at the same moment. */
export class Drain {
  readonly #kinds: readonly Guests[];
  readonly #environment: Environment;
  #done: Promise<void> | undefined;
  #withinMs = 0;
  #closingSince = 0;
  /** When nobody was left who does not wait for an answer. */
  #settlingSince: number | undefined;
  #wake = (): void => {};

  constructor(kinds: readonly Guests[], environment: Environment) {
    this.#kinds = kinds;
    this.#environment = environment;
  }

  get isUnderWay(): boolean {
    return this.#done !== undefined;
  }

  /** Resolves when all are gone. One that is under way goes on as it began. Rejects with `CONTRACT_INVALID` for a number that is none. */
  async start({ withinMs = 10_000, noticeMs = 0 }: DrainOptions): Promise<void> {
    assertDelay(withinMs, "withinMs");
    assertDelay(noticeMs, "noticeMs");
    this.#done ??= this.#run(withinMs, noticeMs);
    await this.#done;
  }

  /** At once, also what is left of one that is under way. */
  async hurry(): Promise<void> {
    this.#withinMs = 0;
    this.#closingSince = this.#environment.elapsed();
    this.#done ??= this.#run(0, 0);
    this.#wake();
    await this.#done;
  }

  async #run(withinMs: number, noticeMs: number): Promise<void> {
    this.#withinMs = withinMs;
    if (noticeMs > 0) await this.#pause(noticeMs);
    this.#closingSince = this.#environment.elapsed();
    for (const guest of this.#guests()) if (guest.requests === undefined) this.#close(guest);
    const total = this.#size;
    for (this.#closeSome(total); this.#size > 0; this.#closeSome(total)) await this.#pause(STEP_MS);
  }

  /** Closes those whose time has come, by how many of all are gone already. Who waits for an answer lets others go first. */
  #closeSome(total: number): void {
    const now = this.#environment.elapsed();
    const isPatient = now - (this.#settlingSince ?? now) < SETTLE_MS_MAX;
    const due = Math.ceil((total * (now - this.#closingSince + STEP_MS)) / this.#withinMs);
    let count = Math.max(CLOSED_A_STEP_MIN, due - (total - this.#size));
    for (const guest of this.#guests()) {
      if (count <= 0) return;
      if (isPatient && guest.requests?.isIdle === false) continue;
      this.#close(guest);
      count--;
    }
    this.#settlingSince ??= now;
  }

  get #size(): number {
    return this.#kinds.reduce((size, kind) => size + kind.size, 0);
  }

  *#guests(): Iterable<Guest> {
    for (const kind of this.#kinds) yield* kind;
  }

  #close(guest: Guest): void {
    const retryAfterMs = Math.floor(this.#environment.random() * Math.min(this.#withinMs, COME_BACK_MS));
    guest.fail(new TuttiError("SERVER_DRAINING", { message: "the server is about to stop", retryAfterMs }));
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#environment.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
