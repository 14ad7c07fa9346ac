import { otherOf, type Ratio, type Report } from "../report.js";
import { keyOf, type Scenario } from "../scenario.js";
import type { Chart } from "./chart.js";
import { goalText, nameText, noFigure, numberText, ratioText, spreadText, verdictText } from "./number.js";
import { detailQuantities, mainQuantities, quantityText, tablesOf, type Table } from "./tables.js";

/** What the page says of one scenario. */
export interface Section {
  readonly scenario: Scenario;
  /** `undefined` where it was not measured. */
  readonly report: Report | undefined;
  readonly charts: readonly Chart[];
  /** What people wrote about it, in Markdown. */
  readonly note: string | undefined;
}

type MeasuredSection = Section & { readonly report: Report };

const escaped = (cell: string): string => cell.replaceAll("|", "\\|");

/** @param leftColumns so many columns are words; the others are figures, and end at their right */
function markdownTable(head: readonly string[], rows: readonly (readonly string[])[], leftColumns: number): readonly string[] {
  const row = (cells: readonly string[]): string => `| ${cells.map(escaped).join(" | ")} |`;
  return [row(head), row(head.map((_, column) => (column < leftColumns ? "---" : "---:"))), ...rows.map(row)];
}

const tableLines = ({ columns, rows, quantity }: Table): readonly string[] =>
  markdownTable(
    [quantity?.at?.what ?? "", ...columns.map(nameText)],
    rows.map(({ name, figures }) => [nameText(name), ...figures.map((figure) => (figure === undefined ? noFigure : spreadText(figure)))]),
    quantity === undefined ? 1 : 0,
  );

const chartLine = ({ text, file }: Chart): string => `![${text}](charts/${file})`;

/** A table with what is drawn of it. */
function tableSection(table: Table, charts: readonly Chart[]): readonly string[] {
  const { quantity } = table;
  const drawn = charts.filter((chart) => (quantity === undefined ? chart.quantity.at === undefined : chart.quantity === quantity));
  const title = quantity === undefined ? [] : [`### ${quantityText(quantity)}`, ""];
  return [...title, ...drawn.map(chartLine), ...(drawn.length === 0 ? [] : [""]), ...tableLines(table), ""];
}

/** A comparison: the two figures, and the one by the other; or the one alone. */
function ratioCells(ratio: Ratio, { report, scenario }: MeasuredSection): readonly string[] {
  const { quantity, at, of, to } = ratio;
  const measured = scenario.quantities.find(({ name }) => name === quantity);
  const point = at === undefined ? "" : ` at ${at.toLocaleString("en")} ${measured?.at?.what ?? ""}`.trimEnd();
  const what = `${quantity}${point}, ${measured?.unit ?? ""}`;
  if (to === undefined) return [what, `${nameText(of)}: ${ratioText(ratio)}`, "", "", goalText(ratio, "")];
  const figureAt = (contender: string, key: string): string => {
    const figure = report.figures[contender]?.[key];
    return figure === undefined ? noFigure : spreadText(figure);
  };
  const other = otherOf(ratio);
  const [key, otherKey] = [keyOf(quantity, at), keyOf(other.quantity, other.at)];
  const beside = otherKey === key ? nameText(to) : `${nameText(to)}, ${otherKey}`;
  const unit = ratio.by === "difference" ? " more" : " ×";
  return [what, `${nameText(of)}: ${figureAt(of, key)}`, `${beside}: ${figureAt(to, otherKey)}`, `${ratioText(ratio)}${ratio.ratio === undefined ? "" : unit}`, goalText(ratio, unit)];
}

const ratioHead = ["what", "measured", "beside", "ratio"];

const verdictLook: Readonly<Record<Ratio["verdict"], string>> = { ...verdictText, "not met": "**not met**" };

function goalLines(sections: readonly MeasuredSection[]): readonly string[] {
  const rows = sections.flatMap((section) =>
    section.report.ratios
      .filter(({ goal }) => goal !== undefined)
      .map((ratio) => [`[${section.scenario.name}](#${section.scenario.name})`, ...ratioCells(ratio, section), verdictLook[ratio.verdict]]),
  );
  return rows.length === 0 ? [] : ["## Goals", "", ...markdownTable(["", ...ratioHead, "goal", ""], rows, 7), ""];
}

