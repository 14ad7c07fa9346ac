import {
  closeCodeOf,
  codeOfClose,
  MESSAGE_BYTES_MAX,
  PROTOCOL_VERSION,
  SERVER_DEPTH_MAX,
  subprotocolOf,
  TuttiError,
  type Cancel,
  type Received,
  type ServerFrame,
  type ServerFrameOf,
} from "@tutti/protocol";
import { CLOSE_NORMAL } from "./close-codes.js";
import { initialMachine, SLEEP_MS_MIN, transition, type Effect, type Facts, type Machine, type MachineEvent, type Phase } from "./connection-machine.js";
import type { Core } from "./core.js";
import { describeFrame } from "./debug.js";
import { attempt } from "./deferred.js";
import type { ClientOptions } from "./options.js";
import { encodeFrame } from "./message.js";
import type { Answer, OutgoingFrame } from "./requests.js";
import { assertCounts, readFrame } from "./server-frame.js";
import { makeStore, type ReadonlyStore } from "./store.js";
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
  readonly reason?: { readonly code: string; readonly message: string } | undefined;
  /** When it was last welcomed, Unix ms. */
  readonly lastConnected?: number | undefined;
  /** Reconnects that were started since it was last connected. */
  readonly reconnectAttempts: number;
  /** When the next attempt starts, Unix ms; for a countdown. */
  readonly retryAt?: number | undefined;
  /** The round trip of the last ping; before the first, that of the hello. */
  readonly latencyMs?: number | undefined;
  /** The session's public id, as others see it. */
  readonly session?: string | undefined;
  readonly user?: string | undefined;
  readonly activity: Activity;
}

export interface ConnectionEvents {
  up(session: string, user: string | undefined): void;
  /** The connection ended, or, `disconnected` and `closed`, will not come by itself. */
  down(phase: Phase): void;
  frame(frame: ServerFrame): void;
  status(info: ConnectionInfo): void;
}

/** Carries out what the machine decides: link, timer, token. */
export interface Connection {
  readonly info: ReadonlyStore<ConnectionInfo>;
  phase(): Phase;
  isUp(): boolean;
  /** @throws TuttiError `MESSAGE_TOO_LARGE`, `MESSAGE_TOO_DEEP`, `PAYLOAD_INVALID` */
  send(frame: OutgoingFrame): void;
  readonly setActivity: (activity: Activity) => void;
  /** Takes an event to the machine. What happens meanwhile waits its turn, so a step is never cut in two. */
  dispatch(event: MachineEvent): void;
  /** The attempt or the connection is as good as lost. */
  lose(): void;
}

