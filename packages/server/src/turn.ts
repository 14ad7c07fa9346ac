import type { Environment } from "@tutti/protocol";
import type { Log } from "./log.js";

/** How many that wait for a turn go on in one: what they do then must not hold up the next. */
const GOING_ON_MAX = 16;

/** Has work for the end of the turn. */
export interface TurnTask {
  endTurn(): void;
}

/**
 * One turn of the event loop: what arrives in it is collected, and leaves at its end. Channels come first and fill outboxes; then each
 * connection writes once, whatever it has got.
 */
export class Turn {
  readonly #environment: Environment;
  readonly #log: Log;
  #channels = new Set<TurnTask>();
  #connections = new Set<TurnTask>();
  #waiting: (() => void)[] = [];
  #isScheduled = false;

  constructor(environment: Environment, log: Log) {
    this.#environment = environment;
    this.#log = log;
  }

  addChannel(channel: TurnTask): void {
    this.#channels.add(channel);
    this.#schedule();
  }

  addConnection(connection: TurnTask): void {
    this.#connections.add(connection);
    this.#schedule();
  }

  /** Resolves after the end of a turn, first come, first served. Long work waits for it between its steps, so that others get theirs. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#environment.defer(() => this.#end());
  }

  #end(): void {
    this.#isScheduled = false;
    const channels = this.#channels;
    this.#channels = new Set();
    for (const channel of channels) this.#endTurnOf(channel);
    const connections = this.#connections;
    this.#connections = new Set();
    for (const connection of connections) this.#endTurnOf(connection);
    for (const goOn of this.#waiting.splice(0, GOING_ON_MAX)) goOn();
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** What fails in one of them is no reason to leave out the others. */
  #endTurnOf(task: TurnTask): void {
    try {
      task.endTurn();
    } catch (error) {
      this.#log.error("the end of a turn failed", { error });
    }
  }
}
