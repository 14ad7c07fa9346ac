import { CLOSE_ABNORMAL, CLOSE_NORMAL } from "../close-codes.js";
import {
  attemptOrder,
  forgotten,
  nextProbe,
  noted,
  notedDry,
  notedEnd,
  notedRest,
  outcomeAt,
  patience,
  type AdaptiveNumbers,
  type Experience,
  type Place,
  type ProbePlan,
} from "./experience.js";

/*
 * The life of one link that chooses its transport, as data. `transition` is pure: it decides, and `adaptive-link.ts` carries out the effects. A
 * phase has one timer at most. What was begun by `start` or `probe` is released, unless it ended by itself.
 */

interface Started {
  readonly place: Place;
  /** `greeted`: the hello was said over it; one at a time. */
  readonly status: "opening" | "open" | "greeted";
}

/** How it stands with a better transport than the one in use. */
type Search =
  /** There is no better one. */
  | { readonly kind: "none" }
  | { readonly kind: "resting" | "probing"; readonly plan: ProbePlan }
  /** One can be had; waits for a moment in which nothing is unanswered. */
  | { readonly kind: "found"; readonly waitedMs: number };

export type LinkPhase =
  /** `waiting`: not begun yet; `started`: in the order in which they were. */
  | { readonly kind: "trying"; readonly waiting: readonly Place[]; readonly started: readonly Started[] }
  | { readonly kind: "settled"; readonly place: Place; readonly search: Search }
  | { readonly kind: "over" };

export interface LinkMachine {
  readonly phase: LinkPhase;
  /** Outlives the link. */
  readonly experience: Experience;
}

/** What the machine cannot know by itself. */
export interface Facts {
  /** From 0 to 1; spreads the probes. */
  readonly chance: number;
  /** How long ago the link was settled, or, before that, begun. */
  readonly lastedMs: number;
  /** Whether nobody sees the page. */
  readonly isUnseen: boolean;
}

export type LinkEvent =
  /** Of one of the transports. `spoke`: the first word of the server over it. */
  | { readonly type: "opened" | "spoke"; readonly place: Place }
  | { readonly type: "closed"; readonly place: Place; readonly closeCode: number; readonly reason: string }
  /** The phase's timer fired; the client is on another network; the client gives the link up. */
  | { readonly type: "timer" | "network" | "close" };

/**
 * Why a transport is in use: it is the first of the list, it worked last, those before it did not work, or a probe found that it works again.
 */
export type Why = "first" | "worked" | "fallback" | "regained";

export type LinkEffect =
  /** `greet`: the hello is said over it; `release`: it is closed; `probe`: it is opened beside the one in use. */
  | { readonly do: "start" | "greet" | "release" | "probe"; readonly place: Place }
  | { readonly do: "use"; readonly place: Place; readonly why: Why }
  /** The client is asked to open anew; forget what is remembered from page to page. */
  | { readonly do: "renew" | "forget" }
  /** The client is told that the link has ended. */
  | { readonly do: "end"; readonly closeCode: number; readonly reason: string };

export interface Step extends LinkMachine {
  readonly effects: readonly LinkEffect[];
  /** Of the phase's timer, after the effects: it starts anew, goes on, or is stopped. */
  readonly timer: number | "keep" | "stop";
}

/** How long a probe may take: the server says `HELLO_TIMEOUT` of its own accord after 10 s, looked at every second. */
const PROBE_MS = { opened: 10_000, spoken: 15_000 } as const;
/** How often to ask for a moment in which nothing is unanswered. */
const QUIET_MS = 100;
/** From here on close codes are words of the server; the others are of a network, a proxy or a platform. */
const CLOSE_SPOKEN = 4000;

type Context = Facts & { readonly numbers: AdaptiveNumbers };
type Trying = Extract<LinkPhase, { kind: "trying" }>;
type Settled = Extract<LinkPhase, { kind: "settled" }>;

const release = (place: Place): LinkEffect => ({ do: "release", place });

function stay({ phase, experience }: LinkMachine): Step {
  return { phase, experience, effects: [], timer: "keep" };
}

/** The first step of a link. */
export function begin(experience: Experience, numbers: AdaptiveNumbers): Step {
  return proceed({ kind: "trying", waiting: attemptOrder(experience), started: [] }, experience, numbers);
}

