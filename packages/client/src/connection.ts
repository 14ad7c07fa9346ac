import {
  jsonCodec,
  limits,
  PROTOCOL_VERSION,
  readServerFrame,
  subprotocolOf,
  codeOfClose,
  errorEntry,
  TuttiError,
  type Cancel,
  type ClientFrame,
  type Encoded,
  type Environment,
  type ServerFrame,
  type ServerFrameOf,
} from "@tutti/protocol";
import { initialMachine, transition, type Effect, type Machine, type MachineEvent, type Timer } from "./connection-machine.js";
import { describeFrame } from "./debug.js";
import type { Report } from "./emitter.js";
import type { ClientConfig, ClientOptions } from "./options.js";
import type { Line } from "./requests.js";
import type { Session } from "./session.js";
import { encodedBytes } from "./size.js";
import { Store, type ReadonlyStore } from "./store.js";
import type { TokenKeeper } from "./token.js";
import type { Link, Transport } from "./transport.js";

/**
 * - `disconnected`: not started, or ended by a code that is not retried
 * - `failed`: retries exhausted; `connect()` tries again
 * - `closed`: by the application
 */
export type ConnectionStatus = "disconnected" | "connecting" | "connected" | "reconnecting" | "failed" | "closed";

/** The state of the connection, for people. */
export interface ConnectionInfo {
  readonly status: ConnectionStatus;
  /** Why it is not connected. */
  readonly reason: { readonly code: string; readonly message: string } | undefined;
  /** When it was last welcomed, Unix ms. */
  readonly lastConnected: number | undefined;
  /** Reconnects that were started since a connection was last stable. */
  readonly reconnectAttempts: number;
  /** When the next attempt starts, Unix ms; for a countdown. */
  readonly retryAt: number | undefined;
  /** The round trip of the last ping. */
  readonly latencyMs: number | undefined;
  /** The session's public id, as others see it. */
  readonly session: string | undefined;
  readonly user: string | undefined;
  readonly activity: "active" | "idle";
}

export interface ConnectionEvents {
  up(welcome: ServerFrameOf<"welcome">): void;
  /** The connection ended, or, `final`, will not come by itself. */
  down(error: TuttiError | undefined, final: boolean): void;
  frame(frame: ServerFrame): void;
  refresh(): void;
  changed(info: ConnectionInfo): void;
}

export interface ConnectionArguments {
  readonly options: ClientOptions;
  readonly config: ClientConfig;
  readonly environment: Environment;
  readonly transport: Transport;
  readonly session: Session;
  readonly token: TokenKeeper;
  /** What has to be ready before the first hello. */
  readonly ready: () => Promise<unknown> | undefined;
  readonly report: Report;
  readonly debug: ((line: string) => void) | undefined;
}

/** A timer that fires this much too late was slept through. */
const SLEEP_MS_MIN = 5_000;
const CLOSE_NORMAL = 1000;

/** Carries out what the machine decides: link, timers, token. */
export class Connection implements Line {
  readonly #with: ConnectionArguments;
  readonly #events: ConnectionEvents;
  readonly #timers = new Map<Timer, Cancel>();
  readonly #inbox: MachineEvent[] = [];
  #isBusy = false;
  #machine: Machine = initialMachine;
  #link: Link | undefined;
  #welcomed: ServerFrameOf<"welcome"> | undefined;
  #heardAt = 0;
  #pingedAt = 0;
  #messageBytesMax: number = limits.messageBytesMax;
  #lastConnected: number | undefined;
  #latencyMs: number | undefined;
  #retryAt: number | undefined;
  #activity: "active" | "idle" = "active";
  #described: ConnectionInfo;
  readonly #info: Store<ConnectionInfo>;

  constructor(given: ConnectionArguments, events: ConnectionEvents) {
    this.#with = given;
    this.#events = events;
    this.#described = this.#describe();
    this.#info = new Store(() => this.#described, given.report);
  }

  get info(): ReadonlyStore<ConnectionInfo> {
    return this.#info;
  }

  get isUp(): boolean {
    return this.#machine.phase.kind === "connected" && this.#link !== undefined;
  }

  get phase(): Machine["phase"] {
    return this.#machine.phase;
  }

  /** The largest message that the server takes. */
  get messageBytesMax(): number {
    return this.#messageBytesMax;
  }

  /** What the link has not passed on yet. */
  get bufferedBytes(): number {
    return this.#link?.bufferedBytes ?? 0;
  }

