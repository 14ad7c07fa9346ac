import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { reportOf, type Report } from "../../src/report.js";
import { keepReport, placesIn, writePage, type Places } from "../../src/results/places.js";
import { madeUp, madeUpMeasured } from "../support/made-up.js";

const scenario = madeUp();
const scenarios = [scenario, madeUp({ name: "log" })];
const report: Report = reportOf(madeUpMeasured(), scenario);

let folder: string;
let places: Places;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tutti-results-"));
  places = placesIn(folder);
});

afterEach(() => rm(folder, { recursive: true }));

/** All that was written, by its path. */
async function written(): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(await Promise.all(files.toSorted().map(async (file) => [file.slice(folder.length + 1), await readFile(file, "utf8")] as const)));
}

test("a tiny run leaves nothing", async () => {
  await keepReport(places, { ...report, size: "tiny" });
  expect(await written()).toEqual({});
});

test("the page is written from the reports that are kept, and again the same", async () => {
  await keepReport(places, report);
  await writePage(places, scenarios);
  const first = await written();
  expect(Object.keys(first)).toEqual([".results/room.json", "RESULTS.md", "charts/room-cpu.svg", "charts/room-highest.svg", "charts/room-p50.svg"]);
  await writePage(places, scenarios);
  expect(await written()).toEqual(first);
});

test("a figure that is no number survives the file as one that was not measured", async () => {
  const tutti = { highest: NaN, "cpu at 10": 4 };
  await keepReport(places, reportOf(madeUpMeasured({ rounds: [{ tutti }] }), scenario));
  await writePage(places, scenarios);
  expect((await written())["RESULTS.md"]).toContain("| tutti: – | ws: – | – | ≥ 100 × | not measured |");
});

test("what people wrote is taken in and left alone, and charts of before go", async () => {
  await keepReport(places, report);
  await mkdir(places.notes);
  await mkdir(places.charts);
  await writeFile(join(places.notes, "room.md"), "It is made up.\n");
  await writeFile(join(places.charts, "gone.svg"), "<svg/>");
  await writePage(places, scenarios);
  const files = await written();
  expect(files["notes/room.md"]).toBe("It is made up.\n");
  expect(files["RESULTS.md"]).toContain("\nIt is made up.\n");
  expect(files["charts/gone.svg"]).toBeUndefined();
});

test("without a report there is no page, and one that is there stays", async () => {
  await writeFile(places.page, "before");
  await expect(writePage(places, scenarios)).rejects.toThrow("measure first");
  expect((await written())["RESULTS.md"]).toBe("before");
});

test("a report of other benchmarks than these is refused by its file", async () => {
  await keepReport(places, report);
  await writeFile(join(places.reports, "room.json"), '{"scenario":"room","rounds":[]}');
  await expect(writePage(places, scenarios)).rejects.toThrow('room.json has no "what": measure that benchmark again');
});
