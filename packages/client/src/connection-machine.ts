import { TuttiError } from "@tutti/protocol";

/*
 * The life of a client's connection as data. `transition` is pure: it decides, and `connection.ts` carries out the effects. All timers, and
 * the link, belong to a phase: the effect `release` ends them when it is left, whatever it is left for.
 */

/** `attempts`: how many reconnects were started since a connection was last stable. */
export type Phase =
  | { readonly kind: "disconnected"; readonly reason: TuttiError | undefined }
  /** From the token to the welcome. `reason`: why it connects again. */
  | { readonly kind: "opening"; readonly attempts: number; readonly reason: TuttiError | undefined }
  | { readonly kind: "connected"; readonly attempts: number; readonly pong: Pong; readonly intervals: Intervals }
  | { readonly kind: "waiting"; readonly attempts: number; readonly reason: TuttiError; readonly delayMs: number }
  /** Until the world lets it go on. */
  | { readonly kind: "paused"; readonly attempts: number; readonly reason: TuttiError }
  | { readonly kind: "failed"; readonly attempts: number; readonly reason: TuttiError }
  | { readonly kind: "closed"; readonly reason: TuttiError };

/** `overslept`: it is awaited for a second time, because the machine slept through the first. */
export type Pong = "received" | "awaited" | "overslept";

export interface Intervals {
  readonly heartbeatMs: number;
  readonly pongMs: number;
  /** When to renew the token. */
  readonly refreshMs: number | undefined;
}

/** What the world around the client allows: in all but `free` no attempt is counted. */
export type World = "free" | "offline" | "frozen" | "hidden";

export interface Machine {
  readonly phase: Phase;
  readonly world: World;
}

/** `beat` pings where there is a connection, and elsewhere only finds out whether the machine slept. */
export type Timer = "connect" | "stable" | "beat" | "pong" | "refresh" | "retry";

/** The timers that a phase may have; no other runs while it lasts. */
export const timersOf: Readonly<Record<Phase["kind"], readonly Timer[]>> = {
  disconnected: [],
  opening: ["connect"],
  connected: ["stable", "beat", "pong", "refresh"],
  waiting: ["retry"],
  paused: ["beat"],
  failed: ["beat"],
  closed: [],
};

export type MachineEvent =
  | { readonly type: "connect" }
  | { readonly type: "close" }
  | { readonly type: "welcomed"; readonly intervals: Intervals }
  /** The attempt or the connection failed. `chance`, here and below, from 0 to 1: chooses the jitter. */
  | { readonly type: "lost"; readonly error: TuttiError; readonly chance: number }
  | { readonly type: "pong" }
  /** `heard`: something arrived since the timer was started. */
  | { readonly type: "timer"; readonly timer: Timer; readonly heard: boolean; readonly chance: number }
  /** The token has to be renewed by then. */
  | { readonly type: "refresh-in"; readonly delayMs: number }
  | { readonly type: "world"; readonly world: World }
  /** The machine slept, or the page became visible. */
  | { readonly type: "woke" };

export type Effect =
  | { readonly type: "start"; readonly timer: Timer; readonly delayMs: number }
  | { readonly type: "stop"; readonly timer: Timer }
  /** Ends all timers; and the link, unless the next phase goes on with it. `bye`: the server is told, so that presence ends at once. */
  | { readonly type: "release"; readonly link: "end" | "bye" | "keep" }
  | { readonly type: "open" }
  | { readonly type: "ping" }
  | { readonly type: "refresh" }
  /** The next attempt needs a new token. */
  | { readonly type: "forget-token" };

export interface MachineConfig {
  readonly connectTimeoutMs: number;
  readonly stableAfterMs: number;
  readonly reconnectDelaysMs: readonly number[];
  readonly reconnectJitterMs: number;
  readonly reconnectAttemptsMax: number;
  /** How often `paused` and `failed` look whether the machine slept. */
  readonly watchMs: number;
}

export interface Step {
  readonly machine: Machine;
  readonly effects: readonly Effect[];
}

export const initialMachine: Machine = { phase: { kind: "disconnected", reason: undefined }, world: "free" };

const start = (timer: Timer, delayMs: number): Effect => ({ type: "start", timer, delayMs });

/** What begins with a phase. */
function acquire(phase: Phase, config: MachineConfig): readonly Effect[] {
  switch (phase.kind) {
    case "opening":
      return [start("connect", config.connectTimeoutMs), { type: "open" }];
    case "connected": {
      const { heartbeatMs, refreshMs } = phase.intervals;
      return [start("stable", config.stableAfterMs), start("beat", heartbeatMs), ...(refreshMs === undefined ? [] : [start("refresh", refreshMs)])];
    }
    case "waiting":
      return [start("retry", phase.delayMs)];
    case "paused":
    case "failed":
      return [start("beat", config.watchMs)];
    case "disconnected":
    case "closed":
      return [];
    default:
      return phase satisfies never;
  }
}

function enter(machine: Machine, phase: Phase, config: MachineConfig, link: "end" | "bye" | "keep" = "end"): Step {
  return { machine: { ...machine, phase }, effects: [{ type: "release", link }, ...acquire(phase, config)] };
}

/** The same phase with something in it changed: what it has, it keeps. */
function stay(machine: Machine, phase: Phase = machine.phase, ...effects: readonly Effect[]): Step {
  return { machine: phase === machine.phase ? machine : { ...machine, phase }, effects };
}

function open(machine: Machine, attempts: number, config: MachineConfig): Step {
  const { phase } = machine;
  return enter(machine, { kind: "opening", attempts, reason: phase.kind === "waiting" || phase.kind === "paused" ? phase.reason : undefined }, config);
}

