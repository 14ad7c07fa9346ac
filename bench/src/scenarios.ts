import type { Scenario } from "./scenario.js";
import { across } from "./scenarios/across.js";
import { acks } from "./scenarios/acks.js";
import { connect } from "./scenarios/connect.js";
import { cursors } from "./scenarios/cursors.js";
import { durable } from "./scenarios/durable.js";
import { echo } from "./scenarios/echo.js";
import { fanout } from "./scenarios/fanout.js";
import { history } from "./scenarios/history.js";
import { idle } from "./scenarios/idle.js";
import { late } from "./scenarios/late.js";
import { nodes } from "./scenarios/nodes.js";
import { recover } from "./scenarios/recover.js";
import { stalled } from "./scenarios/stalled.js";
import { storm } from "./scenarios/storm.js";
import { wide } from "./scenarios/wide.js";

const all: readonly Scenario[] = [fanout, cursors, echo, acks, idle, connect, storm, wide, stalled, late, nodes, across, durable, recover, history];

export const scenarioNames: readonly string[] = all.map(({ name }) => name);

/** @throws Error for a name that is none */
export function scenarioOf(name: string): Scenario {
  const found = all.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no benchmark "${name}"; there are ${scenarioNames.join(", ")}`);
  return found;
}
