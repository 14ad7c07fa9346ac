import type { Cancel, Environment } from "@tutti/protocol";
import type { Deliveries } from "./deliveries.js";
import type { Names } from "./keys.js";
import type { Line } from "./line.js";
import type { RequestLink } from "./link.js";
import type { Requests } from "./requests.js";
import type { PublishVerb } from "./scripts/script.js";

/** So many rounds in a row a server may not take a call before the connections for requests are made anew: a fail-over is followed without that. */
const UNCALLED_MAX = 4;

interface WatchdogParts {
  readonly environment: Environment;
  readonly names: Names;
  readonly publish: PublishVerb;
  readonly requests: Pick<Requests, "send">;
  readonly requestLine: Pick<Line<RequestLink>, "trouble" | "link" | "renew">;
  readonly deliveries: Pick<Deliveries, "hears" | "listen" | "renew">;
  readonly watchdogMs: number;
  /** Deliveries are heard that were not. */
  readonly recovered: () => void;
}

/** What became of a call to one server. */
type Call = "calling" | "uncalled" | "unheard" | "heard";

/**
 * Calls itself through each server of Redis: a connection that stands and delivers nothing looks healthy to everybody else. Where a call is not
 * heard until the next one is due, the connection for deliveries is made anew. A connection that stands again is called at once, and trusted as soon as
 * the call is heard.
 */
export class Watchdog {
  readonly #parts: WatchdogParts;
  readonly #node: string;
  readonly #ends = new Map<string, Promise<() => Promise<void>>>();
  #calls = new Map<string, Call>();
  #round = 0;
  #uncalledRounds = 0;
  #trouble: string | undefined;
  #cancel: Cancel | undefined;

  constructor(parts: WatchdogParts) {
    this.#parts = parts;
    this.#node = parts.environment.id();
  }

  /** Why deliveries cannot be relied on. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  start(): void {
    this.#call();
    this.#cancel = this.#parts.environment.after(this.#parts.watchdogMs, () => {
      this.#judge();
      this.start();
    });
  }

  /** Calls now: what was called by a connection that is gone is no longer waited for. */
  callAgain(): void {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.start();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #judge(): void {
    const { requestLine, deliveries, watchdogMs } = this.#parts;
    const calls = [...this.#calls];
    const silent = calls.filter(([, call]) => call === "unheard");
    const uncalled = calls.filter(([, call]) => call === "uncalled" || call === "calling").length;
    this.#uncalledRounds = uncalled > 0 ? this.#uncalledRounds + 1 : 0;
    if (silent.length + uncalled > 0) this.#trouble = `${silent.length + uncalled} of ${calls.length} servers of Redis deliver nothing`;
    for (const [name] of requestLine.trouble === undefined ? silent : []) deliveries.renew(name, `nothing was delivered for ${watchdogMs} ms`);
    if (this.#uncalledRounds < UNCALLED_MAX) return;
    this.#uncalledRounds = 0;
    requestLine.renew(`${uncalled} of ${calls.length} servers take no requests`);
  }

  #call(): void {
    const { requestLine, names } = this.#parts;
    const round = String(++this.#round);
    const calls = new Map<string, Call>();
    this.#calls = calls;
    // Who is not connected is not ready anyhow.
    if (requestLine.trouble !== undefined) return;
    const wanted = new Set([...requestLine.link.masters().values()].map((tag) => names.echo(tag, this.#node)));
    for (const [name, end] of this.#ends) if (!wanted.has(name)) this.#forget(name, end);
    for (const name of wanted) void this.#callThrough(name, round, calls);
  }

  async #callThrough(name: string, round: string, calls: Map<string, Call>): Promise<void> {
    const { requests, deliveries, publish } = this.#parts;
    calls.set(name, "calling");
    try {
      await this.#listen(name);
      // A connection that is being made has trouble enough.
      if (!deliveries.hears(name)) return void calls.delete(name);
      await requests.send(name, [publish, name, round]);
      if (calls.get(name) === "calling") calls.set(name, "unheard");
    } catch {
      calls.set(name, "uncalled");
    }
  }

  async #listen(name: string): Promise<void> {
    const end = this.#ends.get(name) ?? this.#parts.deliveries.listen(name, (message) => this.#hear(name, message));
    this.#ends.set(name, end);
    try {
      await end;
    } catch (error) {
      if (this.#ends.get(name) === end) this.#ends.delete(name);
      throw error;
    }
  }

  #hear(name: string, message: string): void {
    if (message !== String(this.#round)) return;
    this.#calls.set(name, "heard");
    if (this.#trouble === undefined || [...this.#calls.values()].some((call) => call !== "heard")) return;
    this.#trouble = undefined;
    this.#parts.recovered();
  }

  /** A server that is no part of the cluster any more. */
  #forget(name: string, end: Promise<() => Promise<void>>): void {
    this.#ends.delete(name);
    end.then((leave) => leave()).catch(() => {});
  }
}
