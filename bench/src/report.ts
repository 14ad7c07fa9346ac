import { execFileSync } from "node:child_process";
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os";
import { keyOf, type Comparison, type Quantity, type Sample, type Scenario, type Size } from "./scenario.js";
import { quantileOf, spreadOf, type Spread } from "./statistics.js";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
}

/** What of the machine was in use by others, as the system counts it: processes that want to run, over the last minute. */
interface Load {
  readonly before: number;
  readonly after: number;
}

type Figures = Readonly<Record<string, Readonly<Record<string, Spread>>>>;

export interface Ratio extends Comparison {
  readonly ratio: Spread;
  readonly isGoalMet: boolean | undefined;
}

/** What a run gave: the figures, and where they come from. */
export interface Report {
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
  /** By contender and quantity; what could not be measured is not there. */
  readonly figures: Figures;
  /** Why a contender was not measured. */
  readonly missing: Readonly<Record<string, string>>;
  readonly ratios: readonly Ratio[];
  /** One for each round, by contender. */
  readonly rounds: readonly Readonly<Record<string, Sample>>[];
}

/** The commit of the sources, with a `+` where they were changed since. */
export function commit(): string {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    return git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "--untracked-files=no") === "" ? "" : "+");
  } catch {
    return "unknown";
  }
}

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  memoryBytes: totalmem(),
  system: `${platform()} ${release()} ${arch()}`,
});

export const loadNow = (): number => loadavg()[0] ?? 0;

type Rounds = Report["rounds"];

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

export function figuresOf({ quantities }: Scenario, contenders: readonly string[], rounds: Rounds): Figures {
  const figures = (contender: string): readonly (readonly [string, Spread])[] =>
    quantities.flatMap((quantity) =>
      pointsOf(quantity).flatMap((point) => {
        const spread = spreadIn(rounds, contender, quantity, point);
        return spread === undefined ? [] : [[keyOf(quantity.name, point), spread] as const];
      }),
    );
  return Object.fromEntries(contenders.map((contender) => [contender, Object.fromEntries(figures(contender))]));
}

/** Each ratio is of one round, whose contenders ran next to each other: what the machine did meanwhile is in both. */
export function ratiosOf({ comparisons, quantities }: Scenario, rounds: Rounds): readonly Ratio[] {
  const value = (sample: Sample | undefined, name: string, point: number | undefined): number | undefined => {
    const quantity = quantities.find((each) => each.name === name);
    if (quantity === undefined) throw new Error(`there is no quantity "${name}" to compare`);
    return valueOf(sample, quantity, point);
  };
  return comparisons.flatMap((comparison): readonly Ratio[] => {
    const { quantity, at, of, to, toQuantity = quantity, goal } = comparison;
    const toAt = comparison.toAt ?? (toQuantity === quantity ? at : undefined);
    const values = rounds.flatMap((round) => {
      const one = value(round[of], quantity, at);
      const other = to === undefined ? 1 : value(round[to], toQuantity, toAt);
      return one === undefined || other === undefined ? [] : [one / other];
    });
    if (values.length === 0) return [];
    const ratio = spreadOf(values);
    return [{ ...comparison, ratio, isGoalMet: goal && ratio.median >= (goal.atLeast ?? -Infinity) && ratio.median <= (goal.atMost ?? Infinity) }];
  });
}

const number = (value: number): string => {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
};
const spread = ({ median, min, max }: Spread): string => `${number(median)} (${number(min)} to ${number(max)})`;

function goalOf({ goal, isGoalMet }: Ratio): string {
  if (goal === undefined) return "";
  const wanted = [goal.atLeast !== undefined && `at least ${goal.atLeast}`, goal.atMost !== undefined && `at most ${goal.atMost}`];
  return `goal ${wanted.filter(Boolean).join(", ")}: ${isGoalMet ? "met" : "NOT MET"}`;
}

/** Columns as wide as what is in them. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("   ").trimEnd());
}

/** One table of all that is measured once, and one of each quantity that is measured at several points. */
function tablesOf({ figures }: Report, { quantities }: Scenario): readonly (readonly string[])[] {
  const contenders = Object.keys(figures);
  const cell = (contender: string, key: string): string => {
    const found = figures[contender]?.[key];
    return found === undefined ? "" : spread(found);
  };
  const single = quantities.filter(({ at }) => at === undefined);
  const rows = [["", ...single.map(({ name, unit }) => `${name}, ${unit}`)], ...contenders.map((contender) => [contender, ...single.map(({ name }) => cell(contender, name))])];
  const several = quantities.flatMap(({ name, unit, at }) => {
    if (at === undefined) return [];
    const measured = at.points.filter((point) => contenders.some((contender) => cell(contender, keyOf(name, point)) !== ""));
    const points = measured.map((point) => [String(point), ...contenders.map((contender) => cell(contender, keyOf(name, point)))]);
    return [[`${name}, ${unit}, by ${at.what}`, ...table([["", ...contenders], ...points])]];
  });
  return [...(single.length === 0 ? [] : [table(rows)]), ...several];
}

function nameOf({ quantity, at, of, to, toQuantity, toAt }: Ratio): string {
  const one = `${keyOf(quantity, at)}: ${of}`;
  if (to === undefined) return one;
  return toQuantity === undefined ? `${one} / ${to}` : `${one} / ${keyOf(toQuantity, toAt)} of ${to}`;
}

/** The report for people. */
export function textOf(report: Report, scenario: Scenario): string {
  const { what, size, rounds, node, pinnedTo, load, ratios, missing } = report;
  const { cpu, cores, system } = report.machine;
  const pinned = pinnedTo.length === 0 ? "no core of its own" : `on core ${pinnedTo.join(" and ")}`;
  return [
    `${report.scenario}: ${what}`,
    `${rounds.length} rounds${size === "tiny" ? " of next to nothing: these are no figures" : ""}; median (least to most)`,
    `${cpu}, ${cores} cores, ${system}, Node ${node}, commit ${report.commit}; ${pinned}; load ${number(load.before)} before, ${number(load.after)} after`,
    ...Object.entries(missing).map(([contender, why]) => `NOT MEASURED: ${contender}: ${why}`),
    ...tablesOf(report, scenario).flatMap((lines) => ["", ...lines]),
    "",
    ...table(ratios.map((ratio) => [nameOf(ratio), spread(ratio.ratio), size === "full" ? goalOf(ratio) : ""])),
  ].join("\n");
}
