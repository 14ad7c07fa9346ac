import { TuttiError } from "@tutti/protocol";

/*
 * The life of a client's connection as data. `transition` is pure: it decides, and `connection.ts` carries out the effects. A phase has one
 * timer at most, and perhaps a link; the effect `release` ends both when it is left, whatever it is left for.
 */

interface Common {
  /** How many reconnects were started since a connection was last stable. */
  readonly attempts: number;
  /** Why it is not connected. */
  readonly reason?: TuttiError | undefined;
  /** How long until the phase's timer fires. */
  readonly timerMs?: number | undefined;
}

export type Phase = Common &
  (
    | { readonly kind: "disconnected" }
    /** From the token to the welcome; with a reason it connects again. */
    | { readonly kind: "opening" }
    | { readonly kind: "connected"; readonly pulse: Pulse; readonly intervals: Intervals }
    | { readonly kind: "waiting"; readonly timerMs: number }
    /** `paused`: until the world lets it go on. In both the timer only finds out whether the machine slept. */
    | { readonly kind: "paused" | "failed" }
    | { readonly kind: "closed"; readonly reason: TuttiError }
  );

/**
 * Between two heartbeats: `resting` until the next ping, `asked` until the pong or its deadline, `answered` until the deadline has passed.
 * `overslept`: asked for a second time, because the machine slept through the first.
 */
type Pulse = "resting" | "asked" | "overslept" | "answered";

interface Intervals {
  readonly heartbeatMs: number;
  readonly pongMs: number;
}

/** What the world around the client allows: in all but `free` no attempt is counted. */
export type World = "free" | "offline" | "frozen" | "hidden";

export interface Machine {
  readonly phase: Phase;
  readonly world: World;
}

/** What the machine cannot know by itself. */
export interface Facts {
  /** From 0 to 1; chooses the jitter. */
  readonly chance: number;
  /** For how long it has been connected. */
  readonly upMs: number;
  /** Whether anything arrived since the phase's timer was started. */
  readonly heard: boolean;
}

export type MachineEvent =
  | { readonly type: "connect" | "close" | "pong" }
  /** The machine slept, or the page became visible. */
  | { readonly type: "woke" }
  | { readonly type: "welcomed"; readonly intervals: Intervals }
  /** The attempt or the connection failed. */
  | ({ readonly type: "lost"; readonly error: TuttiError } & Facts)
  /** The phase's timer fired. */
  | ({ readonly type: "timer" } & Facts)
  | { readonly type: "world"; readonly world: World };

/** `bye` tells the server that this is the end, so that presence ends at once; `forget-token`: the next attempt needs a new one. */
export type Effect = "bye" | "release" | "open" | "ping" | "forget-token";

export interface Step {
  readonly machine: Machine;
  readonly effects: readonly Effect[];
  /** Starts the phase's timer, or starts it anew. After the effects. */
  readonly timerMs?: number | undefined;
}

export interface MachineConfig {
  readonly connectTimeoutMs: number;
  readonly stableAfterMs: number;
  readonly reconnectDelaysMs: readonly number[];
  readonly reconnectJitterMs: number;
  readonly reconnectAttemptsMax: number;
  /** How often `paused` and `failed` look whether the machine slept. */
  readonly watchMs: number;
}

/** A timer that fires this much too late was slept through. */
export const SLEEP_MS_MIN = 5_000;

export const initialMachine: Machine = { phase: { kind: "disconnected", attempts: 0 }, world: "free" };

/** Whether there is a link, or one is on its way. */
function isActive({ kind }: Phase): boolean {
  return kind === "opening" || kind === "connected";
}

function enter(machine: Machine, phase: Phase, ...effects: readonly Effect[]): Step {
  return stay(machine, phase, phase.timerMs, ...effects);
}

/** The same phase, perhaps with something in it changed: what it has, it keeps. */
function stay(machine: Machine, phase: Phase = machine.phase, timerMs?: number, ...effects: readonly Effect[]): Step {
  return { machine: { ...machine, phase }, effects, timerMs };
}

function open(machine: Machine, attempts: number, config: MachineConfig): Step {
  const { timerMs, reason } = machine.phase;
  // What has no timer was ended, and does not connect again but anew.
  return enter(machine, { kind: "opening", attempts, reason: timerMs === undefined ? undefined : reason, timerMs: config.connectTimeoutMs }, "release", "open");
}

function lose(machine: Machine, error: TuttiError, { chance, upMs }: Facts, config: MachineConfig): Step {
  const { phase, world } = machine;
  if (!isActive(phase)) return stay(machine);
  const attempts = upMs < config.stableAfterMs ? phase.attempts : 0;
  return enter(machine, afterLoss(attempts, world, error, chance, config), "release", ...(error.retry === "refresh" ? (["forget-token"] as const) : []));
}

