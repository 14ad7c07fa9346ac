import { errorRegistry, TuttiError, type ErrorCode } from "@tutti/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { initialMachine, transition, type Facts, type Machine, type MachineConfig, type MachineEvent, type Phase, type Step } from "../src/connection-machine.js";

const config: MachineConfig = {
  connectTimeoutMs: 10_000,
  stableAfterMs: 5_000,
  reconnectDelaysMs: [1_000, 2_000, 4_000],
  reconnectJitterMs: 500,
  reconnectAttemptsMax: 3,
  watchMs: 25_000,
};
const intervals = { heartbeatMs: 25_000, pongMs: 5_000 };

const facts: fc.Arbitrary<Facts> = fc.record({ chance: fc.double({ min: 0, max: 1, noNaN: true }), upMs: fc.integer({ min: 0, max: 10_000 }), heard: fc.boolean() });
const error = fc
  .record({ code: fc.constantFrom(...(Object.keys(errorRegistry) as ErrorCode[])), retryAfterMs: fc.integer({ min: 0, max: 100_000 }) })
  .map(({ code, retryAfterMs }) => new TuttiError(code, { retryAfterMs }));
const event: fc.Arbitrary<MachineEvent> = fc.oneof(
  fc.constantFrom<MachineEvent>({ type: "connect" }, { type: "connect" }, { type: "close" }, { type: "pong" }, { type: "woke" }, { type: "welcomed", intervals }),
  fc.constantFrom("free", "free", "offline", "frozen", "hidden" as const).map((world) => ({ type: "world", world }) as const),
  facts.map((known) => ({ type: "timer", ...known }) as const),
  fc.tuple(error, facts).map(([why, known]) => ({ type: "lost", error: why, ...known }) as const),
);
const events = fc.array(event, { maxLength: 60 });

/** What the client holds when it does what the machine says. */
interface Held {
  readonly timer?: Phase["kind"] | undefined;
  readonly link: boolean;
}

function carryOut(held: Held, { machine, effects, timerMs }: Step): Held {
  let { timer, link } = held;
  for (const effect of effects) {
    if (effect === "release") {
      timer = undefined;
      link = false;
    }
    if (effect === "open") {
      expect(link, "two links at once").toBe(false);
      link = true;
    }
  }
  if (timerMs !== undefined) timer = machine.phase.kind;
  return { timer, link };
}

/** Plays the events; `look` sees each step with what is held after it. */
function play(all: readonly MachineEvent[], look: (step: Step, held: Held, before: Machine, event: MachineEvent) => void): void {
  let machine = initialMachine;
  let held: Held = { link: false };
  for (const next of all) {
    // A timer that fired is spent.
    if (next.type === "timer") held = { link: held.link };
    const step = transition(machine, next, config);
    held = carryOut(held, step);
    look(step, held, machine, next);
    machine = step.machine;
  }
}

const always = (look: Parameters<typeof play>[1]): void => fc.assert(fc.property(events, (all) => play(all, look)), { numRuns: 500 });

const phaseAfter = (...all: readonly MachineEvent[]): Phase => {
  let { phase } = initialMachine;
  play(all, (step) => {
    ({ phase } = step.machine);
  });
  return phase;
};
const lost = (code: ErrorCode = "CONNECTION_LOST", changes: Partial<Facts> = {}): MachineEvent => ({ type: "lost", error: new TuttiError(code), chance: 0, upMs: 0, heard: false, ...changes });
const timer: MachineEvent = { type: "timer", chance: 0, upMs: 0, heard: false };

/** What must not be changed by whoever gets it. */
function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value) && !(value instanceof Error)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
}

