import { TuttiError, count, record, text, type Cancel, type Position } from "@tutti/protocol";
import type { Services } from "../services.js";
import type { CommandLog } from "./command-log.js";

const positionShape = record({ epoch: text(32), seq: count });

/** What nodes tell each other of commands. */
export const commandShapes = {
  /** To all: read the log of commands up to here, and say that you have. */
  "command:await": positionShape,
  /** To the one who asked: everything up to here was taken. */
  "command:done": positionShape,
};

/** How often those that have not answered are asked again. */
const REPEAT_MS = 500;

/** A command that has not been taken everywhere, as far as is known. */
interface Wait {
  readonly position: Position;
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
  readonly #waits = new Set<Wait>();
  /** How far each node is, as it said last. */
  readonly #reached = new Map<string, Position>();
  #cancelRepeat: Cancel | undefined;

  constructor(services: Services, log: CommandLog) {
    this.#services = services;
    this.#log = log;
  }

  /** How many commands wait. */
  get size(): number {
    return this.#waits.size;
  }

  /** Resolves when this node and all others that are known to live have taken what stands at a position. Rejects with `UNAVAILABLE`. */
  of(position: Position): Promise<void> {
    if (this.#missing(position).length === 0) return Promise.resolve();
    const { environment, bounds } = this.#services;
    return new Promise((resolve, reject) => {
      this.#waits.add({ position, until: environment.elapsed() + bounds.commandTimeoutMs, resolve, reject });
      this.#ask();
    });
  }

  /** A node says how far it is. */
  hear(node: string, position: Position): void {
    if (this.#waits.size === 0 || !this.#services.nodes.has(node)) return;
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
    const { epoch, seq } = latest.position;
    if (!this.#log.hasReached(latest.position)) this.#log.refresh().then(() => this.#settle(), () => {});
    bus.tell("nodes", { kind: "command:await", epoch, seq });
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
      if (this.#missing(wait.position).length > 0) continue;
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
      const nodes = this.#missing(wait.position);
      const { commandTimeoutMs } = this.#services.bounds;
      wait.reject(new TuttiError("UNAVAILABLE", { message: `not done within ${commandTimeoutMs} ms at ${nodes.join(", ")}`, data: { nodes } }));
    }
  }

  /** The nodes that live and have not taken it. */
  #missing(position: Position): string[] {
    const missing = this.#log.hasReached(position) ? [] : [this.#services.node];
    for (const { id } of this.#services.nodes.others()) if (!isAtLeast(this.#reached.get(id), position)) missing.push(id);
    return missing;
  }
}

function isAtLeast(reached: Position | undefined, { epoch, seq }: Position): boolean {
  return reached?.epoch === epoch && reached.seq >= seq;
}
