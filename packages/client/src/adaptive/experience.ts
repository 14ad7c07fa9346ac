/*
 * What is known of the transports of a list on the network that the client is on: which answered, which did not, and what follows for the next
 * attempt and the next probe. Values and pure functions.
 */

/** A transport, by its place in the list: the best stands first. */
export type Place = number;

/**
 * - `unknown`: not tried
 * - `works`: the server answered over it
 * - `available`: a probe says that it would work
 * - `refused`, `slow`: it did not open, or not in time
 * - `silent`: it opened, and the hello was not answered
 * - `unsteady`: it broke again and again soon after it had worked
 */
export type Outcome = "unknown" | "works" | "available" | "refused" | "slow" | "silent" | "unsteady";

interface Verdict {
  readonly outcome: Outcome;
  /** How often it did not work, since it last did for a while. */
  readonly failures: number;
  /** How often it broke soon, one time after the other. */
  readonly breaks: number;
  /** How long it has waited for a probe while others had theirs, since it last failed. */
  readonly waitedMs: number;
}

const unjudged: Verdict = { outcome: "unknown", failures: 0, breaks: 0, waitedMs: 0 };

export interface Experience {
  readonly verdicts: readonly Verdict[];
  /** Those whose links open without having asked anybody. */
  readonly blind: readonly Place[];
  /** The one that worked last, here or, as far as is remembered, before. */
  readonly worked: Place | undefined;
  /** In how many attempts, one after the other, nobody answered. */
  readonly dryAttempts: number;
}

/** The numbers of an adaptive transport. Each is an option. */
export interface AdaptiveNumbers {
  /** How long to wait for a link to open before the next transport is tried beside it. */
  readonly openMs: number;
  /** How long to wait for the server's first word after the hello. */
  readonly answerMs: number;
  /** The first pause before a better transport is probed. */
  readonly probeMs: number;
  readonly probeMsMax: number;
  /** The same for one that seemed to work and did not, or that has to be tried in earnest to know. */
  readonly doubtfulProbeMs: number;
  readonly doubtfulProbeMsMax: number;
  /** How long a link has to last to be no sign of an unsteady transport. */
  readonly steadyMs: number;
  /** How long to wait for a moment in which nothing is unanswered, before a better transport is taken. */
  readonly quietMsMax: number;
  /** For how long it is remembered what worked last. */
  readonly rememberedMsMax: number;
}

export const adaptiveNumbers: AdaptiveNumbers = {
  openMs: 1_000,
  answerMs: 2_000,
  probeMs: 10_000,
  probeMsMax: 600_000,
  doubtfulProbeMs: 300_000,
  doubtfulProbeMsMax: 3_600_000,
  steadyMs: 60_000,
  quietMsMax: 10_000,
  rememberedMsMax: 86_400_000,
};

/** So many breaks in a row make a transport unsteady. */
const BREAKS_MAX = 3;
/** How often the times to wait are doubled while nobody answers. */
const DOUBLINGS_MAX = 2;

/** What a probe has to show: `opened`, or, of one that opened before and was no good, a word of the server that nobody asked for. */
type Proof = "opened" | "spoken";

/** When to probe what. */
export interface ProbePlan {
  readonly place: Place;
  readonly inMs: number;
  readonly proof: Proof;
}

interface FreshParts {
  readonly count: number;
  readonly blind?: readonly Place[];
  readonly worked?: Place | undefined;
}

export function freshExperience({ count, blind = [], worked }: FreshParts): Experience {
  return { verdicts: Array.from({ length: count }, () => unjudged), blind, worked, dryAttempts: 0 };
}

/** On another network nothing of it counts. */
export function forgotten({ verdicts, blind }: Experience): Experience {
  return freshExperience({ count: verdicts.length, blind });
}

function verdictOf({ verdicts }: Experience, place: Place): Verdict {
  return verdicts[place] ?? unjudged;
}

function withVerdict(experience: Experience, place: Place, changes: Partial<Verdict>): Experience {
  return { ...experience, verdicts: experience.verdicts.map((verdict, index) => (index === place ? { ...verdict, ...changes } : verdict)) };
}

export function outcomeAt(experience: Experience, place: Place): Outcome {
  return verdictOf(experience, place).outcome;
}

