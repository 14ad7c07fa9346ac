import { TuttiError, count, optional, record, text, type Cancel, type Position } from "@tutti/protocol";
import type { Services } from "../services.js";
import type { CommandLog, LoggedAt } from "./command-log.js";
import type { LeaseKeeper } from "./lease-keeper.js";

const positionShape = record({ epoch: text(32), seq: count });

/** What nodes tell each other of commands. */
export const commandShapes = {
  /** To all: read the log of commands up to here, where this one stands, and say that you have. Nodes of an earlier version do not name it. */
  "command:await": record({ epoch: text(32), seq: count, eventId: optional(text(128)) }),
  /** To the one who asked: everything up to here was taken. */
  "command:done": positionShape,
};

/** How often those that have not answered are asked again. */
const REPEAT_MS = 500;

/** A command that has not been taken everywhere, as far as is known. */
interface Wait {
  readonly position: LoggedAt;
  /** By when the leases of all those are over who have not taken it, on the monotonic clock. */
  readonly leasesEndAt: number;
  /** When it is given up, on the monotonic clock. */
  readonly until: number;
  readonly resolve: () => void;
  readonly reject: (error: TuttiError) => void;
}

/**
 * Who has taken which command. Positions rise, so that one question after the highest of them serves all that wait, and one answer settles all up to
 * it. A lost question or answer is made up for by the next one; who is asked reads the log at once, so a lost delivery is made up for as well.
 */
export class CommandAnswers {
  readonly #services: Services;
  readonly #log: CommandLog;
  readonly #lease: LeaseKeeper;
  readonly #waits = new Set<Wait>();
  /** How far each node is, as it said last. */
  readonly #reached = new Map<string, Position>();
  #cancelRepeat: Cancel | undefined;

  constructor(services: Services, log: CommandLog, lease: LeaseKeeper) {
    this.#services = services;
    this.#log = log;
    this.#lease = lease;
  }

  /** How many commands wait. */
  get size(): number {
    return this.#waits.size;
  }

  /**
   * Resolves when this node and all others that are known to live have taken what has just been logged at a position, and when those who may deliver and
   * are not heard have, or their leases are over. Rejects with `UNAVAILABLE`.
   */
  of(position: LoggedAt): Promise<void> {
    const { environment, bounds } = this.#services;
    const now = environment.elapsed();
    return new Promise((resolve, reject) => {
      const wait: Wait = { position, leasesEndAt: now + bounds.nodeSilenceMsMax, until: now + bounds.commandTimeoutMs, resolve, reject };
      if (this.#isDone(wait)) {
        resolve();
        return;
      }
      this.#waits.add(wait);
      this.#ask();
    });
  }

  /** A node says how far it is. */
  hear(node: string, position: Position): void {
    if (this.#waits.size === 0 || !(this.#services.nodes.has(node) || this.#lease.unheard().has(node))) return;
    this.#reached.set(node, position);
    this.#settle();
  }

  close(): void {
    this.#cancelRepeat?.();
    for (const { reject } of this.#waits) reject(new TuttiError("UNAVAILABLE", { message: "the server was closed" }));
    this.#waits.clear();
  }

  #ask(): void {
    const latest = [...this.#waits].at(-1);
    if (latest === undefined) return;
    const { bus, environment } = this.#services;
    const { epoch, seq, eventId } = latest.position;
    if (!this.#log.hasReached(latest.position)) this.#log.refresh().then(() => this.#settle(), () => {});
    bus.tell("nodes", { kind: "command:await", epoch, seq, eventId });
    this.#cancelRepeat ??= environment.after(REPEAT_MS, () => this.#repeat());
  }

  #repeat(): void {
    this.#cancelRepeat = undefined;
    this.#settle();
    this.#giveUp();
    this.#ask();
  }

  #settle(): void {
    for (const wait of this.#waits) {
      if (!this.#isDone(wait)) continue;
      this.#waits.delete(wait);
      wait.resolve();
    }
    if (this.#waits.size > 0) return;
    this.#cancelRepeat?.();
    this.#cancelRepeat = undefined;
    this.#reached.clear();
  }

  #giveUp(): void {
    const now = this.#services.environment.elapsed();
    for (const wait of this.#waits) {
      if (wait.until > now) continue;
      this.#waits.delete(wait);
      const nodes = this.#missing(wait);
      const { commandTimeoutMs } = this.#services.bounds;
      wait.reject(new TuttiError("UNAVAILABLE", { message: `not done within ${commandTimeoutMs} ms at ${nodes.join(", ") || "nodes that are not heard"}`, data: { nodes } }));
    }
  }

  #isDone(wait: Wait): boolean {
    // Who may deliver and is not named by the log any more cannot be asked.
    const isDoubtful = this.#services.environment.elapsed() < Math.min(this.#lease.doubtUntil, wait.leasesEndAt);
    return !isDoubtful && this.#missing(wait).length === 0;
  }

  /** The nodes that have not taken it, of those that live and those that may deliver. */
  #missing({ position, leasesEndAt }: Wait): string[] {
    const { environment, nodes, node } = this.#services;
    const missing = this.#log.hasReached(position) ? [] : [node];
    for (const { id } of nodes.others()) if (!isAtLeast(this.#reached.get(id), position)) missing.push(id);
    if (environment.elapsed() >= leasesEndAt) return missing;
    for (const id of this.#lease.unheard()) if (!isAtLeast(this.#reached.get(id), position)) missing.push(id);
    return missing;
  }
}

function isAtLeast(reached: Position | undefined, { epoch, seq }: Position): boolean {
  return reached?.epoch === epoch && reached.seq >= seq;
}
