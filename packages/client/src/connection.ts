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
import { initialMachine, transition, type Effect, type Facts, type MachineEvent, type Phase } from "./connection-machine.js";
import type { Core } from "./core.js";
import { describeFrame } from "./debug.js";
import { attempt } from "./deferred.js";
import type { ClientOptions } from "./options.js";
import { encodeFrame } from "./message.js";
import type { Answer, Line, OutgoingFrame } from "./requests.js";
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
  up(session: string, user: string | undefined): void;
  /** The connection ended, or, `disconnected` and `closed`, will not come by itself. */
  down(phase: Phase): void;
  frame(frame: ServerFrame): void;
  status(info: ConnectionInfo): void;
}

/** A timer that fires this much too late was slept through. */
const SLEEP_MS_MIN = 5_000;
const CLOSE_NORMAL = 1000;
/** How long to wait when no new token could be fetched. */
const REFRESH_AGAIN_MS = 5_000;

const unknown: ConnectionInfo = {
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

/** Carries out what the machine decides: link, timer, token. */
export class Connection implements Line {
  readonly #core: Core;
  readonly #options: ClientOptions;
  readonly #transport: Transport;
  readonly #debug: (line: string) => void;
  readonly #events: ConnectionEvents;
  readonly #inbox: MachineEvent[] = [];
  readonly #store: Store<ConnectionInfo>;
  #info = unknown;
  #machine = initialMachine;
  #isStepping = false;
  #timer: Cancel | undefined;
  #refreshTimer: Cancel | undefined;
  /** Stands for the attempt, and the link that came of it, until they end. */
  #attempt: object | undefined;
  #link: Link | undefined;
  #welcome: ServerFrameOf<"welcome"> | undefined;
  #token: string | undefined;
  #upAt = 0;
  #heardAt = 0;
  #pingedAt = 0;

  constructor(core: Core, options: ClientOptions, transport: Transport, debug: (line: string) => void, events: ConnectionEvents) {
    this.#core = core;
    this.#options = options;
    this.#transport = transport;
    this.#debug = debug;
    this.#events = events;
    this.#store = makeStore(core.report, () => this.#info);
  }

  get info(): ReadonlyStore<ConnectionInfo> {
    return this.#store;
  }

  get phase(): Phase {
    return this.#machine.phase;
  }

  get isUp(): boolean {
    return this.phase.kind === "connected" && this.#link !== undefined;
  }

  /** The largest message that the server takes. */
  get messageBytesMax(): number {
    return this.#welcome?.limits.messageBytesMax ?? limits.messageBytesMax;
  }

  setActivity(activity: Activity): void {
    if (this.isUp && activity !== this.#info.activity) this.send({ op: "activity", activity });
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
    this.dispatch({ type: "lost", error, ...this.#facts() });
  }

  send(frame: OutgoingFrame): void {
    const { message } = encodeFrame(frame, this.messageBytesMax);
    this.#debug(describeFrame("→", frame));
    this.#link?.send(message);
  }

  #facts(): Facts {
    const { environment } = this.#core;
    return { chance: environment.random(), upMs: this.isUp ? environment.elapsed() - this.#upAt : 0, heard: this.#heardAt > this.#pingedAt };
  }

  #step(event: MachineEvent): void {
    const before = this.phase;
    const { machine, effects, timerMs } = transition(this.#machine, event, this.#core.config);
    const { phase } = machine;
    const isOther = phase.kind !== before.kind;
    this.#machine = machine;
    for (const effect of effects) this.#carryOut(effect, before);
    if (timerMs !== undefined) this.#startTimer(timerMs);
    if (isOther && phase.kind === "connected") this.#up();
    if (isOther && (before.kind === "connected" || phase.kind === "disconnected" || phase.kind === "closed")) this.#events.down(phase);
    const reason = "reason" in phase ? phase.reason : undefined;
    this.#describe({
      status: statusOf(phase),
      reason: reason && { code: reason.code, message: reason.message },
      reconnectAttempts: phase.kind !== "connected" && "attempts" in phase ? phase.attempts : 0,
      ...(isOther && { retryAt: phase.kind === "waiting" ? this.#core.environment.now() + phase.delayMs : undefined }),
    });
  }

  #carryOut(effect: Effect, before: Phase): void {
    switch (effect) {
      case "bye":
        if (before.kind === "connected") this.send({ op: "bye" });
        return;
      case "release":
        return this.#release();
      case "open":
        return this.#open();
      case "ping":
        this.#pingedAt = this.#core.environment.elapsed();
        return this.send({ op: "ping" });
      case "forget-token":
        this.#token = undefined;
        return;
      default:
        effect satisfies never;
    }
  }

  #startTimer(delayMs: number): void {
    const { environment } = this.#core;
    const dueAt = environment.elapsed() + delayMs;
    this.#timer?.();
    const timer = environment.after(delayMs, () => {
      if (environment.elapsed() - dueAt > SLEEP_MS_MIN) this.dispatch({ type: "woke" });
      // Waking may have ended the phase that this timer belonged to, or started the timer anew.
      if (this.#timer === timer) this.dispatch({ type: "timer", ...this.#facts() });
    });
    this.#timer = timer;
  }

  #release(): void {
    const link = this.#link;
    this.#timer?.();
    this.#refreshTimer?.();
    this.#timer = this.#link = this.#attempt = undefined;
    link?.close(CLOSE_NORMAL, "");
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

  #hello(): void {
    this.#welcome = undefined;
    try {
      this.send({ op: "hello", versions: [PROTOCOL_VERSION], session: this.#core.session.secret, token: this.#token, client: this.#options.client });
    } catch (cause) {
      this.lose(new TuttiError("TOKEN_INVALID", { cause }));
    }
  }

  #receive(data: Encoded, isCurrent: () => boolean): void {
    this.#heardAt = this.#core.environment.elapsed();
    try {
      for (const value of jsonCodec.decode(data, limits.serverDepthMax)) {
        // A frame, or a listener that it called, may have ended this connection.
        if (isCurrent()) this.#take(value);
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
    else if (frame.op === "welcome" && !isConnected) this.#welcomed(frame);
    else if (frame.op === "pong") this.#pong();
    else if (isConnected) this.#events.frame(frame);
  }

  #welcomed(welcome: ServerFrameOf<"welcome">): void {
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#core.config;
    const { heartbeat, version } = welcome;
    if (version !== PROTOCOL_VERSION) return this.lose(new TuttiError("VERSION_UNSUPPORTED"));
    this.#welcome = welcome;
    this.dispatch({ type: "welcomed", intervals: { heartbeatMs: heartbeatIntervalMs ?? heartbeat.intervalMs, pongMs: heartbeatTimeoutMs ?? heartbeat.timeoutMs } });
  }

  #up(): void {
    const { environment } = this.#core;
    const { session = "", user, tokenExpiresMs } = this.#welcome ?? {};
    this.#upAt = environment.elapsed();
    this.#refreshIn(tokenExpiresMs);
    if (this.#info.activity === "idle") this.send({ op: "activity", activity: "idle" });
    this.#events.up(session, user);
    this.#describe({ session, user, lastConnected: environment.now() });
  }

  #pong(): void {
    this.dispatch({ type: "pong" });
    this.#describe({ latencyMs: this.#core.environment.elapsed() - this.#pingedAt });
  }

  #error(frame: ServerFrameOf<"error">, isConnected: boolean): void {
    this.#events.frame(frame);
    const { error, channel } = frame;
    if (channel === undefined && (!isConnected || errorEntry(error.code).closeCode !== undefined)) this.lose(TuttiError.fromWire(error));
  }

  /** Brings a new token before the old one expires: at four fifths of its life, or half a minute before its end, whichever is later. */
  #refreshIn(expiresMs: unknown): void {
    if (typeof this.#options.token === "function" && typeof expiresMs === "number") this.#refreshAfter(Math.max(expiresMs * 0.8, expiresMs - 30_000));
  }

  #refreshAfter(delayMs: number): void {
    const { environment, requests } = this.#core;
    const fail = (error: TuttiError): void => {
      this.#core.error(error);
      if (this.isUp) this.#refreshAfter(REFRESH_AGAIN_MS);
    };
    const answered = (answer: Answer): void => {
      if (answer.kind === "error") this.#core.error(answer.error);
      else if (answer.kind === "success") this.#refreshIn((answer.data as { readonly tokenExpiresMs?: unknown } | undefined)?.tokenExpiresMs);
    };
    this.#refreshTimer?.();
    this.#refreshTimer = environment.after(delayMs, () => {
      this.#token = undefined;
      this.#fetchToken(() => this.isUp && requests.ask({ op: "refresh", token: this.#token ?? "" }, answered), fail);
    });
  }

  /** Calls `done` when the token is known, in this turn where it can be. */
  #fetchToken(done: () => void, failed: (error: TuttiError) => void): void {
    const { token } = this.#options;
    const accept = (known: string | undefined): void => {
      this.#token = known;
      done();
    };
    if (typeof token !== "function") return accept(token);
    if (this.#token !== undefined) return done();
    // What the application throws as a TuttiError, for example AUTHENTICATION_REQUIRED, says itself whether to try again.
    void attempt(token).then(accept, (cause: unknown) => failed(cause instanceof TuttiError ? cause : new TuttiError("UNAVAILABLE", { message: "no token", cause })));
  }

  #describe(changes: Partial<ConnectionInfo>): void {
    const info = { ...this.#info, ...changes };
    // Many steps of the machine are nobody's business.
    if (JSON.stringify(info) === JSON.stringify(this.#info)) return;
    const { status } = this.#info;
    this.#info = info;
    this.#store.changed();
    if (info.status !== status) this.#events.status(info);
  }
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
