import { TuttiError } from "@tutti/protocol";

/*
 * The life of a client's connection as data. `transition` is pure: it decides, and `connection.ts` carries out the effects. A phase has one
 * timer at most, and perhaps a link; the effect `release` ends both when it is left, whatever it is left for.
 */

/** `attempts`: how many reconnects were started since a connection was last stable. */
export type Phase =
  | { readonly kind: "disconnected"; readonly reason: TuttiError | undefined }
  /** From the token to the welcome. `reason`: why it connects again. */
  | { readonly kind: "opening"; readonly attempts: number; readonly reason: TuttiError | undefined }
  | { readonly kind: "connected"; readonly attempts: number; readonly pulse: Pulse; readonly intervals: Intervals }
  | { readonly kind: "waiting"; readonly attempts: number; readonly reason: TuttiError; readonly delayMs: number }
  /** Until the world lets it go on. */
  | { readonly kind: "paused"; readonly attempts: number; readonly reason: TuttiError }
  | { readonly kind: "failed"; readonly attempts: number; readonly reason: TuttiError }
  | { readonly kind: "closed"; readonly reason: TuttiError };

/**
 * Between two heartbeats: `resting` until the next ping, `asked` until the pong or its deadline, `answered` until the deadline has passed.
 * `overslept`: asked for a second time, because the machine slept through the first.
 */
export type Pulse = "resting" | "asked" | "overslept" | "answered";

export interface Intervals {
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
  /** Whether anything arrived since the ping. */
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

export const initialMachine: Machine = { phase: { kind: "disconnected", reason: undefined }, world: "free" };

/** How long a phase lasts before its timer fires. */
function timerOf(phase: Phase, config: MachineConfig): number | undefined {
  switch (phase.kind) {
    case "opening":
      return config.connectTimeoutMs;
    case "connected":
      return phase.intervals.heartbeatMs;
    case "waiting":
      return phase.delayMs;
    case "paused":
    case "failed":
      return config.watchMs;
    case "disconnected":
    case "closed":
      return undefined;
    default:
      return phase satisfies never;
  }
}

function enter(machine: Machine, phase: Phase, config: MachineConfig, ...effects: readonly Effect[]): Step {
  return { machine: { ...machine, phase }, effects, timerMs: timerOf(phase, config) };
}

/** The same phase, perhaps with something in it changed: what it has, it keeps. */
function stay(machine: Machine, phase: Phase = machine.phase, timerMs?: number, ...effects: readonly Effect[]): Step {
  return { machine: phase === machine.phase ? machine : { ...machine, phase }, effects, timerMs };
}

function open(machine: Machine, attempts: number, config: MachineConfig): Step {
  const { phase } = machine;
  return enter(machine, { kind: "opening", attempts, reason: "attempts" in phase && phase.kind !== "connected" ? phase.reason : undefined }, config, "release", "open");
}

function lose(machine: Machine, error: TuttiError, { chance, upMs }: Facts, config: MachineConfig): Step {
  const { phase, world } = machine;
  if (phase.kind !== "opening" && phase.kind !== "connected") return stay(machine);
  const attempts = upMs < config.stableAfterMs ? phase.attempts : 0;
  return enter(machine, afterLoss(attempts, world, error, chance, config), config, "release", ...(error.retry === "refresh" ? (["forget-token"] as const) : []));
}

function afterLoss(attempts: number, world: World, reason: TuttiError, chance: number, config: MachineConfig): Phase {
  const { reconnectAttemptsMax, reconnectDelaysMs: delays, reconnectJitterMs } = config;
  if (reason.retry === "never") return { kind: "disconnected", reason };
  if (world !== "free") return { kind: "paused", attempts, reason };
  if (attempts >= reconnectAttemptsMax) {
    return { kind: "failed", attempts, reason: new TuttiError("RETRIES_EXHAUSTED", { message: reason.message, cause: reason }) };
  }
  const delayMs = delays[Math.min(attempts, delays.length - 1)] ?? 0;
  // The server may ask for more patience, never for less: a loop without a pause must not be in its power.
  return { kind: "waiting", attempts, reason, delayMs: Math.max(delayMs, reason.retryAfterMs ?? 0) + chance * reconnectJitterMs };
}

function wake(machine: Machine, config: MachineConfig): Step {
  const { phase } = machine;
  if (!("attempts" in phase)) return stay(machine);
  const fresh = { ...phase, attempts: 0 };
  if (fresh.kind === "connected") return check({ ...machine, phase: fresh });
  return fresh.kind === "opening" || machine.world !== "free" ? stay(machine, fresh) : open(machine, 0, config);
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
  if (phase.kind === "waiting") return enter(machine, { ...phase, kind: "paused" }, config, "release");
  if (phase.kind !== "opening" && phase.kind !== "connected") return stay(machine);
  // A page that goes away would be kept out of the back-forward cache by what it has open.
  if (world === "hidden") return enter(machine, { kind: "paused", attempts: 0, reason: new TuttiError("CONNECTION_LOST") }, config, "bye", "release");
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
    case "paused":
    case "failed":
      return stay(machine, phase, config.watchMs);
    case "disconnected":
    case "closed":
      return stay(machine);
    default:
      return phase satisfies never;
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
      return phase.kind === "opening" || phase.kind === "connected" ? stay(machine) : open(machine, 0, config);
    case "close":
      return phase.kind === "closed" ? stay(machine) : enter(machine, { kind: "closed", reason: new TuttiError("CLIENT_CLOSED") }, config, "bye", "release");
    case "welcomed":
      // The link goes over to the next phase, and the timer starts anew.
      return phase.kind === "opening" ? enter(machine, { kind: "connected", attempts: phase.attempts, pulse: "resting", intervals: event.intervals }, config) : stay(machine);
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