/** What came of a transport: in an attempt, or by a probe. */
export function noted(experience: Experience, place: Place, outcome: Outcome): Experience {
  const { outcome: before, failures } = verdictOf(experience, place);
  if (outcome === "works") return { ...withVerdict(experience, place, { outcome }), worked: place, dryAttempts: 0 };
  if (outcome === "available") return withVerdict(experience, place, { outcome });
  // A probe was deceived: that it opens shows nothing any more.
  const isDoubtful = before === "available" || before === "silent" || before === "unsteady";
  return withVerdict(experience, place, { outcome: isDoubtful && outcome !== "unsteady" ? "silent" : outcome, failures: failures + 1, waitedMs: 0 });
}

/** An attempt came to its end without a word of the server. */
export function notedDry(experience: Experience): Experience {
  return { ...experience, dryAttempts: experience.dryAttempts + 1 };
}

/** A link that had worked ended after so long. @param isBroken whether that was neither of the two ends' doing */
export function notedEnd(experience: Experience, place: Place, lastedMs: number, isBroken: boolean, { steadyMs }: AdaptiveNumbers): Experience {
  if (lastedMs >= steadyMs) return withVerdict(experience, place, { breaks: 0, failures: 0 });
  if (!isBroken) return experience;
  const breaks = verdictOf(experience, place).breaks + 1;
  return breaks < BREAKS_MAX ? withVerdict(experience, place, { breaks }) : noted(withVerdict(experience, place, { breaks: 0 }), place, "unsteady");
}

function isBad(outcome: Outcome): boolean {
  return outcome !== "unknown" && outcome !== "works" && outcome !== "available";
}

/**
 * Where to begin: with what a probe found, else with what worked last, else with the best that is not known to be bad. What worked last and is
 * refused now stays the first one until another works: it may be the server that is away.
 */
function preferred(experience: Experience): Place {
  const { verdicts, worked } = experience;
  const available = verdicts.findIndex(({ outcome }) => outcome === "available");
  if (available !== -1) return available;
  if (worked !== undefined && outcomeAt(experience, worked) !== "unsteady") return worked;
  return Math.max(0, verdicts.findIndex(({ outcome }) => !isBad(outcome)));
}

/**
 * What the next attempt tries, in this order. All, while nothing is known; else two: what is down is not called by each of its clients over every
 * transport again and again.
 */
export function attemptOrder(experience: Experience): readonly Place[] {
  const { verdicts, worked, dryAttempts } = experience;
  const first = preferred(experience);
  const rank = (place: Place): number => (place === worked ? -1 : isBad(outcomeAt(experience, place)) ? 1 : 0);
  const others = verdicts.map((_, place) => place).filter((place) => place !== first);
  others.sort((a, b) => rank(a) - rank(b) || a - b);
  if (dryAttempts === 0 && !verdicts.some(({ outcome }) => outcome === "works" || outcome === "unsteady")) return [first, ...others];
  const inTurn = dryAttempts % Math.max(1, others.length);
  return [first, ...others.slice(inTurn, inTurn + 1)];
}

/** How many times as long as usual to wait: longer where it may be the server that is slow, and for what has worked here. */
export function patience(experience: Experience, place: Place): number {
  const doublings = experience.dryAttempts + (outcomeAt(experience, place) === "works" ? 1 : 0);
  return 2 ** Math.min(doublings, DOUBLINGS_MAX);
}

/** One had to rest, and is probed now: the others have rested as well. */
export function notedRest(experience: Experience, { place, inMs }: ProbePlan): Experience {
  const verdicts = experience.verdicts.map((verdict, index) => ({ ...verdict, waitedMs: index === place ? 0 : verdict.waitedMs + inMs }));
  return { ...experience, verdicts };
}

/** The next probe of a transport that is better than the one in use, if there is a better one. @param chance from 0 to 1 */
export function nextProbe(experience: Experience, inUse: Place, chance: number, numbers: AdaptiveNumbers): ProbePlan | undefined {
  let next: ProbePlan | undefined;
  for (let place = 0; place < inUse; place++) {
    const { outcome, failures, waitedMs } = verdictOf(experience, place);
    const isBlind = experience.blind.includes(place);
    const isDoubtful = outcome === "silent" || outcome === "unsteady";
    const [firstMs, longestMs] = isDoubtful || isBlind ? [numbers.doubtfulProbeMs, numbers.doubtfulProbeMsMax] : [numbers.probeMs, numbers.probeMsMax];
    const pauseMs = Math.min(firstMs * 2 ** Math.max(0, failures - 1), longestMs) - waitedMs;
    const inMs = Math.max(pauseMs, numbers.probeMs) * (0.5 + chance);
    if (next === undefined || inMs < next.inMs) next = { place, inMs, proof: isDoubtful && !isBlind ? "spoken" : "opened" };
  }
  return next;
}
