import type { Comparison } from "../scenario.js";
import { meets, type Ratio } from "../report.js";
import type { Spread } from "../statistics.js";

/** Stands where there is no figure. */
export const noFigure = "–";

const digits = 3;
const digitsMax = 9;

const rounded = (value: number, digitCount: number): number => Number(value.toPrecision(digitCount));

/** So many digits that what is almost a whole, such as 99.97 %, does not look like one. */
function digitsOf(value: number, isEnough: (rounded: number) => boolean = () => true): number {
  const isFalseWhole = (digitCount: number): boolean => rounded(value, digitCount) > value && Number.isInteger(Math.log10(rounded(value, digitCount)));
  let count = digits;
  while (count < digitsMax && (isFalseWhole(count) || !isEnough(rounded(value, count)))) count++;
  return count;
}

/** A figure for people: three digits that count, or a few more where they would deceive. */
export const numberText = (value: number, digitCount = digitsOf(value)): string => value.toLocaleString("en", { maximumSignificantDigits: digitCount });

/** As short as an axis needs it: `20M`. */
export const shortNumberText = (value: number): string =>
  value.toLocaleString("en", { maximumSignificantDigits: digits, notation: Math.abs(value) >= 1e6 ? "compact" : "standard" });

/** A contender that is called by a number is one for people. */
export const nameText = (contender: string): string => (/^\d+$/.test(contender) ? Number(contender).toLocaleString("en") : contender);

/**
 * With the least and the most of the rounds, where they differ.
 *
 * @param isEnough whether a rounded median says what the median says
 */
export function spreadText({ median, min, max }: Spread, isEnough?: (rounded: number) => boolean): string {
  const middle = numberText(median, digitsOf(median, isEnough));
  const [least, most] = [numberText(min), numberText(max)];
  return least === most ? middle : `${middle} (${least} to ${most})`;
}

/** What a comparison came to, in as many digits as show that it meets its goal or does not. */
export const ratioText = ({ ratio, goal }: Ratio): string =>
  ratio === undefined ? noFigure : spreadText(ratio, (median) => meets(goal, median) === meets(goal, ratio.median));

/** With half of what the rounds lie apart, as a share: `4.5 ±9%`. */
export function shortSpreadText({ median, min, max }: Spread): string {
  const half = Math.round(((max - min) / 2 / Math.abs(median)) * 100);
  return Number.isFinite(half) && half > 0 ? `${numberText(median)} ±${numberText(half)}%` : numberText(median);
}

/** @param unit what stands behind each figure, with the space before it */
export function goalText({ goal }: Comparison, unit: string): string {
  const { atLeast, atMost } = goal ?? {};
  if (atLeast !== undefined && atLeast === atMost) return `${numberText(atLeast)}${unit}`;
  return [atLeast !== undefined && `≥ ${numberText(atLeast)}${unit}`, atMost !== undefined && `≤ ${numberText(atMost)}${unit}`].filter(Boolean).join(", ");
}

export const verdictText: Readonly<Record<Ratio["verdict"], string>> = { met: "met", "not met": "NOT MET", "not measured": "not measured", "no goal": "" };