describe("whatever happens in whatever order", () => {
  it("CON-9 the same input gives the same output, and is left as it was", () => {
    always((step, _held, before, next) => expect(transition(freeze(before), freeze(next), freeze(config))).toEqual(step));
  });

  it("CON-9 no timer outlives its phase, and none is missing where the phase has one", () => {
    always(({ machine }, { timer: held }) => {
      const { kind } = machine.phase;
      expect(held).toBe(kind === "disconnected" || kind === "closed" ? undefined : kind);
    });
  });

  it("CON-9 there is a link while opening and connected, and at no other time, and never two", () => {
    always(({ machine }, { link }) => expect(link).toBe(machine.phase.kind === "opening" || machine.phase.kind === "connected"));
  });

  it("CON-9 a phase that is left releases what it had; the welcome alone hands it on", () => {
    always(({ machine, effects }, _held, before) => {
      const [from, to] = [before.phase.kind, machine.phase.kind];
      if (from === to || from === "disconnected" || from === "closed" || (from === "opening" && to === "connected")) return;
      expect(effects).toContain("release");
    });
  });

  it("CON-9 a goodbye is said before the link is released, and a ping on a connection alone", () => {
    always(({ machine, effects }) => {
      if (effects.includes("bye")) expect(effects.indexOf("bye")).toBeLessThan(effects.indexOf("release"));
      if (effects.includes("ping")) expect(machine.phase.kind).toBe("connected");
    });
  });

  it("CON-2 the attempts never exceed their maximum", () => {
    always(({ machine }) => expect(machine.phase.attempts).toBeLessThanOrEqual(config.reconnectAttemptsMax));
  });

  it("CON-4 no attempt is counted while the world does not let it succeed", () => {
    always(({ machine }, _held, before) => {
      if (before.world !== "free" && machine.world !== "free") expect(machine.phase.attempts).toBeLessThanOrEqual(before.phase.attempts);
    });
  });

  it("CON-4 the next attempt is not waited for while the world does not let it succeed", () => {
    always(({ machine }) => {
      if (machine.world !== "free") expect(machine.phase.kind).not.toBe("waiting");
    });
  });

  it("CON-5 a code that is not retried leads to no attempt", () => {
    always(({ machine, effects }, _held, before, next) => {
      if (next.type !== "lost" || next.error.retry !== "never") return;
      expect(effects).not.toContain("open");
      if (before.phase.kind === "opening" || before.phase.kind === "connected") expect(machine.phase.kind).toBe("disconnected");
    });
  });

  it("CON-1 what is neither connected nor on its first way there has a reason", () => {
    always(({ machine: { phase } }) => {
      if (phase.kind === "waiting" || phase.kind === "paused" || phase.kind === "failed" || phase.kind === "closed") expect(phase.reason).toBeInstanceOf(TuttiError);
    });
  });

  it("CON-8 close ends in closed from anywhere, and only connect leads out of it", () => {
    always(({ machine }, _held, before, next) => {
      if (next.type === "close") expect(machine.phase.kind).toBe("closed");
      else if (before.phase.kind === "closed") expect(machine.phase.kind).toBe(next.type === "connect" ? "opening" : "closed");
    });
  });
});

describe("with losses and timers alone", () => {
  it("CON-2 no more links are opened than the first and the reconnects that are allowed", () => {
    const trouble = fc.array(fc.oneof(fc.constant(lost()), fc.constant(timer)), { minLength: 30, maxLength: 60 });
    fc.assert(
      fc.property(trouble, (all) => {
        let opened = 0;
        play([{ type: "connect" }, ...all], ({ effects }) => {
          opened += effects.filter((effect) => effect === "open").length;
        });
        expect(opened).toBeLessThanOrEqual(1 + config.reconnectAttemptsMax);
      }),
    );
  });

  it("CON-2 the pause is the delay of the attempt and its part of the jitter", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (chance) => {
        expect(phaseAfter({ type: "connect" }, lost("CONNECTION_LOST", { chance }))).toMatchObject({ kind: "waiting", timerMs: 1_000 + chance * 500 });
      }),
    );
  });

  it("CON-3 the attempts are forgotten where the connection was up for stableAfterMs, and not a millisecond sooner", () => {
    const wobbly = [{ type: "connect" }, lost(), timer, { type: "welcomed", intervals }] as const;
    expect(phaseAfter(...wobbly, lost("CONNECTION_LOST", { upMs: 4_999 }))).toMatchObject({ kind: "waiting", attempts: 1, timerMs: 2_000 });
    expect(phaseAfter(...wobbly, lost("CONNECTION_LOST", { upMs: 5_000 }))).toMatchObject({ kind: "waiting", attempts: 0, timerMs: 1_000 });
  });

  it("CON-5 the server may ask for more patience than the backoff has, and never for less", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (retryAfterMs, chance) => {
        const drained: MachineEvent = { type: "lost", error: new TuttiError("SERVER_DRAINING", { retryAfterMs }), chance, upMs: 0, heard: false };
        expect(phaseAfter({ type: "connect" }, drained)).toMatchObject({ kind: "waiting", timerMs: Math.max(1_000, retryAfterMs) + chance * 500 });
      }),
    );
  });

  it("CON-6 an expired token is forgotten, any other end keeps it", () => {
    const connected = [{ type: "connect" }, { type: "welcomed", intervals }] as const;
    const forgets = (code: ErrorCode): boolean => {
      let found = false;
      play([...connected, lost(code)], ({ effects }) => {
        found ||= effects.includes("forget-token");
      });
      return found;
    };
    expect(forgets("TOKEN_EXPIRED")).toBe(true);
    expect(forgets("SERVER_DRAINING")).toBe(false);
  });
});
