import { execFileSync } from "node:child_process";
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os";
import type { Comparison, Sample, Scenario, Size } from "./scenario.js";
import { spreadOf, type Spread } from "./statistics.js";

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
  /** By contender and quantity. */
  readonly figures: Readonly<Record<string, Readonly<Record<string, Spread>>>>;
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

/** @throws Error where a contender did not measure it */
function valueOf(round: Rounds[number], contender: string, quantity: string): number {
  const value = round[contender]?.[quantity];
  if (value === undefined || !Number.isFinite(value)) throw new Error(`${contender} has no figure for ${quantity}`);
  return value;
}

export function figuresOf({ contenders, quantities }: Scenario, rounds: Rounds): Report["figures"] {
  const figures = (contender: string) =>
    Object.fromEntries(quantities.map(({ name }) => [name, spreadOf(rounds.map((round) => valueOf(round, contender, name)))]));
  return Object.fromEntries(contenders.map((contender) => [contender, figures(contender)]));
}

/** Each ratio is of one round, whose contenders ran next to each other: what the machine did meanwhile is in both. */
export function ratiosOf({ comparisons }: Scenario, rounds: Rounds): readonly Ratio[] {
  return comparisons.map((comparison) => {
    const { quantity, of, to, goal } = comparison;
    const ratio = spreadOf(rounds.map((round) => valueOf(round, of, quantity) / valueOf(round, to, quantity)));
    const isGoalMet = goal && ratio.median >= (goal.atLeast ?? -Infinity) && ratio.median <= (goal.atMost ?? Infinity);
    return { ...comparison, ratio, isGoalMet };
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

/** The report for people. */
export function textOf(report: Report, { quantities }: Scenario): string {
  const { scenario, what, size, rounds, node, pinnedTo, load, figures, ratios } = report;
  const { cpu, cores, system } = report.machine;
  const pinned = pinnedTo.length === 0 ? "no core of its own" : `on core ${pinnedTo.join(" and ")}`;
  return [
    `${scenario}: ${what}`,
    `${rounds.length} rounds${size === "tiny" ? " of next to nothing: these are no figures" : ""}; median (least to most)`,
    `${cpu}, ${cores} cores, ${system}, Node ${node}, commit ${report.commit}; ${pinned}; load ${number(load.before)} before, ${number(load.after)} after`,
    "",
    ...table([["", ...quantities.map(({ name, unit }) => `${name}, ${unit}`)], ...Object.entries(figures).map(([contender, by]) => [contender, ...Object.values(by).map(spread)])]),
    "",
    ...table(ratios.map((ratio) => [`${ratio.quantity}: ${ratio.of} / ${ratio.to}`, spread(ratio.ratio), size === "full" ? goalOf(ratio) : ""])),
  ].join("\n");
}
