import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adaptiveNumbers, freshExperience, type Experience, type Place } from "../src/adaptive/experience.js";
import { begin, transition, type LinkEvent, type LinkMachine, type LinkPhase, type Step } from "../src/adaptive/link-machine.js";

const COUNT = 4;

const place = fc.integer({ min: 0, max: COUNT - 1 });
const event: fc.Arbitrary<LinkEvent> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ type: fc.constantFrom("opened", "spoke" as const), place }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant("closed" as const), place, closeCode: fc.constantFrom(1000, 1006, 4102, 4203), reason: fc.constant("") }) },
  { weight: 8, arbitrary: fc.constant<LinkEvent>({ type: "timer" }) },
  { weight: 1, arbitrary: fc.constantFrom<LinkEvent>({ type: "network" }, { type: "close" }) },
);
const happening = fc.record({ event, chance: fc.double({ min: 0, max: 1, noNaN: true }), lastedMs: fc.integer({ min: 0, max: 100_000 }), isUnseen: fc.boolean() });
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** The links of one attempt, as the one who carries out the effects sees them. */
class Links {
  readonly held = new Set<Place>();
  readonly greeted = new Set<Place>();
  /** When each was begun, counted. */
  readonly begunAt = new Map<Place, number>();
  #serial = 0;
  #greetedLastAt = -1;
  isEnded = false;
  hasTimer = false;

  carryOut({ effects, timer }: Step): void {
    for (const effect of effects) {
      if (effect.do === "start" || effect.do === "probe") {
        expect(this.held.has(effect.place), "begun twice").toBe(false);
        this.held.add(effect.place);
        this.begunAt.set(effect.place, this.#serial++);
      }
      if (effect.do === "release") expect(this.held.delete(effect.place), "released what is not held").toBe(true);
      if (effect.do === "greet") this.#greet(effect.place);
      if (effect.do === "use") expect(this.held.has(effect.place)).toBe(true);
      if (effect.do === "end") {
        expect(this.isEnded, "ended twice").toBe(false);
        this.isEnded = true;
      }
    }
    if (timer !== "keep") this.hasTimer = timer !== "stop";
  }

  #greet(which: Place): void {
    expect(this.held.has(which)).toBe(true);
    for (const before of this.greeted) expect(this.held.has(before), "two hellos at once").toBe(false);
    const begunAt = this.begunAt.get(which) ?? -1;
    expect(begunAt, "a hello over a link begun before one over which it was said").toBeGreaterThan(this.#greetedLastAt);
    this.#greetedLastAt = begunAt;
    this.greeted.add(which);
  }
}

/** Plays what can happen: a link that is not held says nothing, and no timer fires that is not set. */
function play(experience: Experience, happenings: readonly Happening[], look: (step: Step, links: Links, before: LinkPhase) => void): void {
  const links = new Links();
  const first = begin(experience, adaptiveNumbers);
  links.carryOut(first);
  let machine: LinkMachine = first;
  look(first, links, { kind: "over" });
  for (const { event: next, ...facts } of happenings) {
    if ("place" in next && !links.held.has(next.place)) continue;
    if (next.type === "timer" && !links.hasTimer) continue;
    if (next.type === "closed") links.held.delete(next.place);
    if (next.type === "timer") links.hasTimer = false;
    const step = transition(machine, next, { ...facts, numbers: adaptiveNumbers });
    links.carryOut(step);
    look(step, links, machine.phase);
    machine = step;
  }
}

/** What attempts before have taught. */
const experience: fc.Arbitrary<Experience> = fc.array(fc.array(happening, { maxLength: 30, size: "max" }), { maxLength: 4 }).map((lives) => {
  let known = freshExperience({ count: COUNT });
  for (const life of lives) play(known, life, (step) => (known = step.experience));
  return known;
});
const lives = fc.tuple(experience, fc.array(happening, { maxLength: 60, size: "max" }));

/** How often the machine was in each phase, as far as it matters: a property of what is never reached shows nothing. */
function phaseOf(phase: LinkPhase): string {
  return phase.kind === "settled" ? phase.search.kind : phase.kind;
}

describe("the machine of a link that chooses its transport", () => {
  it("TRN-4 says the hello over one link at a time, and never over one begun before another over which it was said", () => {
    fc.assert(fc.property(lives, ([known, happenings]) => play(known, happenings, () => {})), { numRuns: 400 });
  });

  it("CON-9 what a phase acquires is released when it is left", () => {
    fc.assert(
      fc.property(lives, ([known, happenings]) =>
        play(known, happenings, ({ phase }, links) => {
          if (phase.kind === "over") {
            expect(links.held.size).toBe(0);
            expect(links.hasTimer).toBe(false);
          }
          if (phase.kind === "settled") expect(links.held.size).toBe(phase.search.kind === "probing" ? 2 : 1);
          if (phase.kind === "trying") expect(links.held.size).toBe(phase.started.length);
        }),
      ),
      { numRuns: 400 },
    );
  });

  it("CON-9 is seen in all its phases by these properties", () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(lives, ([known, happenings]) =>
        play(known, happenings, ({ phase }) => {
          seen.set(phaseOf(phase), (seen.get(phaseOf(phase)) ?? 0) + 1);
        }),
      ),
      // The same lives each time: how often each phase is seen is a count, and no property.
      { numRuns: 400, seed: 1 },
    );
    for (const phase of ["trying", "none", "resting", "probing", "found", "over"]) expect(seen.get(phase) ?? 0, phase).toBeGreaterThan(30);
  });

  it("CON-9 never stands still: something is under way, or a timer runs, or the client was told of the end", () => {
    fc.assert(
      fc.property(lives, ([known, happenings]) =>
        play(known, happenings, ({ phase }, links) => {
          expect(links.held.size > 0 || links.isEnded || phase.kind === "over").toBe(true);
          if (phase.kind === "trying" && phase.waiting.length > 0) expect(links.hasTimer).toBe(true);
        }),
      ),
      { numRuns: 400 },
    );
  });

  it("TRN-7 an attempt begins each transport once, and two where something works or nobody answered", () => {
    fc.assert(
      fc.property(lives, ([known, happenings]) => {
        let begun: Place[] = [];
        play(known, happenings, ({ effects }, _links) => {
          for (const effect of effects) if (effect.do === "start") begun = [...begun, effect.place];
        });
        expect(new Set(begun).size).toBe(begun.length);
        if (known.dryAttempts > 0 || known.verdicts.some(({ outcome }) => outcome === "works")) expect(begun.length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 400 },
    );
  });

  it("TRN-6 is not moved by anything after its end", () => {
    fc.assert(
      fc.property(lives, ([known, happenings]) =>
        play(known, happenings, ({ effects, timer }, _links, before) => {
          if (before.kind === "over" && timer === "keep") expect(effects).toEqual([]);
        }),
      ),
      { numRuns: 400 },
    );
  });
});
