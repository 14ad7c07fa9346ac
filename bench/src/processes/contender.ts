// Does one task for one contender, tells what it gave, and ends.
import type { Sample } from "../scenario.js";
import type { Task } from "../measure.js";
import { scenarioOf } from "../scenarios.js";

const { what, contender, run, scenario: name } = JSON.parse(process.argv[2] ?? "") as Task;
const scenario = scenarioOf(name);

async function sample(): Promise<Sample> {
  if (what === "measure") return scenario.measure(contender, run);
  await scenario.prepare(contender, run);
  return {};
}

// Where the run is interrupted nobody waits for this one any more, and its server is to end with it.
const abandon = (): never => process.exit(1);
process.once("disconnect", abandon);

const result = await sample();
// By itself where nothing of the contender is left over: what keeps a process alive is a fault of it.
process.off("disconnect", abandon);
process.send?.(result, () => process.disconnect());
