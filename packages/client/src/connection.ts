import {
  codeOfClose,
  errorEntry,
  jsonCodec,
  limits,
  PROTOCOL_VERSION,
  readServerFrame,
  subprotocolOf,
  TuttiError,
  type Cancel,
  type Encoded,
  type ServerFrame,
  type ServerFrameOf,
} from "@tutti/protocol";
import { initialMachine, transition, type Effect, type Machine, type MachineEvent, type Phase, type Timer } from "./connection-machine.js";
import type { Core } from "./core.js";
import { describeFrame } from "./debug.js";
import { attempt } from "./deferred.js";
import type { ClientOptions } from "./options.js";
import { assertFits, messageBytes, type Answer, type Line, type OutgoingFrame } from "./requests.js";
import { makeStore, type ReadonlyStore, type Store } from "./store.js";
import type { Link, Transport } from "./transport.js";

/**
 * - `disconnected`: not started, or ended by a code that is not retried
 * - `failed`: retries exhausted; `connect()` tries again
 * - `closed`: by the application
 */
export type ConnectionStatus = "disconnected" | "connecting" | "connected" | "reconnecting" | "failed" | "closed";

export type Activity = "active" | "idle";

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
  /** The round trip of the last ping; before the first, that of the hello. */
  readonly latencyMs: number | undefined;
  /** The session's public id, as others see it. */
  readonly session: string | undefined;
  readonly user: string | undefined;
  readonly activity: Activity;
}

export interface ConnectionEvents {
  up(welcome: ServerFrameOf<"welcome">): void;
  /** The connection ended, or, `disconnected` and `closed`, will not come by itself. */
  down(phase: Phase): void;
  frame(frame: ServerFrame): void;
  changed(info: ConnectionInfo): void;
}

/** A timer that fires this much too late was slept through. */
const SLEEP_MS_MIN = 5_000;
const CLOSE_NORMAL = 1000;
/** How long to wait when no new token could be fetched. */
const REFRESH_AGAIN_MS = 5_000;

/** Carries out what the machine decides: link, timers, token. */
export class Connection implements Line {
  readonly #core: Core;
  readonly #options: ClientOptions;
  readonly #transport: Transport;
  readonly #debug: (line: string) => void;
  readonly #events: ConnectionEvents;
  readonly #timers = new Map<Timer, Cancel>();
  readonly #inbox: MachineEvent[] = [];
  readonly #info: Store<ConnectionInfo>;
  #machine: Machine = initialMachine;
  #isStepping = false;
  /** Stands for the attempt, and the link that came of it, until they end. */
  #attempt: object | undefined;
  #link: Link | undefined;
  #welcome: ServerFrameOf<"welcome"> | undefined;
  #token: string | undefined;
  #heardAt = 0;
  #pingedAt = 0;
  #described: ConnectionInfo;

