import { TuttiError } from "@tutti/protocol";

/*
 * The life of a client's connection as data. `transition` is pure: it decides, and `connection.ts` carries out the effects. A phase owns
 * timers and perhaps a link; `release` gives back what a phase has, whatever it is left for.
 */

/** What the world around the client allows. */
export interface World {
  readonly network: "online" | "offline";
  readonly page: "running" | "frozen" | "hidden";
}

export type Heartbeat = { readonly phase: "resting" } | { readonly phase: "awaiting-pong"; readonly graces: 0 | 1 };

/** `attempts`: how many reconnects were started since a connection was last stable. */
export type Phase =
  | { readonly kind: "disconnected"; readonly reason: TuttiError | undefined }
  | { readonly kind: "opening"; readonly step: "token" | "link" | "welcome"; readonly attempts: number; readonly before: TuttiError | undefined; readonly again: "first" | "again" }
  | { readonly kind: "connected"; readonly attempts: number; readonly heartbeat: Heartbeat; readonly intervals: Intervals }
  | { readonly kind: "waiting"; readonly attempts: number; readonly reason: TuttiError; readonly delayMs: number }
  | { readonly kind: "paused"; readonly attempts: number; readonly reason: TuttiError }
  | { readonly kind: "failed"; readonly attempts: number; readonly reason: TuttiError }
  | { readonly kind: "closed"; readonly reason: TuttiError };

export interface Machine {
  readonly phase: Phase;
  readonly world: World;
}

export type Timer = "connect" | "stable" | "heartbeat" | "pong" | "refresh" | "retry" | "watch";

/** The timers that a phase may have; no other runs while it lasts. */
export const timersOf: Readonly<Record<Phase["kind"], readonly Timer[]>> = {
  disconnected: [],
  opening: ["connect"],
  connected: ["stable", "heartbeat", "pong", "refresh"],
  waiting: ["retry"],
  paused: ["watch"],
  failed: ["watch"],
  closed: [],
};

export interface Intervals {
  readonly heartbeatMs: number;
  readonly pongMs: number;
}

export type MachineEvent =
  | { readonly type: "connect" }
  | { readonly type: "close" }
  | { readonly type: "token-ready" }
  | { readonly type: "opened" }
  | { readonly type: "welcomed"; readonly intervals: Intervals; readonly refreshMs: number | undefined }
  /** The attempt or the connection failed; `chance` from 0 to 1 chooses the jitter. */
  | { readonly type: "lost"; readonly error: TuttiError; readonly chance: number }
  | { readonly type: "pong" }
  /** The token has to be renewed by then. */
  | { readonly type: "refresh-in"; readonly delayMs: number }
  /** `heard`: something arrived since the timer was started. */
  | { readonly type: "timer"; readonly timer: Timer; readonly heard: boolean; readonly chance: number }
  | { readonly type: "world"; readonly world: Partial<World> }
  | { readonly type: "page-hidden" }
  /** The machine slept, the page became visible, or the network came back. */
  | { readonly type: "woke" };

export type Effect =
  | { readonly type: "start-timer"; readonly timer: Timer; readonly delayMs: number }
  | { readonly type: "stop-timer"; readonly timer: Timer }
  | { readonly type: "get-token" }
  | { readonly type: "forget-token" }
  | { readonly type: "open-link" }
  | { readonly type: "say-hello" }
  /** `bye`: the server is told first, so that presence ends at once. */
  | { readonly type: "end-link"; readonly bye: boolean }
  | { readonly type: "ping" }
  | { readonly type: "refresh-token" };

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

export const initialMachine: Machine = { phase: { kind: "disconnected", reason: undefined }, world: { network: "online", page: "running" } };

const start = (timer: Timer, delayMs: number): Effect => ({ type: "start-timer", timer, delayMs });

/** What ends with a phase. */
function release(phase: Phase, bye: boolean): Effect[] {
  const effects = timersOf[phase.kind].map((timer): Effect => ({ type: "stop-timer", timer }));
  if (phase.kind === "connected" || phase.kind === "opening") effects.push({ type: "end-link", bye: bye && phase.kind === "connected" });
  return effects;
}

