import { parseArgs } from "node:util";
import type { Scenario, Size } from "./scenario.js";
import { scenarioOf } from "./scenarios.js";

/** What the command was asked for. */
export type Command =
  | { readonly kind: "list" }
  | {
      readonly kind: "run";
      readonly scenario: Scenario;
      readonly rounds: number;
      readonly size: Size;
      /** Those of the contenders that are to be measured; all unless given. */
      readonly peers: readonly string[] | undefined;
      /** Where the figures are written, besides the table. */
      readonly json: string | undefined;
      /** The folder on whose disk it is measured; that for temporary files unless given. */
      readonly directory: string | undefined;
    };

const usage = "npm run bench -- NAME [--peers A,B] [--json FILE] [--rounds N] [--directory FOLDER] [--tiny], or --list";

/** Reads the arguments. @throws Error that says what is wrong with them */
export function readCommand(args: readonly string[]): Command {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      list: { type: "boolean", default: false },
      peers: { type: "string" },
      json: { type: "string" },
      rounds: { type: "string" },
      directory: { type: "string" },
      tiny: { type: "boolean", default: false },
    },
  });
  if (values.list) return { kind: "list" };
  const [name, ...others] = positionals;
  if (name === undefined || others.length > 0) throw new Error(`one NAME is needed: ${usage}`);
  const scenario = scenarioOf(name);
  const rounds = values.rounds ?? String(scenario.rounds);
  if (!/^[1-9]\d{0,3}$/.test(rounds)) throw new Error(`--rounds is a whole number from 1 on, not "${rounds}"`);
  const { json, directory, tiny } = values;
  return { kind: "run", scenario, rounds: Number(rounds), size: tiny ? "tiny" : "full", peers: peersOf(values.peers, scenario), json, directory };
}

function peersOf(list: string | undefined, { name, contenders }: Scenario): readonly string[] | undefined {
  const peers = list?.split(",").map((peer) => peer.trim());
  const stranger = peers?.find((peer) => !contenders.includes(peer));
  if (stranger !== undefined) throw new Error(`${name} has no contender "${stranger}"; it has ${contenders.map((each) => `"${each}"`).join(", ")}`);
  return peers;
}
