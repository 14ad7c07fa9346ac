/**
 * A part of a run, by name: a fault (`cut`), one of its strikes (`cut#3`), somebody who acts (`ada`), one of their acts (`ada@17`). Each draws
 * from random streams of its own, so that leaving one out changes nothing in what the others draw.
 */
export type Part = string;

/** What of a run takes place. */
export interface Selection {
  /** Only these parts, and what they belong to; all of them unless given. */
  readonly only?: ReadonlySet<Part>;
  /** Ends the faults and the acts at this time, unless they end before; simulated milliseconds. */
  readonly untilMs?: number;
}

/** Everything that the seed has. */
export const everything: Selection = {};

const MEMBER = /[#@]\d+$/;

/** The fault or the person that a strike or an act belongs to; a whole belongs to itself. */
export function wholeOf(part: Part): Part {
  return part.replace(MEMBER, "");
}

export function isMember(part: Part): boolean {
  return MEMBER.test(part);
}

/** Decides which parts take place, and remembers those that did. */
export class Parts {
  readonly #only: ReadonlySet<Part> | undefined;
  readonly #wholes: ReadonlySet<Part>;
  readonly #taken = new Set<Part>();

  constructor({ only }: Selection) {
    this.#only = only;
    this.#wholes = new Set([...(only ?? [])].map(wholeOf));
  }

  /** The parts that took place, in the order in which they began. */
  get taken(): readonly Part[] {
    return [...this.#taken];
  }

  /** Whether a part takes place; it does so now. */
  take(part: Part): boolean {
    const isTaken = this.#only === undefined || this.#only.has(part) || this.#wholes.has(part);
    if (isTaken) this.#taken.add(part);
    return isTaken;
  }
}

/** Parts as a command has them: a whole is implied by its members. */
export function listOf(parts: ReadonlySet<Part>): string {
  const implied = new Set([...parts].filter(isMember).map(wholeOf));
  return [...parts].filter((part) => !implied.has(part)).toSorted().join(",");
}