function afterLoss(attempts: number, world: World, reason: TuttiError, chance: number, config: MachineConfig): Phase {
  const { reconnectAttemptsMax, reconnectDelaysMs: delays, reconnectJitterMs, watchMs: timerMs } = config;
  if (reason.retry === "never") return { kind: "disconnected", attempts: 0, reason };
  if (world !== "free") return { kind: "paused", attempts, reason, timerMs };
  if (attempts >= reconnectAttemptsMax) return { kind: "failed", attempts, reason: new TuttiError("RETRIES_EXHAUSTED", { cause: reason }), timerMs };
  // The server may ask for more patience, never for less: a loop without a pause must not be in its power.
  const delayMs = Math.max(delays[attempts] ?? delays.at(-1) ?? 0, reason.retryAfterMs ?? 0);
  return { kind: "waiting", attempts, reason, timerMs: delayMs + chance * reconnectJitterMs };
}

function wake(machine: Machine, config: MachineConfig): Step {
  const { phase, world } = machine;
  if (phase.kind === "connected") return check(machine);
  if (phase.kind === "opening") return stay(machine, { ...phase, attempts: 0 });
  // What has no timer was ended, and does not come back by itself.
  return phase.timerMs !== undefined && world === "free" ? open(machine, 0, config) : stay(machine);
}

/**
 * Pings now. A pong that is awaited already gets one more chance, with a new ping: the time that the machine slept is no proof of death. One
 * chance, since a browser may wake a page in the background too late every time.
 */
function check(machine: Machine): Step {
  const { phase } = machine;
  if (phase.kind !== "connected" || phase.pulse === "overslept") return stay(machine);
  return stay(machine, { ...phase, pulse: phase.pulse === "asked" ? "overslept" : "asked" }, phase.intervals.pongMs, "ping");
}

function change(machine: Machine, config: MachineConfig): Step {
  const { phase, world } = machine;
  if (world === "free") return wake(machine, config);
  // A page that goes away would be kept out of the back-forward cache by what it has open.
  if (phase.kind === "waiting" || (world === "hidden" && isActive(phase))) {
    return enter(machine, { kind: "paused", attempts: 0, reason: phase.reason ?? new TuttiError("CONNECTION_LOST"), timerMs: config.watchMs }, "bye", "release");
  }
  // "Offline" may be wrong, and a connection that goes on is worth more than a message about it.
  return world === "offline" ? check(machine) : stay(machine);
}

function onTimer(machine: Machine, facts: Facts, config: MachineConfig): Step {
  const { phase } = machine;
  switch (phase.kind) {
    case "opening":
      return lose(machine, new TuttiError("CONNECT_TIMEOUT"), facts, config);
    case "waiting":
      return open(machine, phase.attempts + 1, config);
    case "connected":
      return beat(machine, phase, facts, config);
    default:
      // `paused` and `failed` look again; the others have no timer.
      return stay(machine, phase, phase.timerMs);
  }
}

function beat(machine: Machine, phase: Extract<Phase, { kind: "connected" }>, facts: Facts, config: MachineConfig): Step {
  const { heartbeatMs, pongMs } = phase.intervals;
  if (phase.pulse === "resting") return check(machine);
  if (phase.pulse === "answered") return stay(machine, { ...phase, pulse: "resting" }, heartbeatMs - pongMs);
  // A long replay holds up the pong behind it; any bytes count as life.
  return facts.heard ? stay(machine, phase, pongMs) : lose(machine, new TuttiError("HEARTBEAT_TIMEOUT"), facts, config);
}

/** What follows from an event. Pure; an event that means nothing in a phase changes nothing. */
export function transition(machine: Machine, event: MachineEvent, config: MachineConfig): Step {
  const { phase } = machine;
  switch (event.type) {
    case "connect":
      return isActive(phase) ? stay(machine) : open(machine, 0, config);
    case "close":
      return enter(machine, { kind: "closed", attempts: 0, reason: new TuttiError("CLIENT_CLOSED") }, "bye", "release");
    case "welcomed": {
      const { attempts } = phase;
      const { intervals } = event;
      // The link goes over to the next phase, and the timer starts anew.
      return phase.kind === "opening" ? enter(machine, { kind: "connected", attempts, pulse: "resting", intervals, timerMs: intervals.heartbeatMs }) : stay(machine);
    }
    case "lost":
      return lose(machine, event.error, event, config);
    case "pong":
      return phase.kind === "connected" ? stay(machine, { ...phase, pulse: phase.pulse === "resting" ? "resting" : "answered" }) : stay(machine);
    case "timer":
      return onTimer(machine, event, config);
    case "world":
      return change({ ...machine, world: event.world }, config);
    case "woke":
      return wake(machine, config);
    default:
      return event satisfies never;
  }
}
