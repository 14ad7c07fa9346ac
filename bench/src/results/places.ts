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

async function sectionOf(places: Places, scenario: Scenario): Promise<Section> {
  const [json, note] = await Promise.all([textIn(reportFile(places, scenario.name)), textIn(join(places.notes, `${scenario.name}.md`))]);
  // JSON has a null for a figure that is no number, such as a share of nothing: it was not measured.
  const measured = json === undefined ? undefined : (JSON.parse(json, (_, value: unknown) => value ?? undefined) as Measured);
  const report = measured && reportOf(measured, scenario);
  return { scenario, report, charts: report === undefined ? [] : chartsOf(report, scenario), note };
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