  setActivity(activity: "active" | "idle"): void {
    if (activity === this.#activity) return;
    this.#activity = activity;
    if (this.isUp) this.send({ op: "activity", activity });
    this.#changed();
  }

  /** Takes an event to the machine. What happens meanwhile waits its turn, so a step is never cut in two. */
  dispatch(event: MachineEvent): void {
    this.#inbox.push(event);
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) this.#step(next);
    this.#isBusy = false;
  }

  /** The attempt or the connection failed. */
  lose(error: TuttiError): void {
    this.dispatch({ type: "lost", error, chance: this.#with.environment.random() });
  }

  send(frame: ClientFrame): void {
    const message = jsonCodec.encode([frame]);
    // The server would close the connection for it, and not be called again.
    if (encodedBytes(message) > this.#messageBytesMax) throw new TuttiError("MESSAGE_TOO_LARGE");
    this.#with.debug?.(describeFrame("→", frame));
    this.#link?.send(message);
  }

  #step(event: MachineEvent): void {
    const before = this.#machine.phase;
    const { machine, effects } = transition(this.#machine, event, this.#with.config);
    const { phase } = machine;
    this.#machine = machine;
    for (const effect of effects) this.#carryOut(effect);
    if (phase.kind === before.kind) {
      if (phase !== before) this.#changed();
      return;
    }
    this.#retryAt = phase.kind === "waiting" ? this.#with.environment.now() + phase.delayMs : undefined;
    const isFinal = phase.kind === "disconnected" || phase.kind === "closed";
    if (before.kind === "connected" || isFinal) this.#events.down("reason" in phase ? phase.reason : undefined, isFinal);
    if (phase.kind === "connected" && this.#welcomed !== undefined) this.#up(this.#welcomed);
    this.#changed();
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "start-timer":
        return this.#startTimer(effect.timer, effect.delayMs);
      case "stop-timer":
        this.#timers.get(effect.timer)?.();
        this.#timers.delete(effect.timer);
        return;
      case "get-token":
        return this.#getToken();
      case "forget-token":
        return this.#with.token.forget();
      case "open-link":
        return this.#open();
      case "say-hello":
        return this.#hello();
      case "end-link":
        return this.#end(effect.bye);
      case "ping":
        this.#pingedAt = this.#with.environment.elapsed();
        return this.send({ op: "ping" });
      case "refresh-token":
        return this.#events.refresh();
      default:
        effect satisfies never;
    }
  }

  #startTimer(timer: Timer, delayMs: number): void {
    const { environment } = this.#with;
    const startedAt = environment.elapsed();
    const dueAt = startedAt + delayMs;
    this.#timers.get(timer)?.();
    const cancel = environment.after(delayMs, () => {
      if (environment.elapsed() - dueAt > SLEEP_MS_MIN) this.dispatch({ type: "woke" });
      // Waking may have ended the phase that this timer belonged to, or started the timer anew.
      if (this.#timers.get(timer) !== cancel) return;
      this.#timers.delete(timer);
      this.dispatch({ type: "timer", timer, heard: this.#heardAt > startedAt, chance: environment.random() });
    });
    this.#timers.set(timer, cancel);
  }

  #getToken(): void {
    const { phase } = this.#machine;
    // The application may answer after its attempt was abandoned.
    const isCurrent = (): boolean => this.#machine.phase === phase;
    const fetch = (): void =>
      this.#with.token.fetch(
        () => isCurrent() && this.dispatch({ type: "token-ready" }),
        (error) => isCurrent() && this.lose(error),
      );
    const ready = this.#with.ready();
    if (ready === undefined) fetch();
    else void ready.then(fetch);
  }

  #open(): void {
    const { transport, options } = this.#with;
    const current: { link: Link | undefined; closed: boolean } = { link: undefined, closed: false };
    const isCurrent = (): boolean => !current.closed && (current.link === undefined || current.link === this.#link);
    try {
      current.link = transport.open(options.url, subprotocolOf(jsonCodec.name), {
        opened: () => isCurrent() && this.dispatch({ type: "opened" }),
        message: (data) => isCurrent() && this.#receive(data),
        closed: (closeCode, reason) => {
          if (!isCurrent()) return;
          current.closed = true;
          this.#link = undefined;
          const code = codeOfClose(closeCode);
          this.lose(new TuttiError(code, { message: reason || `the connection was closed (${closeCode})` }));
        },
      });
      if (!current.closed) this.#link = current.link;
    } catch (cause) {
      this.lose(new TuttiError("CONNECTION_LOST", { message: "the transport could not open", cause }));
    }
  }

  #hello(): void {
    const { session, token, options } = this.#with;
    this.#messageBytesMax = limits.messageBytesMax;
    try {
      this.send({
        op: "hello",
        versions: [PROTOCOL_VERSION],
        session: session.secret,
        ...(token.token !== undefined && { token: token.token }),
        ...(options.client !== undefined && { client: options.client }),
      });
    } catch (cause) {
      this.lose(new TuttiError("TOKEN_INVALID", { message: "the hello cannot be sent", cause }));
    }
  }

  #end(bye: boolean): void {
    if (bye && this.#link !== undefined) this.send({ op: "bye" });
    const link = this.#link;
    this.#link = undefined;
    link?.close(CLOSE_NORMAL, "");
  }

  #receive(data: Encoded): void {
    this.#heardAt = this.#with.environment.elapsed();
    const link = this.#link;
    try {
      for (const value of jsonCodec.decode(data, limits.serverDepthMax)) {
        this.#take(value);
        // A frame, or a listener that it called, may have ended this connection.
        if (this.#link !== link) return;
      }
    } catch (cause) {
      this.lose(new TuttiError("CONNECTION_LOST", { message: "the server sent what cannot be read", cause }));
    }
  }

  #take(value: unknown): void {
    let frame: ServerFrame;
    try {
      frame = readServerFrame(value);
    } catch (error) {
      if (!(error instanceof TuttiError) || error.code !== "FRAME_UNKNOWN") throw error;
      // A newer server: what this client does not understand, it did not ask for.
      this.#with.debug?.(`← ${error.message}`);
      return;
    }
    this.#with.debug?.(describeFrame("←", frame));
    const isConnected = this.#machine.phase.kind === "connected";
    if (frame.op === "welcome" && !isConnected) this.#welcome(frame);
    else if (frame.op === "pong" && isConnected) this.#pong();
    else if (frame.op === "error") this.#error(frame);
    else if (isConnected) this.#events.frame(frame);
  }

  #welcome(frame: ServerFrameOf<"welcome">): void {
    if (frame.version !== PROTOCOL_VERSION) return this.lose(new TuttiError("VERSION_UNSUPPORTED"));
    const { config, token } = this.#with;
    this.#welcomed = frame;
    this.dispatch({
      type: "welcomed",
      intervals: { heartbeatMs: config.heartbeatIntervalMs ?? frame.heartbeat.intervalMs, pongMs: config.heartbeatTimeoutMs ?? frame.heartbeat.timeoutMs },
      refreshMs: frame.tokenExpiresMs === undefined || !token.canRefresh ? undefined : refreshDelayMs(frame.tokenExpiresMs),
    });
  }

