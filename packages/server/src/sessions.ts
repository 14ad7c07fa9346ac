import type { Connection } from "./connection.js";
import { keyOfTarget, type Target } from "./memberships.js";

/** The connections that have said hello, by session and by user. */
export class Sessions {
  readonly #bySession = new Map<string, Connection>();
  readonly #byUser = new Map<string, Set<Connection>>();

  get size(): number {
    return this.#bySession.size;
  }

  all(): Iterable<Connection> {
    return this.#bySession.values();
  }

  get(session: string): Connection | undefined {
    return this.#bySession.get(session);
  }

  of(target: Target): readonly Connection[] {
    if ("user" in target) return [...(this.#byUser.get(keyOfTarget(target)) ?? [])];
    const connection = this.#bySession.get(target.session);
    return connection === undefined ? [] : [connection];
  }

  add(connection: Connection, session: string, user: string | undefined): void {
    this.#bySession.set(session, connection);
    if (user === undefined) return;
    const key = keyOfTarget({ user });
    const connections = this.#byUser.get(key) ?? new Set();
    this.#byUser.set(key, connections.add(connection));
  }

  remove(connection: Connection, session: string, user: string | undefined): void {
    // A newer connection of the session may stand there already.
    if (this.#bySession.get(session) === connection) this.#bySession.delete(session);
    if (user === undefined) return;
    const key = keyOfTarget({ user });
    const connections = this.#byUser.get(key);
    connections?.delete(connection);
    if (connections?.size === 0) this.#byUser.delete(key);
  }
}