function lose(machine: Machine, error: TuttiError, chance: number, config: MachineConfig): Step {
  const { phase, world } = machine;
  if (phase.kind !== "opening" && phase.kind !== "connected") return stay(machine);
  const step = enter(machine, afterLoss(phase.attempts, world, error, chance, config), config);
  return error.retry === "refresh" ? { ...step, effects: [...step.effects, { type: "forget-token" }] } : step;
}

function afterLoss(attempts: number, world: World, reason: TuttiError, chance: number, config: MachineConfig): Phase {
  if (reason.retry === "never") return { kind: "disconnected", reason };
  if (world !== "free") return { kind: "paused", attempts, reason };
  if (attempts >= config.reconnectAttemptsMax) {
    return { kind: "failed", attempts, reason: new TuttiError("RETRIES_EXHAUSTED", { message: reason.message, cause: reason }) };
  }
  const { reconnectDelaysMs: delays, reconnectJitterMs } = config;
  const delayMs = delays[Math.min(attempts, delays.length - 1)] ?? 0;
  // The server may ask for more patience, never for less: a loop without a pause must not be in its power.
  return { kind: "waiting", attempts, reason, delayMs: Math.max(delayMs, reason.retryAfterMs ?? 0) + chance * reconnectJitterMs };
}

function wake(machine: Machine, config: MachineConfig): Step {
  const { phase, world } = machine;
  switch (phase.kind) {
    case "connected":
      return check({ ...machine, phase: { ...phase, attempts: 0 } });
    case "opening":
      return stay(machine, { ...phase, attempts: 0 });
    case "waiting":
    case "paused":
    case "failed":
      return world === "free" ? open(machine, 0, config) : stay(machine);
    case "disconnected":
    case "closed":
      return stay(machine);
    default:
      return phase satisfies never;
  }
}

/**
 * Pings now. A pong that is awaited already gets one more chance, with a new ping: the time that the machine slept is no proof of death. One
 * chance, since a browser may wake a page in the background too late every time.
 */
function check(machine: Machine): Step {
  const { phase } = machine;
  if (phase.kind !== "connected" || phase.pong === "overslept") return stay(machine);
  return stay(machine, { ...phase, pong: phase.pong === "received" ? "awaited" : "overslept" }, { type: "ping" }, start("pong", phase.intervals.pongMs));
}

function change(machine: Machine, world: World, config: MachineConfig): Step {
  const { phase } = machine;
  const changed = { ...machine, world };
  if (world === "free") return wake(changed, config);
  // A page that goes away would be kept out of the back-forward cache by what it has open.
  if (phase.kind === "waiting" || (world === "hidden" && (phase.kind === "opening" || phase.kind === "connected"))) {
    const reason = phase.kind === "waiting" ? phase.reason : new TuttiError("CONNECTION_LOST");
    return enter(changed, { kind: "paused", attempts: phase.attempts, reason }, config, "bye");
  }
  // "Offline" may be wrong, and a connection that goes on is worth more than a message about it.
  return world === "offline" && phase.kind === "connected" && phase.pong === "received" ? check(changed) : stay(changed);
}

function onTimer(machine: Machine, event: Extract<MachineEvent, { type: "timer" }>, config: MachineConfig): Step {
  const { phase } = machine;
  switch (event.timer) {
    case "connect":
      return phase.kind === "opening" ? lose(machine, new TuttiError("CONNECT_TIMEOUT"), event.chance, config) : stay(machine);
    case "retry":
      return phase.kind === "waiting" ? open(machine, phase.attempts + 1, config) : stay(machine);
    case "stable":
      return phase.kind === "connected" ? stay(machine, { ...phase, attempts: 0 }) : stay(machine);
    case "refresh":
      return stay(machine, phase, { type: "refresh" });
    case "beat": {
      if (phase.kind !== "connected") return stay(machine, phase, start("beat", config.watchMs));
      const step = phase.pong === "received" ? check(machine) : stay(machine);
      return { ...step, effects: [...step.effects, start("beat", phase.intervals.heartbeatMs)] };
    }
    case "pong":
      if (phase.kind !== "connected") return stay(machine);
      // A long replay holds up the pong behind it; any bytes count as life.
      return event.heard ? stay(machine, phase, start("pong", phase.intervals.pongMs)) : lose(machine, new TuttiError("HEARTBEAT_TIMEOUT"), event.chance, config);
    default:
      return event.timer satisfies never;
  }
}

/** What follows from an event. Pure; an event that means nothing in a phase changes nothing. */
export function transition(machine: Machine, event: MachineEvent, config: MachineConfig): Step {
  const { phase } = machine;
  switch (event.type) {
    case "connect":
      return phase.kind === "opening" || phase.kind === "connected" ? stay(machine) : open(machine, 0, config);
    case "close":
      return phase.kind === "closed" ? stay(machine) : enter(machine, { kind: "closed", reason: new TuttiError("CLIENT_CLOSED") }, config, "bye");
    case "welcomed":
      if (phase.kind !== "opening") return stay(machine);
      return enter(machine, { kind: "connected", attempts: phase.attempts, pong: "received", intervals: event.intervals }, config, "keep");
    case "lost":
      return lose(machine, event.error, event.chance, config);
    case "pong":
      return phase.kind === "connected" ? stay(machine, { ...phase, pong: "received" }, { type: "stop", timer: "pong" }) : stay(machine);
    case "refresh-in":
      return phase.kind === "connected" ? stay(machine, phase, start("refresh", event.delayMs)) : stay(machine);
    case "timer":
      return timersOf[phase.kind].includes(event.timer) ? onTimer(machine, event, config) : stay(machine);
    case "world":
      return change(machine, event.world, config);
    case "woke":
      return wake(machine, config);
    default:
      return event satisfies never;
  }
}
