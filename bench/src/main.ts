import { join } from "node:path";
import { readCommand, type Command, type Plan } from "./command-line.js";
import type { Report } from "./report.js";
import { keepReport, placesIn, writePage, writeReport } from "./results/places.js";
import { textOf } from "./results/text.js";
import { runScenario } from "./run.js";
import { scenarioNames, scenarioOf } from "./scenarios.js";

const scenarios = scenarioNames.map(scenarioOf);
const places = placesIn(join(import.meta.dirname, ".."));

async function measure(plan: Plan): Promise<Report> {
  const report = await runScenario(plan);
  console.log(textOf(report, plan.scenario));
  await keepReport(places, report);
  return report;
}

/** One after the other; one that fails leaves the others their figures. @throws (rejects) Error that names those that failed */
async function measureAll(plans: readonly Plan[]): Promise<void> {
  const failed: string[] = [];
  let kept = 0;
  for (const plan of plans) {
    try {
      const { size } = await measure(plan);
      if (size === "full") kept++;
    } catch (error) {
      failed.push(plan.scenario.name);
      console.error(`${plan.scenario.name} failed:`, error);
    }
  }
  if (kept > 0) await writePage(places, scenarios);
  if (failed.length > 0) throw new Error(`${failed.length} of ${plans.length} failed: ${failed.join(", ")}`);
}

async function run(command: Command): Promise<void> {
  switch (command.kind) {
    case "list":
      console.log(scenarioNames.join("\n"));
      return;
    case "results":
      return writePage(places, scenarios);
    case "all":
      return measureAll(command.plans);
    case "one": {
      const report = await measure(command.plan);
      if (command.json !== undefined) await writeReport(command.json, report);
    }
  }
}

// By way of `exit`, so that what was started and made for the run goes with it.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));

try {
  await run(readCommand(process.argv.slice(2), scenarios));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
