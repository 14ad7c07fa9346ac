import type { Machine } from "./origin.js";
import { keyOf, type Comparison, type Quantity, type Sample, type Scenario, type Size } from "./scenario.js";
import { quantileOf, spreadOf, type Spread } from "./statistics.js";

/** What of the machine was in use, by the measurement as well as by others. */
interface Load {
  readonly before: number;
  readonly after: number;
}

type Figures = Readonly<Record<string, Readonly<Record<string, Spread>>>>;

/** One for each round, by contender. */
type Rounds = readonly Readonly<Record<string, Sample>>[];

/** What a comparison came to. */
export interface Ratio extends Comparison {
  /** `undefined` where one of the two was not measured. */
  readonly ratio: Spread | undefined;
  readonly verdict: "met" | "not met" | "not measured" | "no goal";
}

/** What was measured, and where. */
export interface Measured {
  readonly scenario: string;
  readonly what: string;
  readonly size: Size;
  readonly startedAt: string;
  readonly machine: Machine;
  readonly node: string;
  readonly commit: string;
  /** The core of the measured process, and of what loads it; empty where cores cannot be chosen. */
  readonly pinnedTo: readonly number[];
  readonly load: Load;
  /** Why a contender was not measured. */
  readonly missing: Readonly<Record<string, string>>;
  /** What has to be known of a contender that was. */
  readonly notes: Readonly<Record<string, string>>;
  readonly rounds: Rounds;
}

/** What was measured, and what follows from it. */
export interface Report extends Measured {
  /** By contender and quantity; what could not be measured is not there. */
  readonly figures: Figures;
  readonly ratios: readonly Ratio[];
}

/** The figures of one contender in one sample: those that were measured, and the quantiles. */
function valueOf(sample: Sample | undefined, quantity: Quantity, point: number | undefined): number | undefined {
  const { name, quantile } = quantity;
  const figure = sample?.[keyOf(quantile?.of ?? name, point)];
  if (figure === undefined || (typeof figure === "object" && figure.length === 0)) return undefined;
  if (typeof figure === "number") return Number.isFinite(figure) ? figure : undefined;
  return quantileOf(figure, quantile?.share ?? 0.5);
}

/** All rounds of a contender: the median, or of samples the quantile of all together; and how far the rounds lie apart. */
function spreadIn(rounds: Rounds, contender: string, quantity: Quantity, point: number | undefined): Spread | undefined {
  const values = rounds.map((round) => valueOf(round[contender], quantity, point)).filter((value) => value !== undefined);
  if (values.length === 0) return undefined;
  const spread = spreadOf(values);
  if (quantity.quantile === undefined) return spread;
  const { of, share } = quantity.quantile;
  const all = rounds.flatMap((round) => round[contender]?.[keyOf(of, point)] ?? []);
  return { ...spread, median: quantileOf(all, share) };
}

const pointsOf = ({ at }: Quantity): readonly (number | undefined)[] => at?.points ?? [undefined];

/** Those that a scenario has and that were measured, in its order. */
const contendersIn = ({ contenders }: Scenario, rounds: Rounds): readonly string[] =>
  contenders.filter((contender) => rounds.some((round) => round[contender] !== undefined));

function figuresOf(scenario: Scenario, rounds: Rounds): Figures {
  const figures = (contender: string): readonly (readonly [string, Spread])[] =>
    scenario.quantities.flatMap((quantity) =>
      pointsOf(quantity).flatMap((point) => {
        const spread = spreadIn(rounds, contender, quantity, point);
        return spread === undefined ? [] : [[keyOf(quantity.name, point), spread] as const];
      }),
    );
  return Object.fromEntries(contendersIn(scenario, rounds).map((contender) => [contender, Object.fromEntries(figures(contender))]));
}

/** What the figure is divided by: the same of the other one, at the same point, unless the comparison says otherwise. */
export function otherOf({ quantity, at, toQuantity = quantity, toAt }: Comparison): { readonly quantity: string; readonly at: number | undefined } {
  return { quantity: toQuantity, at: toAt ?? (toQuantity === quantity ? at : undefined) };
}

export const meets = (goal: Comparison["goal"], value: number): boolean => value >= (goal?.atLeast ?? -Infinity) && value <= (goal?.atMost ?? Infinity);

function verdictOf({ goal }: Comparison, ratio: Spread | undefined): Ratio["verdict"] {
  if (goal === undefined) return "no goal";
  if (ratio === undefined) return "not measured";
  return meets(goal, ratio.median) ? "met" : "not met";
}

/** Each ratio is of one round, whose contenders ran next to each other: what the machine did meanwhile is in both. */
function ratiosOf({ comparisons, quantities }: Scenario, rounds: Rounds): readonly Ratio[] {
  const value = (sample: Sample | undefined, name: string, point: number | undefined): number | undefined => {
    const quantity = quantities.find((each) => each.name === name);
    if (quantity === undefined) throw new Error(`there is no quantity "${name}" to compare`);
    return valueOf(sample, quantity, point);
  };
  return comparisons.map((comparison) => {
    const { quantity, at, of, to } = comparison;
    const other = otherOf(comparison);
    const values = rounds.flatMap((round) => {
      const one = value(round[of], quantity, at);
      const two = to === undefined ? 1 : value(round[to], other.quantity, other.at);
      const result = one === undefined || two === undefined ? NaN : comparison.by === "difference" ? one - two : one / two;
      return Number.isNaN(result) ? [] : [result];
    });
    const ratio = values.length === 0 ? undefined : spreadOf(values);
    return { ...comparison, ratio, verdict: verdictOf(comparison, ratio) };
  });
}

/** Works out what follows from what was measured, by the quantities and goals that the scenario has now. */
export const reportOf = (measured: Measured, scenario: Scenario): Report => ({
  ...measured,
  figures: figuresOf(scenario, measured.rounds),
  ratios: ratiosOf(scenario, measured.rounds),
});