export function makeConnection(core: Core, options: ClientOptions, transport: Transport, debug: ((line: string) => void) | undefined, events: ConnectionEvents): Connection {
  const { environment, config, session, requests, error: surface } = core;
  const inbox: MachineEvent[] = [];
  let machine: Machine = initialMachine;
  let isStepping = false;
  let timer: Cancel | undefined;
  let refreshTimer: Cancel | undefined;
  /** Stands for the attempt, and the link that came of it, until they end. */
  let attempted: object | undefined;
  let link: Link | undefined;
  let welcome: ServerFrameOf<"welcome"> | undefined;
  let token: string | undefined;
  let upAt = 0;
  let heardAt = 0;
  let pingedAt = 0;
  /** When the phase's timer was started. */
  let armedAt = 0;
  let info: ConnectionInfo = { ...describe(machine.phase), activity: "active" };
  const store = makeStore(core.report, () => info);

  const isUp = (): boolean => machine.phase.kind === "connected" && link !== undefined;
  const facts = (): Facts => ({ chance: environment.random(), upMs: machine.phase.kind === "connected" ? environment.elapsed() - upAt : 0, heard: heardAt > armedAt });
  const show = (changes: Partial<ConnectionInfo>): void => {
    const before = info;
    const next = { ...before, ...changes };
    // Many steps of the machine are nobody's business.
    if (JSON.stringify(next) === JSON.stringify(before)) return;
    info = next;
    store.changed();
    if (next.status !== before.status) events.status(next);
  };
  const send = (frame: OutgoingFrame): void => {
    const { message } = encodeFrame(config.codec, frame, session.messageBytesMax);
    debug?.(describeFrame("→", frame));
    link?.send(message);
  };
  const dispatch = (event: MachineEvent): void => {
    inbox.push(event);
    if (isStepping) return;
    isStepping = true;
    try {
      for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) step(next);
    } finally {
      // A debug line or a transport that throws must not leave the machine at a standstill.
      isStepping = false;
    }
  };
  const lose = (error: TuttiError): void => dispatch({ type: "lost", error, ...facts() });
  const breakOff = (cause?: unknown): void => lose(new TuttiError("CONNECTION_LOST", { cause }));

  const step = (event: MachineEvent): void => {
    const before = machine.phase;
    const { machine: next, effects, timerMs } = transition(machine, event, config);
    const { phase } = next;
    const isOther = phase.kind !== before.kind;
    machine = next;
    for (const effect of effects) carryOut[effect](before);
    if (timerMs !== undefined) startTimer(timerMs);
    if (isOther && phase.kind === "connected") up();
    if (isOther && (before.kind === "connected" || phase.kind === "disconnected" || phase.kind === "closed")) events.down(phase);
    show({ ...describe(phase), retryAt: phase === before ? info.retryAt : phase.kind === "waiting" ? environment.now() + phase.timerMs : undefined });
  };
  const carryOut: Readonly<Record<Effect, (before: Phase) => void>> = {
    bye: ({ kind }) => kind === "connected" && send({ op: "bye" }),
    release() {
      const ended = link;
      timer?.();
      refreshTimer?.();
      timer = link = attempted = undefined;
      ended?.close(CLOSE_NORMAL, "");
    },
    /** One attempt: a token, a link, the hello. The application and the transport may answer when it is over. */
    open() {
      const mine = (attempted = {});
      const isCurrent = (): boolean => attempted === mine;
      const go = (): unknown => isCurrent() && openLink(isCurrent);
      fetchToken(
        () => (session.home ? session.home.whenKnown(go) : go()),
        (error) => isCurrent() && lose(error),
      );
    },
    ping() {
      pingedAt = environment.elapsed();
      send({ op: "ping" });
    },
    "forget-token"() {
      token = undefined;
    },
  };
  const startTimer = (delayMs: number): void => {
    armedAt = environment.elapsed();
    timer?.();
    const mine = environment.after(delayMs, () => {
      if (environment.elapsed() - armedAt - delayMs > SLEEP_MS_MIN) dispatch({ type: "woke" });
      // Waking may have ended the phase that this timer belonged to, or started the timer anew.
      if (timer === mine) dispatch({ type: "timer", ...facts() });
    });
    timer = mine;
  };
  const openLink = (isCurrent: () => boolean): void => {
    try {
      link = transport.open(options.url, subprotocolOf(config.codec.name), {
        opened: () => isCurrent() && hello(),
        message: (data) => isCurrent() && receive(data, isCurrent),
        closed(closeCode, reason) {
          if (!isCurrent()) return;
          link = undefined;
          lose(new TuttiError(codeOfClose(closeCode), { message: `${closeCode} ${reason}` }));
        },
        renew() {
          // What is awaited would be lost with the link.
          if (requests.count() > 0) return;
          breakOff();
          dispatch({ type: "connect" });
        },
      });
    } catch (cause) {
      breakOff(cause);
    }
  };
  const hello = (): void => {
    session.messageBytesMax = MESSAGE_BYTES_MAX;
    pingedAt = environment.elapsed();
    try {
      send({ op: "hello", versions: [PROTOCOL_VERSION], session: session.secret, token, client: options.client });
    } catch (cause) {
      lose(new TuttiError("TOKEN_INVALID", { cause }));
    }
  };
  const receive = (data: Received, isCurrent: () => boolean): void => {
    heardAt = environment.elapsed();
    try {
      for (const value of config.codec.decode(data, SERVER_DEPTH_MAX)) {
        // A frame, or a listener that it called, may have ended this connection.
        if (isCurrent()) take(value);
      }
    } catch (cause) {
      breakOff(cause);
    }
  };
  const take = (value: unknown): void => {
    const frame = readFrame(value);
    debug?.(describeFrame("←", frame));
    const isConnected = machine.phase.kind === "connected";
    if (frame.op === "error") failed(frame, isConnected);
    else if (frame.op === "pong") {
      dispatch({ type: "pong" });
      show({ latencyMs: environment.elapsed() - pingedAt });
    } else if (frame.op === "welcome" && !isConnected) welcomed(frame);
    else if (isConnected) events.frame(frame);
  };
  const welcomed = (frame: ServerFrameOf<"welcome">): void => {
    const { version, heartbeat, limits: { messageBytesMax } } = frame;
    if (version !== PROTOCOL_VERSION) return lose(new TuttiError("VERSION_UNSUPPORTED"));
    assertCounts(heartbeat.intervalMs, heartbeat.timeoutMs, messageBytesMax);
    welcome = frame;
    session.messageBytesMax = messageBytesMax;
    dispatch({ type: "welcomed", intervals: { heartbeatMs: config.heartbeatIntervalMs ?? heartbeat.intervalMs, pongMs: config.heartbeatTimeoutMs ?? heartbeat.timeoutMs } });
  };
  const up = (): void => {
    if (welcome === undefined) return;
    const { session: publicId, user, tokenExpiresMs } = welcome;
    upAt = environment.elapsed();
    refreshIn(tokenExpiresMs);
    if (info.activity === "idle") send({ op: "activity", activity: "idle" });
    events.up(publicId, user);
    show({ session: publicId, user, lastConnected: environment.now(), latencyMs: environment.elapsed() - pingedAt });
  };
  const failed = (frame: ServerFrameOf<"error">, isConnected: boolean): void => {
    events.frame(frame);
    const { error, channel } = frame;
    if (channel === undefined && (!isConnected || closeCodeOf(error.code) !== undefined)) lose(TuttiError.fromWire(error));
  };

  /** Brings a new token before the old one expires: at four fifths of its life, or half a minute before its end, whichever is later. */
  const refreshIn = (expiresMs: unknown): void => {
    refreshTimer?.();
    if (typeof options.token !== "function" || typeof expiresMs !== "number") return;
    refreshTimer = environment.after(Math.max(expiresMs * 0.8, expiresMs - 30_000), () => {
      token = undefined;
      // A token that cannot be fetched now is fetched when the server has closed the connection.
      fetchToken(() => isUp() && requests.ask({ op: "refresh", token: token ?? "" }, refreshed), surface);
    });
  };
  const refreshed = (answer: Answer): void => {
    if (answer.kind === "error") surface(answer.error);
    if (answer.kind === "success") refreshIn((answer.data as { readonly tokenExpiresMs?: unknown } | undefined)?.tokenExpiresMs);
  };
  /** Calls `done` when the token is known, in this turn where it can be. */
  const fetchToken = (done: () => void, refuse: (error: TuttiError) => void): void => {
    const accept = (known: string | undefined): void => {
      token = known;
      done();
    };
    if (typeof options.token !== "function") return accept(options.token);
    if (token !== undefined) return done();
    // What the application throws as a TuttiError, for example AUTHENTICATION_REQUIRED, says itself whether to try again.
    attempt(options.token).then(accept, (cause: unknown) => refuse(cause instanceof TuttiError ? cause : new TuttiError("UNAVAILABLE", { message: "no token", cause })));
  };

  return {
    info: store,
    phase: () => machine.phase,
    isUp,
    send,
    dispatch,
    lose: breakOff,
    setActivity(activity) {
      if (isUp() && activity !== info.activity) send({ op: "activity", activity });
      show({ activity });
    },
  };
}

/** What people see of a phase. */
function describe({ kind, attempts, reason }: Phase) {
  return { status: statusOf(kind, reason), reason: reason && { code: reason.code, message: reason.message }, reconnectAttempts: kind === "connected" ? 0 : attempts };
}

function statusOf(kind: Phase["kind"], reason: TuttiError | undefined): ConnectionStatus {
  if (kind === "opening") return reason === undefined ? "connecting" : "reconnecting";
  return kind === "waiting" || kind === "paused" ? "reconnecting" : kind;
}
