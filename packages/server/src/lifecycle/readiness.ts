import { TuttiError } from "@tutti/protocol";
import type { BrokerWatch } from "../broker/broker-watch.js";
import type { Lease } from "../commands/lease.js";
import type { Log } from "../log.js";
import type { Bounds } from "../options.js";
import type { Drain } from "./drain.js";
import type { HelloGate } from "./hello-gate.js";
import type { LoopLag } from "./loop-lag.js";

/** Who is refused comes back at a moment of its own from 1 to 5 s. */
const RETRY_MS_MIN = 1_000;
const RETRY_MS_SPREAD = 4_000;

/** Why clients should be sent to another node. */
export type NotReadyReason =
  /** What the node cannot do without is not there yet. */
  | { readonly code: "starting"; readonly waitsFor: readonly string[] }
  | { readonly code: "draining" }
  /** No connection more is taken. */
  | { readonly code: "full"; readonly connectionsMax: number }
  /** More say hello than can be looked at in time. */
  | { readonly code: "hellos-waiting"; readonly waiting: number; readonly longestMs: number }
  /** The event loop comes so late, look after look. */
  | { readonly code: "loop-lagging"; readonly lagMs: number; readonly lagMsMax: number }
  /** Nothing is delivered: the log of commands was not read in time, or this node has not entered it yet. */
  | { readonly code: "commands-unread" }
  /** Nothing can be published, and what others publish does not come. `reason` is for operators. */
  | { readonly code: "broker-unavailable"; readonly reason: string };

/** Whether clients should be sent to this node. */
export type Readiness = { readonly status: "ready" } | { readonly status: "not-ready"; readonly reasons: readonly NotReadyReason[] };

/** That a node lives, with a few figures for operators. */
export interface Health {
  readonly status: "live";
  /** The name of this node; another one with each start. */
  readonly node: string;
  readonly upMs: number;
  /** How late the event loop is: the median of the last three looks, one a second. */
  readonly loopLagMs: number;
  /** How many have said hello and wait for their turn. */
  readonly hellosWaiting: number;
}

interface ReadinessParts {
  readonly bounds: Pick<Bounds, "connectionsMax" | "loopLagMsMax">;
  readonly connections: { readonly size: number };
  readonly drain: Pick<Drain, "isUnderWay">;
  readonly hellos: Pick<HelloGate, "isLoaded" | "waiting" | "longestMs">;
  readonly lag: Pick<LoopLag, "ms">;
  readonly broker: Pick<BrokerWatch, "health">;
  readonly lease?: Pick<Lease, "isOver">;
  readonly log: Log;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

const READY: Readiness = { status: "ready" };
const DRAINING = { code: "SERVER_DRAINING", message: "the server is about to stop" };
const BUSY = { code: "UNAVAILABLE", message: "the server has no place now" };

/** What keeps clients away from this node, and what makes it refuse them. */
export class ReadinessWatch {
  readonly #parts: ReadinessParts;
  readonly #starting = new Set<{ readonly what: string }>();
  /** The codes that were logged last. */
  #logged = "";

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
  }

  /** The node is not ready until what this returns was called. @param what what it waits for, for operators */
  starting(what: string): () => void {
    const begun = { what };
    this.#starting.add(begun);
    return () => void this.#starting.delete(begun);
  }

  now(): Readiness {
    const reasons = this.#refusing();
    if (this.#starting.size > 0) reasons.push({ code: "starting", waitsFor: Array.from(this.#starting, ({ what }) => what) });
    else if (this.#parts.lease?.isOver === true) reasons.push({ code: "commands-unread" });
    const broker = this.#parts.broker.health();
    if (broker.status === "unavailable") reasons.push({ code: "broker-unavailable", reason: broker.reason });
    return reasons.length === 0 ? READY : { status: "not-ready", reasons };
  }

  /** Why a newcomer is turned away, and when it may come back; `undefined` where it is taken. */
  refusal(): TuttiError | undefined {
    const [reason] = this.#refusing();
    if (reason === undefined) return undefined;
    const { message, code } = reason.code === "draining" ? DRAINING : BUSY;
    return new TuttiError(code, { message, retryAfterMs: this.#retryAfterMs() });
  }

  /** For who came when a place was to be expected, and found none. */
  noPlace(): TuttiError {
    return new TuttiError(BUSY.code, { message: BUSY.message, retryAfterMs: this.#retryAfterMs() });
  }

  /** Called once in a while: logs a change. A node that is stopped does what it was told to, which is no warning. */
  look(): void {
    const readiness = this.now();
    const reasons = readiness.status === "ready" ? [] : readiness.reasons.filter(({ code }) => code !== "draining");
    const codes = reasons.map(({ code }) => code).join();
    if (codes === this.#logged) return;
    this.#logged = codes;
    if (codes === "") this.#parts.log.warn("ready again");
    else this.#parts.log.warn("not ready", { reasons });
  }

  #retryAfterMs(): number {
    return RETRY_MS_MIN + Math.floor(this.#parts.random() * RETRY_MS_SPREAD);
  }

  /** The node's own reasons: while there is one, no newcomer is taken. That a broker is away is no such reason, since no other node may have one. */
  #refusing(): NotReadyReason[] {
    const { drain, connections, bounds, hellos, lag } = this.#parts;
    const reasons: NotReadyReason[] = [];
    if (drain.isUnderWay) reasons.push({ code: "draining" });
    if (connections.size >= bounds.connectionsMax) reasons.push({ code: "full", connectionsMax: bounds.connectionsMax });
    if (hellos.isLoaded) reasons.push({ code: "hellos-waiting", waiting: hellos.waiting, longestMs: Math.round(hellos.longestMs) });
    if (lag.ms > bounds.loopLagMsMax) reasons.push({ code: "loop-lagging", lagMs: Math.round(lag.ms), lagMsMax: bounds.loopLagMsMax });
    return reasons;
  }
}