/** Goes on where no link is greeted: greets the first that is open, or begins the next, or waits for those that are opening. */
function proceed(phase: Trying, experience: Experience, numbers: AdaptiveNumbers, ...effects: readonly LinkEffect[]): Step {
  const { waiting, started } = phase;
  const index = started.findIndex(({ status }) => status === "open");
  const open = started[index];
  const next = waiting[0];
  if (open !== undefined) return greet(phase, open.place, index, experience, numbers, effects);
  if (next !== undefined) {
    const timer = waiting.length > 1 ? numbers.openMs * patience(experience, next) : "stop";
    const begun = { ...phase, waiting: waiting.slice(1), started: [...started, { place: next, status: "opening" } as const] };
    return { phase: begun, experience, effects: [...effects, { do: "start", place: next }], timer };
  }
  if (started.length > 0) return { phase, experience, effects, timer: "stop" };
  return { phase: { kind: "over" }, experience: notedDry(experience), effects: [...effects, { do: "end", closeCode: CLOSE_ABNORMAL, reason: "no transport works" }], timer: "stop" };
}

/** Says the hello over a link. Those begun before it are given up: the server would take this one for the later, and end it for theirs. */
function greet({ waiting, started }: Trying, place: Place, index: number, before: Experience, numbers: AdaptiveNumbers, effects: readonly LinkEffect[]): Step {
  const earlier = started.slice(0, index).map((each) => each.place);
  const later = started.slice(index + 1);
  const experience = earlier.reduce((known, each) => noted(known, each, "slow"), before);
  const isLast = waiting.length + later.length === 0;
  return {
    phase: { kind: "trying", waiting, started: [{ place, status: "greeted" }, ...later] },
    experience,
    effects: [...effects, ...earlier.map(release), { do: "greet", place }],
    timer: isLast ? "stop" : numbers.answerMs * patience(experience, place),
  };
}

function trying(machine: LinkMachine, phase: Trying, event: LinkEvent, context: Context): Step {
  const { experience } = machine;
  const { started, waiting } = phase;
  const { numbers } = context;
  const greeted = started.find(({ status }) => status === "greeted");
  const without = (place: Place): Trying => ({ ...phase, started: started.filter((each) => each.place !== place) });
  switch (event.type) {
    case "opened": {
      const opened: Trying = { ...phase, started: started.map((each) => (each.place === event.place && each.status === "opening" ? { ...each, status: "open" } : each)) };
      return greeted === undefined ? proceed(opened, experience, numbers) : { phase: opened, experience, effects: [], timer: "keep" };
    }
    case "spoke":
      // Over a link that waits in reserve the server may say that nobody greets it.
      return event.place === greeted?.place ? settle(without(event.place), event.place, experience, context) : stay(machine);
    case "closed": {
      const isSpoken = event.closeCode >= CLOSE_SPOKEN;
      const left = without(event.place);
      if (isSpoken && event.place === greeted?.place) return endBy(event, noted(experience, event.place, "works"), held(left));
      const known = isSpoken ? experience : noted(experience, event.place, "refused");
      if (greeted !== undefined && event.place !== greeted.place) return { phase: left, experience: known, effects: [], timer: "keep" };
      return proceed(left, known, numbers);
    }
    case "timer":
      if (greeted === undefined) return waiting.length > 0 ? proceed(phase, experience, numbers) : stay(machine);
      // Those that were to come after it have failed meanwhile.
      if (started.length + waiting.length === 1) return stay(machine);
      return proceed(without(greeted.place), noted(experience, greeted.place, "silent"), numbers, release(greeted.place));
    case "network":
      return { phase, experience: forgotten(experience), effects: [{ do: "forget" }], timer: "keep" };
    case "close":
      return over(phase, context.lastedMs < numbers.openMs ? experience : notedDry(givenUp(started, experience)));
    default:
      return event satisfies never;
  }
}

/** The client has waited long enough. (What it gives up sooner, because its page goes away, was not tried.) */
function givenUp(started: readonly Started[], experience: Experience): Experience {
  return started.reduce((known, { place, status }) => (status === "open" ? known : noted(known, place, status === "greeted" ? "silent" : "slow")), experience);
}

/** The server has spoken: this is the transport. */
function settle(others: Trying, place: Place, before: Experience, context: Context): Step {
  const why: Why = outcomeAt(before, place) === "available" ? "regained" : place === before.worked ? "worked" : place === 0 ? "first" : "fallback";
  return rest(place, noted(before, place, "works"), context, ...held(others).map(release), { do: "use", place, why });
}