  constructor(core: Core, options: ClientOptions, transport: Transport, debug: (line: string) => void, events: ConnectionEvents) {
    this.#core = core;
    this.#options = options;
    this.#transport = transport;
    this.#debug = debug;
    this.#events = events;
    this.#described = {
      status: "disconnected",
      reason: undefined,
      lastConnected: undefined,
      reconnectAttempts: 0,
      retryAt: undefined,
      latencyMs: undefined,
      session: undefined,
      user: undefined,
      activity: "active",
    };
    this.#info = makeStore(core.report, () => this.#described);
  }

  get info(): ReadonlyStore<ConnectionInfo> {
    return this.#info;
  }

  get isUp(): boolean {
    return this.phase.kind === "connected" && this.#link !== undefined;
  }

  get phase(): Phase {
    return this.#machine.phase;
  }

  /** The largest message that the server takes. */
  get messageBytesMax(): number {
    return this.#welcome?.limits.messageBytesMax ?? limits.messageBytesMax;
  }

  setActivity(activity: Activity): void {
    if (activity === this.#described.activity) return;
    if (this.isUp) this.send({ op: "activity", activity });
    this.#describe({ activity });
  }

  /** Takes an event to the machine. What happens meanwhile waits its turn, so a step is never cut in two. */
  dispatch(event: MachineEvent): void {
    this.#inbox.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) this.#step(next);
    this.#isStepping = false;
  }

  /** The attempt or the connection failed. */
  lose(error: TuttiError): void {
    this.dispatch({ type: "lost", error, chance: this.#core.environment.random() });
  }

  send(frame: OutgoingFrame): void {
    const message = jsonCodec.encode([frame]);
    // The server would close the connection for it, and not be called again.
    assertFits(messageBytes(message), this.messageBytesMax);
    this.#debug(describeFrame("→", frame));
    this.#link?.send(message);
  }

  #step(event: MachineEvent): void {
    const before = this.phase;
    const { machine, effects } = transition(this.#machine, event, this.#core.config);
    const { phase } = machine;
    this.#machine = machine;
    for (const effect of effects) this.#carryOut(effect, before);
    if (phase.kind !== before.kind) {
      if (before.kind === "connected" || phase.kind === "disconnected" || phase.kind === "closed") this.#events.down(phase);
      if (phase.kind === "connected" && this.#welcome !== undefined) this.#up(this.#welcome);
    }
    const reason = "reason" in phase ? phase.reason : undefined;
    this.#describe({
      status: statusOf(phase),
      reason: reason && { code: reason.code, message: reason.message },
      reconnectAttempts: "attempts" in phase ? phase.attempts : 0,
      ...(phase.kind !== before.kind && { retryAt: phase.kind === "waiting" ? this.#core.environment.now() + phase.delayMs : undefined }),
    });
  }

  #carryOut(effect: Effect, before: Phase): void {
    switch (effect.type) {
      case "start":
        return this.#startTimer(effect.timer, effect.delayMs);
      case "stop":
        return this.#stopTimer(effect.timer);
      case "release":
        for (const timer of this.#timers.keys()) this.#stopTimer(timer);
        if (effect.link !== "keep") this.#endLink(effect.link === "bye" && before.kind === "connected");
        return;
      case "open":
        return this.#open();
      case "ping":
        this.#pingedAt = this.#core.environment.elapsed();
        return this.send({ op: "ping" });
      case "refresh":
        return this.#refresh();
      case "forget-token":
        this.#token = undefined;
        return;
      default:
        effect satisfies never;
    }
  }

  #startTimer(timer: Timer, delayMs: number): void {
    const { environment } = this.#core;
    const startedAt = environment.elapsed();
    const dueAt = startedAt + delayMs;
    this.#stopTimer(timer);
    const cancel = environment.after(delayMs, () => {
      if (environment.elapsed() - dueAt > SLEEP_MS_MIN) this.dispatch({ type: "woke" });
      // Waking may have ended the phase that this timer belonged to, or started the timer anew.
      if (this.#timers.get(timer) !== cancel) return;
      this.#timers.delete(timer);
      this.dispatch({ type: "timer", timer, heard: this.#heardAt > startedAt, chance: environment.random() });
    });
    this.#timers.set(timer, cancel);
  }

  #stopTimer(timer: Timer): void {
    this.#timers.get(timer)?.();
    this.#timers.delete(timer);
  }

  /** One attempt: a token, a link, the hello. The application and the transport may answer when it is over. */
  #open(): void {
    const mine = (this.#attempt = {});
    const isCurrent = (): boolean => this.#attempt === mine;
    this.#fetchToken(
      () => isCurrent() && this.#openLink(isCurrent),
      (error) => isCurrent() && this.lose(error),
    );
  }

  #openLink(isCurrent: () => boolean): void {
    try {
      this.#link = this.#transport.open(this.#options.url, subprotocolOf(jsonCodec.name), {
        opened: () => isCurrent() && this.#hello(),
        message: (data) => isCurrent() && this.#receive(data, isCurrent),
        closed: (closeCode, reason) => {
          if (!isCurrent()) return;
          this.#link = undefined;
          this.lose(new TuttiError(codeOfClose(closeCode), { message: reason || `closed with ${closeCode}` }));
        },
      });
    } catch (cause) {
      this.lose(new TuttiError("CONNECTION_LOST", { cause }));
    }
  }

  #endLink(bye: boolean): void {
    if (bye) this.send({ op: "bye" });
    const link = this.#link;
    this.#link = this.#attempt = undefined;
    link?.close(CLOSE_NORMAL, "");
  }

  #hello(): void {
    const { session } = this.#core;
    this.#welcome = undefined;
    this.#pingedAt = this.#core.environment.elapsed();
    try {
      this.send({ op: "hello", versions: [PROTOCOL_VERSION], session: session.secret, token: this.#token, client: this.#options.client });
    } catch (cause) {
      this.lose(new TuttiError("TOKEN_INVALID", { cause }));
    }
  }

  #receive(data: Encoded, isCurrent: () => boolean): void {
    this.#heardAt = this.#core.environment.elapsed();
    try {
      for (const value of jsonCodec.decode(data, limits.serverDepthMax)) {
        this.#take(value);
        // A frame, or a listener that it called, may have ended this connection.
        if (!isCurrent()) return;
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
      // A newer server: what this client does not understand, it did not ask for.
      if (error instanceof TuttiError && error.code === "FRAME_UNKNOWN") return this.#debug(error.message);
      throw error;
    }
    this.#debug(describeFrame("←", frame));
    const isConnected = this.phase.kind === "connected";
    if (frame.op === "error") this.#error(frame, isConnected);
    else if (isConnected && frame.op === "pong") this.#pong();
    else if (isConnected) this.#events.frame(frame);
    else if (frame.op === "welcome") this.#welcomed(frame);
  }

  #welcomed(welcome: ServerFrameOf<"welcome">): void {
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#core.config;
    const { version, heartbeat, tokenExpiresMs } = welcome;
    if (version !== PROTOCOL_VERSION) return this.lose(new TuttiError("VERSION_UNSUPPORTED"));
    this.#welcome = welcome;
    this.dispatch({
      type: "welcomed",
      intervals: {
        heartbeatMs: heartbeatIntervalMs ?? heartbeat.intervalMs,
        pongMs: heartbeatTimeoutMs ?? heartbeat.timeoutMs,
        refreshMs: typeof this.#options.token === "function" && tokenExpiresMs !== undefined ? refreshDelayMs(tokenExpiresMs) : undefined,
      },
    });
  }

  #up(welcome: ServerFrameOf<"welcome">): void {
    const { session, user } = welcome;
    if (this.#described.activity === "idle") this.send({ op: "activity", activity: "idle" });
    this.#events.up(welcome);
    const { environment } = this.#core;
    this.#describe({ session, user, lastConnected: environment.now(), latencyMs: environment.elapsed() - this.#pingedAt });
  }

  #pong(): void {
    this.dispatch({ type: "pong" });
    this.#describe({ latencyMs: this.#core.environment.elapsed() - this.#pingedAt });
  }

  #error(frame: ServerFrameOf<"error">, isConnected: boolean): void {
    this.#events.frame(frame);
    const { code } = frame.error;
    if (frame.channel === undefined && (!isConnected || errorEntry(code).closeCode !== undefined)) this.lose(TuttiError.fromWire(frame.error));
  }

  /** Brings a new token before the old one expires. */
  #refresh(): void {
    const { error, requests } = this.#core;
    const answered = (answer: Answer): void => {
      if (answer.kind === "error") error(answer.error);
      const { tokenExpiresMs } = Object(answer.kind === "success" && answer.data) as { tokenExpiresMs?: unknown };
      if (typeof tokenExpiresMs === "number") this.dispatch({ type: "refresh-in", delayMs: refreshDelayMs(tokenExpiresMs) });
    };
    this.#token = undefined;
    this.#fetchToken(
      () => this.isUp && requests.ask({ op: "refresh", token: this.#token ?? "" }, answered),
      (cause) => {
        error(cause);
        this.dispatch({ type: "refresh-in", delayMs: REFRESH_AGAIN_MS });
      },
    );
  }

  /** Calls `done` when the token is known, in this turn where it can be. */
  #fetchToken(done: () => void, failed: (error: TuttiError) => void): void {
    const { token: source } = this.#options;
    const accept = (token: string | undefined): void => {
      this.#token = token;
      done();
    };
    // What the application throws as a TuttiError, for example AUTHENTICATION_REQUIRED, says itself whether to try again.
    const refuse = (cause: unknown): void => failed(cause instanceof TuttiError ? cause : new TuttiError("UNAVAILABLE", { message: "no token", cause }));
    if (typeof source !== "function" || this.#token !== undefined) return accept(this.#token ?? (source as string | undefined));
    void attempt(source).then(accept, refuse);
  }

  #describe(changes: Partial<ConnectionInfo>): void {
    const next = { ...this.#described, ...changes };
    // Many steps of the machine are nobody's business.
    if (JSON.stringify(next) === JSON.stringify(this.#described)) return;
    this.#described = next;
    this.#info.changed();
    this.#events.changed(next);
  }
}

/** At four fifths of the token's life, or half a minute before its end, whichever is later. */
function refreshDelayMs(expiresMs: number): number {
  return Math.max(expiresMs * 0.8, expiresMs - 30_000);
}

function statusOf(phase: Phase): ConnectionStatus {
  switch (phase.kind) {
    case "opening":
      return phase.reason === undefined ? "connecting" : "reconnecting";
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
