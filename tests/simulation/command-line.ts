import { parseArgs } from "node:util";
import { everything, listOf, type Selection } from "./parts.js";
import { breaks, profiles, type GuardsOff, type Profile } from "./profiles.js";

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
}

const DEFAULT_SEEDS = "1000";

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
      shrink: { type: "boolean", default: false },
      only: { type: "string" },
      until: { type: "string" },
      "list-breaks": { type: "boolean", default: false },
    },
  });
  if (values["list-breaks"]) return { kind: "list-breaks" };
  const choice: Choice = { profile: values.profile, without: values.break };
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

/** The faults and the guards of a choice. @throws Error for a name that is none */
export function planOf({ profile, without }: Choice): { readonly profile: Profile; readonly guards: GuardsOff } {
  const guards = without === undefined ? undefined : breaks[without];
  if (without !== undefined && guards === undefined) throw new Error(`there is no guard "${without}"; there are ${Object.keys(breaks).join(", ")}`);
  const named = profile === undefined ? (guards?.profile ?? profiles["mixed"]) : profiles[profile];
  if (named === undefined) throw new Error(`there is no profile "${profile}"; there are ${Object.keys(profiles).join(", ")}`);
  return { profile: named, guards: guards ?? {} };
}

/** The command that shows one seed again, or what is selected of it. */
export function replayCommand(seed: number, { profile, without }: Choice, { only, untilMs }: Selection = everything): string {
  const parts = [
    `npm run sim -- --seed ${seed}`,
    profile && `--profile ${profile}`,
    without && `--break ${without}`,
    only && `--only ${listOf(only)}`,
    untilMs !== undefined && `--until ${untilMs}`,
  ];
  return parts.filter(Boolean).join(" ");
}
