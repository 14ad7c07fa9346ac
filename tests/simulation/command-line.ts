import { parseArgs } from "node:util";
import { everything, listOf, type Selection } from "./parts.js";
import { SEVERAL, breaks, nodeProfiles, profiles, type GuardsOff, type Profile } from "./profiles.js";

/** What the command was asked for. */
export type Command =
  | { readonly kind: "list-breaks" }
  /** `shrink`: the first failure is shrunk. */
  | ({ readonly kind: "run"; readonly from: number; readonly seeds: number; readonly shrink: boolean } & Choice)
  | ({ readonly kind: "replay"; readonly seed: number; readonly selection: Selection } & Choice)
  | ({ readonly kind: "shrink"; readonly seed: number } & Choice);

/** Under which faults, and without which guard. */
export interface Choice {
  readonly profile: string | undefined;
  readonly without: string | undefined;
  /** How many nodes; as many as the profile is for unless given. */
  readonly nodes?: number | undefined;
}

const DEFAULT_SEEDS = "1000";
const NODES_MAX = 9;

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`--${name} is a whole number, not "${text}"`);
  return Number(text);
}

/** Reads the arguments. @throws Error that says what is wrong with them */
export function readCommand(args: readonly string[]): Command {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: "string", default: DEFAULT_SEEDS },
      from: { type: "string", default: "1" },
      seed: { type: "string" },
      profile: { type: "string" },
      break: { type: "string" },
      nodes: { type: "string" },
      shrink: { type: "boolean", default: false },
      only: { type: "string" },
      until: { type: "string" },
      "list-breaks": { type: "boolean", default: false },
    },
  });
  if (values["list-breaks"]) return { kind: "list-breaks" };
  const nodes = values.nodes === undefined ? undefined : wholeNumber("nodes", values.nodes);
  const choice: Choice = { profile: values.profile, without: values.break, nodes };
  planOf(choice);
  const { shrink, only, until } = values;
  if (values.seed === undefined) {
    if (only !== undefined || until !== undefined) throw new Error("--only and --until are parts of one seed");
    return { kind: "run", from: wholeNumber("from", values.from), seeds: wholeNumber("seeds", values.seeds), shrink, ...choice };
  }
  const seed = wholeNumber("seed", values.seed);
  if (shrink) return { kind: "shrink", seed, ...choice };
  const selection: Selection = {
    ...everything,
    ...(only !== undefined && { only: new Set(only.split(",").filter((part) => part !== "")) }),
    ...(until !== undefined && { untilMs: wholeNumber("until", until) }),
  };
  return { kind: "replay", seed, selection, ...choice };
}

export interface Plan {
  readonly profile: Profile;
  readonly nodes: number;
  readonly guards: GuardsOff;
}

/** The faults, the nodes and the guards of a choice. @throws Error for a name that is none */
export function planOf({ profile: name, without, nodes }: Choice): Plan {
  const guards = without === undefined ? undefined : breaks[without];
  if (without !== undefined && guards === undefined) throw new Error(`there is no guard "${without}"; there are ${Object.keys(breaks).join(", ")}`);
  if (nodes !== undefined && (nodes < 1 || nodes > NODES_MAX)) throw new Error(`--nodes is from 1 to ${NODES_MAX}, not ${nodes}`);
  const usual = nodes === undefined || nodes === 1 ? profiles["mixed"] : nodeProfiles["cluster"];
  const profile = name === undefined ? (guards?.profile ?? usual) : (profiles[name] ?? nodeProfiles[name]);
  if (profile === undefined) throw new Error(`there is no profile "${name}"; there are ${Object.keys({ ...profiles, ...nodeProfiles }).join(", ")}`);
  const isOfSeveral = Object.values(nodeProfiles).includes(profile);
  return { profile, nodes: nodes ?? guards?.nodes ?? (isOfSeveral ? SEVERAL : 1), guards: guards ?? {} };
}

/** The command that shows one seed again, or what is selected of it. */
export function replayCommand(seed: number, { profile, without, nodes }: Choice, { only, untilMs }: Selection = everything): string {
  const parts = [
    `npm run sim -- --seed ${seed}`,
    profile && `--profile ${profile}`,
    without && `--break ${without}`,
    nodes !== undefined && `--nodes ${nodes}`,
    only && `--only ${listOf(only)}`,
    untilMs !== undefined && `--until ${untilMs}`,
  ];
  return parts.filter(Boolean).join(" ");
}