/** What begins with a phase. */
function acquire(phase: Phase, config: MachineConfig): Effect[] {
  switch (phase.kind) {
    case "opening":
      return [start("connect", config.connectTimeoutMs), { type: "get-token" }];
    case "connected":
      return [start("stable", config.stableAfterMs), start("heartbeat", phase.intervals.heartbeatMs)];
    case "waiting":
      return [start("retry", phase.delayMs)];
    case "paused":
    case "failed":
      return [start("watch", config.watchMs)];
    case "disconnected":
    case "closed":
      return [];
    default:
      return phase satisfies never;
  }
}

function enter(machine: Machine, phase: Phase, config: MachineConfig, bye = false): Step {
  return { machine: { ...machine, phase }, effects: [...release(machine.phase, bye), ...acquire(phase, config)] };
}

/** The same phase with something in it changed: what it has, it keeps. */
function stay(machine: Machine, phase: Phase = machine.phase, ...effects: readonly Effect[]): Step {
  return { machine: phase === machine.phase ? machine : { ...machine, phase }, effects };
}

function open(machine: Machine, attempts: number, config: MachineConfig): Step {
  const { phase } = machine;
  const wasTrying = phase.kind === "waiting" || phase.kind === "paused";
  return enter(machine, { kind: "opening", step: "token", attempts, before: wasTrying ? phase.reason : undefined, again: wasTrying ? "again" : "first" }, config);
}

const isHindered = ({ network, page }: World): boolean => network === "offline" || page !== "running";

function lose(machine: Machine, error: TuttiError, chance: number, config: MachineConfig): Step {
  const { phase, world } = machine;
  if (phase.kind !== "opening" && phase.kind !== "connected") return stay(machine);
  const step = enter(machine, afterLoss(phase.attempts, world, error, chance, config), config);
  return error.retry === "refresh" ? { ...step, effects: [...step.effects, { type: "forget-token" }] } : step;
}

function afterLoss(attempts: number, world: World, error: TuttiError, chance: number, config: MachineConfig): Phase {
  if (error.retry === "never") return { kind: "disconnected", reason: error };
  if (isHindered(world)) return { kind: "paused", attempts, reason: error };
  if (attempts >= config.reconnectAttemptsMax) {
    return { kind: "failed", attempts, reason: new TuttiError("RETRIES_EXHAUSTED", { message: `gave up after ${attempts} attempts: ${error.message}`, cause: error }) };
  }
  const delays = config.reconnectDelaysMs;
  const delayMs = delays[Math.min(attempts, delays.length - 1)] ?? 0;
  // The server may ask for more patience, never for less: a loop without a pause must not be in its power.
  return { kind: "waiting", attempts, reason: error, delayMs: Math.max(delayMs, error.retryAfterMs ?? 0) + chance * config.reconnectJitterMs };
}

function wake(machine: Machine, config: MachineConfig): Step {
  const { phase } = machine;
  switch (phase.kind) {
    case "connected":
      return check({ ...machine, phase: { ...phase, attempts: 0 } });
    case "opening":
      return stay(machine, { ...phase, attempts: 0 });
    case "waiting":
    case "paused":
    case "failed":
      return isHindered(machine.world) ? stay(machine) : open(machine, 0, config);
    case "disconnected":
    case "closed":
      return stay(machine);
    default:
      return phase satisfies never;
  }
}

/**
 * Pings now. A pong that is due already gets one more chance, with a new ping: the time that the machine slept is no proof of death. One
 * chance, since a browser may wake a page in the background too late every time.
 */
function check(machine: Machine): Step {
  const { phase } = machine;
  if (phase.kind !== "connected" || (phase.heartbeat.phase === "awaiting-pong" && phase.heartbeat.graces === 1)) return stay(machine);
  const graces = phase.heartbeat.phase === "resting" ? 0 : 1;
  return stay(machine, { ...phase, heartbeat: { phase: "awaiting-pong", graces } }, { type: "ping" }, start("pong", phase.intervals.pongMs));
}

