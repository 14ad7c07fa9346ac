import { count, list, record, text, type ValueOf } from "@tutti/protocol";

/** So many are remembered; the one that entered first is struck out for one more. Four times as many as a node knows. */
const ENTRIES_MAX = 1_024;

const name = text(64, 1);

/** A node that may deliver. `entry` is of this one time that it entered, and never comes again. */
export const entryShape = record({ entry: name, node: name });
type Entry = ValueOf<typeof entryShape>;

/** Those who have entered, as a snapshot has them. */
export const enteredShape = record({ entries: list(entryShape, ENTRIES_MAX), struckCount: count });

/**
 * The nodes that may deliver, as the log of commands has it: a command waits for all of them. It is the same at every node that has taken the same log,
 * and nobody has to be heard for it.
 */
export class EnteredNodes {
  readonly #nodes = new Map<string, string>();
  #struckCount = 0;

  /** How many were struck out that did not say that they leave: those may deliver still, for as long as a lease lasts. */
  get struckCount(): number {
    return this.#struckCount;
  }

  enter({ entry, node }: Entry): void {
    this.#nodes.delete(entry);
    this.#nodes.set(entry, node);
    if (this.#nodes.size <= ENTRIES_MAX) return;
    const [oldest = ""] = this.#nodes.keys();
    this.strike(oldest);
  }

  /** Its node delivers nothing any more, and said so. */
  leave(entry: string): void {
    this.#nodes.delete(entry);
  }

  /** Its node was not heard for long. If it lives it reads this, and enters anew. */
  strike(entry: string): void {
    if (this.#nodes.delete(entry)) this.#struckCount++;
  }

  has(entry: string): boolean {
    return this.#nodes.has(entry);
  }

  /** The node of each entry. */
  all(): Iterable<readonly [entry: string, node: string]> {
    return this.#nodes;
  }

  stored(): ValueOf<typeof enteredShape> {
    return { entries: Array.from(this.#nodes, ([entry, node]) => ({ entry, node })), struckCount: this.#struckCount };
  }

  /** From now on these have entered, and no others. */
  restore({ entries, struckCount }: ValueOf<typeof enteredShape>): void {
    this.#nodes.clear();
    this.#struckCount = struckCount;
    for (const { entry, node } of entries) this.#nodes.set(entry, node);
  }
}
