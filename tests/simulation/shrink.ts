import type { Violation } from "./violation.js";
import { isMember, wholeOf, type Part, type Selection } from "./parts.js";

/** What a run of a selection shows. */
export interface Trial {
  readonly parts: readonly Part[];
  readonly endsAtMs: number;
  readonly violations: readonly Violation[];
}

/** The least of a failing run that still breaks the same promise. */
export interface Shrunk {
  readonly selection: Required<Selection>;
  readonly violations: readonly Violation[];
  /** How many runs it took. */
  readonly trials: number;
}

/** How much sooner a run may end, as parts of its time. */
const SHORTER = [0.25, 0.5, 0.75, 0.9, 0.97];

/**
 * Leaves out of a failing run what it does not need: whole faults and people, then strikes and acts, in halves and one by one, and the end of
 * its time; again until nothing can be left out. What remains is needed, each part of it, for the rule to be broken that the run broke first.
 *
 * @returns `undefined` where the run breaks nothing
 */
export async function shrink(run: (selection: Selection) => Promise<Trial>): Promise<Shrunk | undefined> {
  const whole = await run({});
  const rule = whole.violations[0]?.rule;
  if (rule === undefined) return undefined;
  const search = new Search(run, rule, whole);
  do {
    await search.leaveOut((part) => !isMember(part));
    await search.leaveOut(isMember);
  } while ((await search.endSooner()) || (await search.leaveOutOne()));
  return search.shrunk;
}

/** The smallest failing selection so far. */
class Search {
  readonly #run: (selection: Selection) => Promise<Trial>;
  readonly #rule: string;
  #parts: readonly Part[];
  #untilMs: number;
  #violations: readonly Violation[];
  #trials = 1;

  constructor(run: (selection: Selection) => Promise<Trial>, rule: string, { parts, endsAtMs, violations }: Trial) {
    this.#run = run;
    this.#rule = rule;
    this.#parts = parts;
    this.#untilMs = Math.ceil(endsAtMs);
    this.#violations = violations;
  }

  get shrunk(): Shrunk {
    const selection = { only: new Set(this.#parts), untilMs: this.#untilMs };
    return { selection, violations: this.#violations, trials: this.#trials };
  }

  /** Leaves out what it can of the parts that `isMeant` names, in ever smaller groups. */
  async leaveOut(isMeant: (part: Part) => boolean): Promise<void> {
    for (let size = this.#parts.filter(isMeant).length; size >= 1; size = Math.floor(size / 2)) {
      for (let start = 0, meant = this.#parts.filter(isMeant); start < meant.length; ) {
        const group = new Set(meant.slice(start, start + size));
        if (await this.#try(this.#without(group), this.#untilMs)) meant = this.#parts.filter(isMeant);
        else start += size;
      }
    }
  }

  /** Whether one part, whichever, could be left out. */
  async leaveOutOne(): Promise<boolean> {
    for (const part of this.#parts) if (await this.#try(this.#without(new Set([part])), this.#untilMs)) return true;
    return false;
  }

  /** Whether it could end a good deal sooner. */
  async endSooner(): Promise<boolean> {
    for (const share of SHORTER) if (await this.#try(this.#parts, Math.floor(this.#untilMs * share))) return true;
    return false;
  }

  /** The parts without some; with a whole go its members. */
  #without(left: ReadonlySet<Part>): readonly Part[] {
    return this.#parts.filter((part) => !left.has(part) && !left.has(wholeOf(part)));
  }

  /** Whether this fails as well; if so, what takes place of it is the smallest so far. */
  async #try(parts: readonly Part[], untilMs: number): Promise<boolean> {
    this.#trials++;
    const trial = await this.#run({ only: new Set(parts), untilMs });
    if (!trial.violations.some(({ rule }) => rule === this.#rule)) return false;
    // A strike that waited for its time beyond the end is no part any more.
    this.#parts = trial.parts.filter((part) => parts.includes(part));
    this.#untilMs = Math.min(untilMs, Math.ceil(trial.endsAtMs));
    this.#violations = trial.violations;
    return true;
  }
}