/** What has to be known of contenders: of those that were measured, and why the others were not. */
function contenderLines({ scenario, report }: MeasuredSection): readonly string[] {
  const absent = scenario.contenders.filter((contender) => report.figures[contender] === undefined);
  const reasons = absent.map((contender) => `- Not measured: **${nameText(contender)}**: ${report.missing[contender] ?? "it was not asked for in this run"}`);
  const notes = Object.entries(report.notes).map(([contender, note]) => `- **${nameText(contender)}**: ${note}`);
  const lines = [...notes, ...reasons].map((line) => line.replaceAll(/\s+/g, " "));
  return lines.length === 0 ? [] : [...lines, ""];
}

function otherRatioLines(section: MeasuredSection): readonly string[] {
  const ratios = section.report.ratios.filter(({ goal }) => goal === undefined);
  if (ratios.length === 0) return [];
  return ["### Beside each other, without a goal", "", ...markdownTable(ratioHead, ratios.map((ratio) => ratioCells(ratio, section).slice(0, ratioHead.length)), ratioHead.length), ""];
}

function detailLines({ scenario, report }: MeasuredSection): readonly string[] {
  const tables = tablesOf(report, detailQuantities(scenario));
  if (tables.length === 0) return [];
  const inside = tables.flatMap((table) => [...(table.quantity === undefined ? [] : [`**${quantityText(table.quantity)}**`, ""]), ...tableLines(table), ""]);
  return ["<details>", "<summary>What explains these figures</summary>", "", ...inside, "</details>", ""];
}

function scenarioLines(section: MeasuredSection): readonly string[] {
  const { scenario, report, charts, note } = section;
  return [
    `## ${scenario.name}`,
    "",
    `${report.what.slice(0, 1).toUpperCase()}${report.what.slice(1)}.`,
    "",
    ...contenderLines(section),
    ...tablesOf(report, mainQuantities(scenario)).flatMap((table) => tableSection(table, charts)),
    ...otherRatioLines(section),
    ...(note === undefined ? [] : [note.trim(), ""]),
    ...detailLines(section),
  ];
}

function machineText({ machine: { cpu, cores, memoryBytes, system }, node, pinnedTo }: Report): string {
  const pinned = pinnedTo.length === 0 ? "no process on a core of its own" : `processes pinned to core ${pinnedTo.join(" and ")}`;
  return `${cpu}, ${cores} cores, ${numberText(memoryBytes / 2 ** 30)} GiB, ${system}, Node ${node}, ${pinned}`;
}

function originLines(sections: readonly MeasuredSection[]): readonly string[] {
  const machines = [...new Set(sections.map(({ report }) => machineText(report)))];
  const namesOn = (text: string): string => sections.filter(({ report }) => machineText(report) === text).map(({ scenario }) => scenario.name).join(", ");
  const listed = machines.map((text) => (machines.length === 1 ? `- ${text}` : `- ${namesOn(text)}: ${text}`));
  const rows = sections.map(({ scenario: { name }, report: { startedAt, commit, rounds, load } }) => [
    `[${name}](#${name})`,
    startedAt.slice(0, 16).replace("T", " "),
    `\`${commit}\``,
    String(rounds.length),
    numberText(load.before),
    numberText(load.after),
  ]);
  const legend = "A `+` behind a commit says that the sources had changes. The load is that of the whole machine, in processes that want to run, over the last minute: what was measured just before is in it, too.";
  return ["## Where it was measured", "", ...listed, "", ...markdownTable(["", "began, UTC", "commit", "rounds", "load before", "load after"], rows, 3), "", legend, ""];
}

const preamble = [
  "<!-- Written by `npm run bench -- results`. What people have to say about a scenario goes into notes/NAME.md. -->",
  "",
  "# Results of the benchmarks",
  "",
  "Everything here was measured by `npm run bench -- all`: the contenders of a scenario one after the other, round by round. A figure is the median of the rounds,",
  "of latencies the quantile of all samples together, with the least and the most of the rounds behind it; a ratio is the median of the ratios of each round.",
  `A ${noFigure} stands where there is no figure, for example where a contender was saturated before. Figures of different machines do not compare.`,
  "",
];

/** The page of results, in Markdown. */
export function pageOf(sections: readonly Section[]): string {
  const measured = sections.filter((section): section is MeasuredSection => section.report !== undefined);
  const others = sections.filter(({ report }) => report === undefined).map(({ scenario }) => scenario.name);
  const unmeasured = others.length === 0 ? [] : [`Not measured: ${others.join(", ")}.`, ""];
  const lines = [...preamble, ...unmeasured, ...goalLines(measured), ...originLines(measured), ...measured.flatMap(scenarioLines)];
  return `${lines.join("\n").trimEnd()}\n`;
}