function rest(place: Place, experience: Experience, { chance, numbers }: Context, ...effects: readonly LinkEffect[]): Step {
  const plan = nextProbe(experience, place, chance, numbers);
  const search: Search = plan === undefined ? { kind: "none" } : { kind: "resting", plan };
  return { phase: { kind: "settled", place, search }, experience, effects, timer: plan?.inMs ?? "stop" };
}

function settled(machine: LinkMachine, phase: Settled, event: LinkEvent, context: Context): Step {
  const { place, search } = phase;
  const { experience } = machine;
  const { lastedMs, numbers } = context;
  if (event.type === "close") return over(phase, notedEnd(experience, place, lastedMs, false, numbers));
  if (event.type === "network") {
    const probes = search.kind === "probing" ? [release(search.plan.place)] : [];
    return rest(place, forgotten(experience), context, ...probes, { do: "forget" });
  }
  if (event.type === "closed" && event.place === place) {
    const isBroken = event.closeCode === CLOSE_ABNORMAL;
    return endBy(event, notedEnd(experience, place, lastedMs, isBroken, numbers), search.kind === "probing" ? [search.plan.place] : []);
  }
  switch (search.kind) {
    case "none":
      return stay(machine);
    case "resting":
      return event.type === "timer" ? probe(machine, phase, search.plan, context) : stay(machine);
    case "probing":
      return probing(machine, phase, search.plan, event, context);
    case "found":
      return event.type === "timer" ? ask(machine, phase, search.waitedMs + QUIET_MS, numbers) : stay(machine);
    default:
      return search satisfies never;
  }
}

function probe({ experience }: LinkMachine, phase: Settled, plan: ProbePlan, { isUnseen }: Facts): Step {
  if (isUnseen) return { phase, experience, effects: [], timer: plan.inMs };
  return { phase: { ...phase, search: { kind: "probing", plan } }, experience: notedRest(experience, plan), effects: [{ do: "probe", place: plan.place }], timer: PROBE_MS[plan.proof] };
}

function probing(machine: LinkMachine, phase: Settled, { place, proof }: ProbePlan, event: LinkEvent, context: Context): Step {
  const { experience } = machine;
  const found = (...effects: readonly LinkEffect[]): Step => {
    const step = ask({ phase, experience: noted(experience, place, "available") }, phase, 0, context.numbers);
    return { ...step, effects: [...effects, ...step.effects] };
  };
  if (event.type === "timer") return rest(phase.place, noted(experience, place, "slow"), context, release(place));
  if (event.type === "spoke" || (event.type === "opened" && proof === "opened")) return found(release(place));
  if (event.type !== "closed") return stay(machine);
  return proof === "spoken" && event.closeCode >= CLOSE_SPOKEN ? found() : rest(phase.place, noted(experience, place, "refused"), context);
}

/** Asks the client to open anew, as often as it takes, and in the end does not ask any more. */
function ask({ experience }: LinkMachine, phase: Settled, waitedMs: number, { quietMsMax }: AdaptiveNumbers): Step {
  if (waitedMs < quietMsMax) return { phase: { ...phase, search: { kind: "found", waitedMs } }, experience, effects: [{ do: "renew" }], timer: QUIET_MS };
  return endBy({ closeCode: CLOSE_NORMAL, reason: "a better transport works" }, experience, [phase.place]);
}

/** The places of the links that a phase holds. */
function held(phase: LinkPhase): readonly Place[] {
  if (phase.kind === "trying") return phase.started.map(({ place }) => place);
  if (phase.kind === "over") return [];
  return phase.search.kind === "probing" ? [phase.place, phase.search.plan.place] : [phase.place];
}

function over(phase: LinkPhase, experience: Experience): Step {
  return { phase: { kind: "over" }, experience, effects: held(phase).map(release), timer: "stop" };
}

function endBy({ closeCode, reason }: { readonly closeCode: number; readonly reason: string }, experience: Experience, left: readonly Place[]): Step {
  return { phase: { kind: "over" }, experience, effects: [...left.map(release), { do: "end", closeCode, reason }], timer: "stop" };
}

/** What follows from an event. Pure; an event that means nothing in a phase changes nothing. */
export function transition(machine: LinkMachine, event: LinkEvent, context: Context): Step {
  const { phase } = machine;
  switch (phase.kind) {
    case "trying":
      return trying(machine, phase, event, context);
    case "settled":
      return settled(machine, phase, event, context);
    case "over":
      return stay(machine);
    default:
      return phase satisfies never;
  }
}