  #up(welcome: ServerFrameOf<"welcome">): void {
    this.#messageBytesMax = welcome.limits.messageBytesMax;
    this.#lastConnected = this.#with.environment.now();
    this.#with.session.user = welcome.user;
    if (this.#activity === "idle") this.send({ op: "activity", activity: "idle" });
    this.#events.up(welcome);
  }

  #pong(): void {
    this.#latencyMs = this.#with.environment.elapsed() - this.#pingedAt;
    this.dispatch({ type: "pong" });
  }

  #error(frame: ServerFrameOf<"error">): void {
    const error = TuttiError.fromWire(frame.error);
    this.#events.frame(frame);
    const endsConnection = frame.channel === undefined && (errorEntry(error.code).closeCode !== undefined || this.#machine.phase.kind !== "connected");
    if (endsConnection) this.lose(error);
  }

  #changed(): void {
    const next = this.#describe();
    // Many steps of the machine are nobody's business.
    if (JSON.stringify(next) === JSON.stringify(this.#described)) return;
    this.#described = next;
    this.#info.changed();
    this.#events.changed(next);
  }

  #describe(): ConnectionInfo {
    const { phase } = this.#machine;
    const { session } = this.#with;
    const reason = phase.kind === "opening" ? phase.before : "reason" in phase ? phase.reason : undefined;
    return {
      status: statusOf(phase),
      reason: reason && { code: reason.code, message: reason.message },
      lastConnected: this.#lastConnected,
      reconnectAttempts: "attempts" in phase ? phase.attempts : 0,
      retryAt: this.#retryAt,
      latencyMs: this.#latencyMs,
      session: session.publicId,
      user: session.user,
      activity: this.#activity,
    };
  }
}

/** At four fifths of the token's life, or half a minute before its end, whichever is later. */
export function refreshDelayMs(expiresMs: number): number {
  return Math.max(expiresMs * 0.8, expiresMs - 30_000);
}

function statusOf(phase: Machine["phase"]): ConnectionStatus {
  switch (phase.kind) {
    case "opening":
      return phase.again === "again" ? "reconnecting" : "connecting";
    case "waiting":
    case "paused":
      return "reconnecting";
    case "disconnected":
    case "connected":
    case "failed":
    case "closed":
      return phase.kind;
    default:
      return phase satisfies never;
  }
}
