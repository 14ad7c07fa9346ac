import { RandomStream } from "@tutti/testkit";

const named = process.env["TUTTI_SEED"];

/** What the moments of the kills follow from; printed, since a process is never killed twice at the same instruction. */
export const seed = named === undefined ? Date.now() % 1_000_000_000 : Number(named);

export const chanceOf = (concern: string): RandomStream => new RandomStream(seed, concern);

/** How many times something is killed: so many, or what `npm run soak` says. */
export const roundsOf = (usual: number): number => Number(process.env["TUTTI_KILLS"] ?? usual);
