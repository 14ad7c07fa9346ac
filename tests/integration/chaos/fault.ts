import type { RandomStream } from "@tutti/testkit";

/** What happens to a cluster, and for how long. Which node it happens to is seen when it happens: one at a time. */
export type Fault =
  | { readonly kind: "node killed"; readonly downMs: number }
  /** It stands still, with all of its connections open. */
  | { readonly kind: "node stopped"; readonly ms: number }
  | { readonly kind: "nodes replaced" }
  | { readonly kind: "Redis restarted"; readonly downMs: number }
  | { readonly kind: "Redis emptied"; readonly downMs: number }
  /** It comes back with what it had so long before. */
  | { readonly kind: "Redis rolled back"; readonly lostMs: number }
  | { readonly kind: "Redis stopped"; readonly ms: number }
  /** Between a node and Redis: bytes vanish, and connections stay. */
  | { readonly kind: "link silent"; readonly ms: number }
  /** Connections are reset, and new ones refused. */
  | { readonly kind: "link refused"; readonly ms: number }
  | { readonly kind: "link slow"; readonly ms: number; readonly latencyMs: number; readonly bytesPerSecond: number };

export type FaultKind = Fault["kind"];

/** After these what was acknowledged may be gone. */
const losing: readonly FaultKind[] = ["Redis emptied", "Redis rolled back"];

export const losesData = (kinds: readonly FaultKind[]): boolean => kinds.some((kind) => losing.includes(kind));

const draws: { readonly [Kind in FaultKind]: (chance: RandomStream) => Extract<Fault, { kind: Kind }> } = {
  "node killed": (chance) => ({ kind: "node killed", downMs: chance.between(0, 10_000) }),
  "node stopped": () => ({ kind: "node stopped", ms: 30_000 }),
  "nodes replaced": () => ({ kind: "nodes replaced" }),
  "Redis restarted": (chance) => ({ kind: "Redis restarted", downMs: chance.between(0, 5_000) }),
  "Redis emptied": (chance) => ({ kind: "Redis emptied", downMs: chance.between(0, 5_000) }),
  "Redis rolled back": (chance) => ({ kind: "Redis rolled back", lostMs: chance.between(50, 3_000) }),
  "Redis stopped": (chance) => ({ kind: "Redis stopped", ms: chance.between(500, 10_000) }),
  "link silent": (chance) => ({ kind: "link silent", ms: chance.between(1_000, 20_000) }),
  "link refused": (chance) => ({ kind: "link refused", ms: chance.between(1_000, 10_000) }),
  "link slow": (chance) => ({ kind: "link slow", ms: 20_000, latencyMs: chance.between(10, 200), bytesPerSecond: chance.between(50_000, 500_000) }),
};

export const faultKinds = Object.keys(draws) as readonly FaultKind[];

export const drawFault = (kind: FaultKind, chance: RandomStream): Fault => draws[kind](chance);

/** The kinds of a round: each in its turn, so that a few rounds see all, and with it, in half of the rounds, another one. */
export function kindsOf(round: number, chance: RandomStream): readonly FaultKind[] {
  const first = faultKinds[round % faultKinds.length];
  if (first === undefined) throw new RangeError("there are no faults");
  return chance.chance(0.5) ? [first, chance.pick(faultKinds.filter((kind) => kind !== first))] : [first];
}
