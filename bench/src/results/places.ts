import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { reportOf, type Measured, type Report } from "../report.js";
import type { Scenario } from "../scenario.js";
import { chartsOf, type Chart } from "./chart.js";
import { pageOf, type Section } from "./page.js";

/** Where the results of the benchmarks are. */
export interface Places {
  /** The newest report of each scenario, as JSON: this machine's alone. */
  readonly reports: string;
  readonly page: string;
  readonly charts: string;
  /** What people wrote about the figures of a scenario, each in a file of its name. */
  readonly notes: string;
}

export const placesIn = (folder: string): Places => ({
  reports: join(folder, ".results"),
  page: join(folder, "RESULTS.md"),
  charts: join(folder, "charts"),
  notes: join(folder, "notes"),
});

const reportFile = (places: Places, name: string): string => join(places.reports, `${name}.json`);

/** Writes a report, with all samples. */
export const writeReport = (file: string, report: Report): Promise<void> => writeFile(file, `${JSON.stringify(report)}\n`);

/** Keeps a report for the page, instead of the one before. What is next to nothing has no figures, and is not kept. */
export async function keepReport(places: Places, report: Report): Promise<void> {
  if (report.size === "tiny") return;
  await mkdir(places.reports, { recursive: true });
  await writeReport(reportFile(places, report.scenario), report);
}

const textIn = (file: string): Promise<string | undefined> =>
  readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });

/** What a report that is kept has to have; all of it follows from one run. */
const fields: Readonly<Record<keyof Measured, true>> = {
  scenario: true,
  what: true,
  size: true,
  startedAt: true,
  machine: true,
  node: true,
  commit: true,
  pinnedTo: true,
  load: true,
  missing: true,
  notes: true,
  rounds: true,
};

/** @throws Error for a report that these benchmarks did not write as they are now */
function measuredIn(json: string, file: string): Measured {
  // JSON has a null for a figure that is no number, such as a share of nothing: it was not measured.
  const value = JSON.parse(json, (_, each: unknown) => each ?? undefined) as Partial<Measured>;
  const absent = Object.keys(fields).find((field) => !(field in value));
  if (absent !== undefined) throw new Error(`${file} has no "${absent}": measure that benchmark again, or delete the file`);
  return value as Measured;
}

async function sectionOf(places: Places, scenario: Scenario): Promise<Section> {
  const file = reportFile(places, scenario.name);
  const [json, note] = await Promise.all([textIn(file), textIn(join(places.notes, `${scenario.name}.md`))]);
  if (json === undefined) return { scenario, report: undefined, charts: [], note };
  const report = reportOf(measuredIn(json, file), scenario);
  return { scenario, report, charts: chartsOf(report, scenario), note };
}

async function writeCharts({ charts: folder }: Places, charts: readonly Chart[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  const files = new Map(charts.map(({ file, svg }) => [file, svg]));
  for (const file of await readdir(folder)) {
    if (file.endsWith(".svg") && !files.has(file)) await rm(join(folder, file));
  }
  for (const [file, svg] of files) await writeFile(join(folder, file), svg);
}

/**
 * Writes the page and its charts from the reports that are kept: the same reports give the same bytes.
 *
 * @throws (rejects) Error where no report is kept
 */
export async function writePage(places: Places, scenarios: readonly Scenario[]): Promise<void> {
  const sections = await Promise.all(scenarios.map((scenario) => sectionOf(places, scenario)));
  if (sections.every(({ report }) => report === undefined)) throw new Error(`there is no report in ${places.reports}: measure first`);
  await writeCharts(places, sections.flatMap(({ charts }) => charts));
  await writeFile(places.page, pageOf(sections));
}
