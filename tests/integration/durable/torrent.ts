import type { Position } from "@tutti/protocol";

/** Publishes at full speed: so many under way at all times, each with its number in its id. */
export class Torrent {
  readonly name: string;
  /** What was acknowledged, by id. */
  readonly acks = new Map<string, Position>();
  /** What ended otherwise. */
  readonly failures: unknown[] = [];
  readonly #publish: (id: string) => Promise<{ readonly position: Position }>;
  readonly #lanes: Promise<void>[];
  #made = 0;
  #isOver = false;
  #wake: (() => void)[] = [];

  constructor(name: string, width: number, publish: (id: string) => Promise<{ readonly position: Position }>) {
    this.name = name;
    this.#publish = publish;
    this.#lanes = Array.from({ length: width }, () => this.#lane());
  }

  /** The ids of all that was published, in its order. */
  get ids(): readonly string[] {
    return Array.from({ length: this.#made }, (_, index) => `${this.name}-${index}`);
  }

  /** Resolves with the next acknowledgement. */
  acknowledged(): Promise<void> {
    return new Promise((resolve) => void this.#wake.push(resolve));
  }

  /** Publishes nothing more, and resolves when everything has ended one way or the other. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#lanes);
  }

  async #lane(): Promise<void> {
    while (!this.#isOver) {
      const id = `${this.name}-${this.#made++}`;
      try {
        const { position } = await this.#publish(id);
        this.acks.set(id, position);
      } catch (error) {
        this.failures.push(error);
      }
      for (const wake of this.#wake.splice(0)) wake();
    }
  }
}
