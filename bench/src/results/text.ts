import { otherOf, type Ratio, type Report } from "../report.js";
import { keyOf, type Comparison, type Scenario } from "../scenario.js";
import { goalText, nameText, noFigure, numberText, ratioText, shortSpreadText, verdictText } from "./number.js";
import { detailQuantities, mainQuantities, quantityText, tablesOf, type Table } from "./tables.js";

/** What a head is broken at, so that a column is hardly wider than its figures. */
const headWidthMax = 16;

function linesOf(words: string): readonly string[] {
  const lines: string[] = [];
  for (const word of words.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= headWidthMax) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Columns as wide as what is in them: the first one begins at its left, figures end at their right. */
function aligned(rows: readonly (readonly string[])[], pad: (cell: string, width: number) => string): readonly string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const padded = (cell: string, column: number): string => (column === 0 ? cell.padEnd(widths[0] ?? 0) : pad(cell, widths[column] ?? 0));
  return rows.map((row) => row.map(padded).join("   ").trimEnd());
}

function tableLines({ quantity, columns, rows }: Table): readonly string[] {
  const heads = columns.map((column) => linesOf(nameText(column)));
  const height = Math.max(...heads.map((lines) => lines.length));
  const head = Array.from({ length: height }, (_, line) => ["", ...heads.map((lines) => lines[line - height + lines.length] ?? "")]);
  const body = rows.map(({ name, figures }) => [nameText(name), ...figures.map((figure) => (figure === undefined ? noFigure : shortSpreadText(figure)))]);
  const title = quantity === undefined ? [] : [quantityText(quantity)];
  return ["", ...title, ...aligned([...head, ...body], (cell, width) => cell.padStart(width))];
}

function nameOf(comparison: Comparison): string {
  const { quantity, at, of, to, toQuantity, by } = comparison;
  const one = `${keyOf(quantity, at)}: ${of}`;
  if (to === undefined) return one;
  const other = otherOf(comparison);
  const sign = by === "difference" ? "−" : "/";
  return `${one} ${sign} ${toQuantity === undefined ? to : `${keyOf(other.quantity, other.at)} of ${to}`}`;
}

const goalOf = (ratio: Ratio): string => (ratio.goal === undefined ? "" : `goal ${goalText(ratio, "")}: ${verdictText[ratio.verdict]}`);

/** The report for people at a terminal. */
export function textOf(report: Report, scenario: Scenario): string {
  const { what, size, rounds, node, pinnedTo, load, ratios, missing, notes } = report;
  const { cpu, cores, system } = report.machine;
  const pinned = pinnedTo.length === 0 ? "no core of its own" : `on core ${pinnedTo.join(" and ")}`;
  const spread = rounds.length === 1 ? "1 round" : `${rounds.length} rounds: their median, ± half of what they lie apart`;
  const details = tablesOf(report, detailQuantities(scenario));
  return [
    `${report.scenario}: ${what}`,
    `${spread}${size === "tiny" ? "; of next to nothing: these are no figures" : ""}`,
    `${cpu}, ${cores} cores, ${system}, Node ${node}, commit ${report.commit}; ${pinned}; load ${numberText(load.before)} before, ${numberText(load.after)} after`,
    ...Object.entries(notes).map(([contender, note]) => `${contender}: ${note}`),
    ...Object.entries(missing).map(([contender, why]) => `NOT MEASURED: ${contender}: ${why}`),
    ...tablesOf(report, mainQuantities(scenario)).flatMap(tableLines),
    ...(details.length === 0 ? [] : ["", "What explains them:", ...details.flatMap(tableLines)]),
    "",
    ...aligned(
      ratios.map((ratio) => [nameOf(ratio), ratioText(ratio), size === "full" ? goalOf(ratio) : ""]),
      (cell, width) => cell.padEnd(width),
    ),
  ].join("\n");
}
