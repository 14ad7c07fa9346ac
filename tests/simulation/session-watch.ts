import type { ServerNode } from "./server-node.js";

/** How long a session may have two connections, where nothing is lost of what nodes tell each other: the claim has to get there. */
const TWO_MS_MAX = 5_000;

/** Looks now and then at how many connections each session has, at all nodes together. */
export class SessionWatch {
  readonly #complain: (what: string) => void;
  /** Since when a session has more than one, in simulated ms. */
  readonly #doubledSinceMs = new Map<string, number>();

  constructor(complain: (what: string) => void) {
    this.#complain = complain;
  }

  look(nodes: readonly ServerNode[], nowMs: number): void {
    const doubled = doubledSessions(nodes);
    for (const session of this.#doubledSinceMs.keys()) if (!doubled.has(session)) this.#doubledSinceMs.delete(session);
    for (const [session, places] of doubled) {
      const sinceMs = this.#doubledSinceMs.get(session) ?? nowMs;
      this.#doubledSinceMs.set(session, sinceMs);
      if (nowMs - sinceMs <= TWO_MS_MAX) continue;
      this.#complain(`${session} has had connections at ${places.join(" and ")} since ${sinceMs}`);
      this.#doubledSinceMs.delete(session);
    }
  }
}

/** The sessions that have more than one connection, and where. */
export function doubledSessions(nodes: readonly ServerNode[]): ReadonlyMap<string, readonly string[]> {
  const places = new Map<string, string[]>();
  for (const { isAlive, process, server } of nodes) {
    if (!isAlive) continue;
    for (const { session } of server.connections()) places.set(session, [...(places.get(session) ?? []), process.name]);
  }
  return new Map([...places].filter(([, at]) => at.length > 1));
}
