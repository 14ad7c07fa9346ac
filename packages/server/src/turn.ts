import type { Environment } from "@tutti/protocol";

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
  #channels = new Set<TurnTask>();
  #connections = new Set<TurnTask>();
  #isScheduled = false;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  addChannel(channel: TurnTask): void {
    this.#channels.add(channel);
    this.#schedule();
  }

  addConnection(connection: TurnTask): void {
    this.#connections.add(connection);
    this.#schedule();
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
    for (const channel of channels) channel.endTurn();
    const connections = this.#connections;
    this.#connections = new Set();
    for (const connection of connections) connection.endTurn();
  }
}
