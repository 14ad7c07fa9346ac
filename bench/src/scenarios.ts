import type { Scenario } from "./scenario.js";
import { durable } from "./scenarios/durable.js";
import { fanout } from "./scenarios/fanout.js";
import { history } from "./scenarios/history.js";
import { recover } from "./scenarios/recover.js";

const all: readonly Scenario[] = [fanout, durable, recover, history];

export const scenarioNames: readonly string[] = all.map(({ name }) => name);

/** @throws Error for a name that is none */
export function scenarioOf(name: string): Scenario {
  const found = all.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no benchmark "${name}"; there are ${scenarioNames.join(", ")}`);
  return found;
}