function change(machine: Machine, world: World, config: MachineConfig): Step {
  const changed = { ...machine, world };
  const { phase } = machine;
  if (phase.kind === "waiting" && isHindered(world)) {
    return enter(changed, { kind: "paused", attempts: phase.attempts, reason: phase.reason }, config);
  }
  // "Offline" may be wrong, and a connection that goes on is worth more than a message about it.
  return phase.kind === "connected" && world.network === "offline" && machine.world.network === "online" ? check(changed) : stay(changed);
}

/** The page goes away: what it has open would keep it out of the back-forward cache. */
function hide(machine: Machine, config: MachineConfig): Step {
  const { phase } = machine;
  const world = { ...machine.world, page: "hidden" } as const;
  if (phase.kind !== "opening" && phase.kind !== "connected" && phase.kind !== "waiting") return stay({ ...machine, world });
  const reason = new TuttiError("CONNECTION_LOST", { message: "the page was left" });
  return enter({ ...machine, world }, { kind: "paused", attempts: 0, reason }, config, true);
}

function onTimer(machine: Machine, event: Extract<MachineEvent, { type: "timer" }>, config: MachineConfig): Step {
  const { phase } = machine;
  if (!timersOf[phase.kind].includes(event.timer)) return stay(machine);
  switch (event.timer) {
    case "connect":
      return lose(machine, new TuttiError("CONNECT_TIMEOUT"), event.chance, config);
    case "retry":
      return phase.kind === "waiting" ? open(machine, phase.attempts + 1, config) : stay(machine);
    case "stable":
      return phase.kind === "connected" ? stay(machine, { ...phase, attempts: 0 }) : stay(machine);
    case "refresh":
      return stay(machine, phase, { type: "refresh-token" });
    case "watch":
      return stay(machine, phase, start("watch", config.watchMs));
    case "heartbeat": {
      if (phase.kind !== "connected") return stay(machine);
      const step = phase.heartbeat.phase === "resting" ? check(machine) : stay(machine);
      return { ...step, effects: [...step.effects, start("heartbeat", phase.intervals.heartbeatMs)] };
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
      return phase.kind === "closed" ? stay(machine) : enter(machine, { kind: "closed", reason: new TuttiError("CLIENT_CLOSED") }, config, true);
    case "token-ready":
      return phase.kind === "opening" && phase.step === "token" ? stay(machine, { ...phase, step: "link" }, { type: "open-link" }) : stay(machine);
    case "opened":
      return phase.kind === "opening" && phase.step === "link" ? stay(machine, { ...phase, step: "welcome" }, { type: "say-hello" }) : stay(machine);
    case "welcomed": {
      if (phase.kind !== "opening" || phase.step !== "welcome") return stay(machine);
      const connected: Phase = { kind: "connected", attempts: phase.attempts, heartbeat: { phase: "resting" }, intervals: event.intervals };
      const refresh = event.refreshMs === undefined ? [] : [start("refresh", event.refreshMs)];
      // The link goes over to the next phase: the one resource that outlives its phase.
      return { machine: { ...machine, phase: connected }, effects: [{ type: "stop-timer", timer: "connect" }, ...acquire(connected, config), ...refresh] };
    }
    case "lost":
      return lose(machine, event.error, event.chance, config);
    case "pong":
      return phase.kind === "connected" ? stay(machine, { ...phase, heartbeat: { phase: "resting" } }, { type: "stop-timer", timer: "pong" }) : stay(machine);
    case "refresh-in":
      return phase.kind === "connected" ? stay(machine, phase, start("refresh", event.delayMs)) : stay(machine);
    case "timer":
      return onTimer(machine, event, config);
    case "world":
      return change(machine, { ...machine.world, ...event.world }, config);
    case "page-hidden":
      return hide(machine, config);
    case "woke":
      return wake(machine, config);
    default:
      return event satisfies never;
  }
}
