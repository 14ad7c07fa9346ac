import { parseArgs } from "node:util";
import type { Scenario, Size } from "./scenario.js";

/** One scenario to be measured. */
export interface Plan {
  readonly scenario: Scenario;
  readonly rounds: number;
  readonly size: Size;
  /** Those of the contenders that are to be measured; all unless given. */
  readonly peers: readonly string[] | undefined;
  /** The folder on whose disk it is measured; that for temporary files unless given. */
  readonly directory: string | undefined;
}

/** What the command was asked for. */
export type Command =
  | { readonly kind: "list" }
  | {
      readonly kind: "one";
      readonly plan: Plan;
      /** Where the report is written, besides the table. */
      readonly json: string | undefined;
    }
  | { readonly kind: "all"; readonly plans: readonly Plan[] }
  | { readonly kind: "results" };

const usage = "npm run bench -- NAME|all [--peers A,B] [--json FILE] [--rounds N] [--directory FOLDER] [--tiny], or results, or --list";

const options = {
  list: { type: "boolean", default: false },
  peers: { type: "string" },
  json: { type: "string" },
  rounds: { type: "string" },
  directory: { type: "string" },
  tiny: { type: "boolean", default: false },
} as const;

/** Reads the arguments. @throws Error that says what is wrong with them */
export function readCommand(args: readonly string[], scenarios: readonly Scenario[]): Command {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
  if (values.list) return { kind: "list" };
  const [name, ...others] = positionals;
  if (name === undefined || others.length > 0) throw new Error(`one NAME is needed: ${usage}`);
  if (name === "results") return { kind: "results" };
  const { rounds, json, directory } = values;
  if (rounds !== undefined && !/^[1-9]\d{0,3}$/.test(rounds)) throw new Error(`--rounds is a whole number from 1 on, not "${rounds}"`);
  const chosen = name === "all" ? scenarios : [named(name, scenarios)];
  const peers = values.peers === undefined ? undefined : peersIn(values.peers, chosen);
  const plans = chosen
    .map((scenario): Plan => ({ scenario, rounds: Number(rounds ?? scenario.rounds), size: values.tiny ? "tiny" : "full", peers: peers?.filter((peer) => scenario.contenders.includes(peer)), directory }))
    .filter((plan) => plan.peers?.length !== 0);
  const [plan] = plans;
  if (name !== "all" && plan !== undefined) return { kind: "one", plan, json };
  if (json !== undefined) throw new Error("--json is for one benchmark: `all` keeps the report of each");
  return { kind: "all", plans };
}

function named(name: string, scenarios: readonly Scenario[]): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`there is no benchmark "${name}"; there are ${scenarios.map((each) => each.name).join(", ")}`);
  return found;
}

/** Of several scenarios, one at least has to have the contender. */
function peersIn(list: string, scenarios: readonly Scenario[]): readonly string[] {
  const known = [...new Set(scenarios.flatMap(({ contenders }) => contenders))];
  const peers = list.split(",").map((peer) => peer.trim());
  const stranger = peers.find((peer) => !known.includes(peer));
  if (stranger === undefined) return peers;
  throw new Error(`${scenarios.map(({ name }) => name).join(", ")}: no contender "${stranger}"; there are ${known.map((each) => `"${each}"`).join(", ")}`);
}
