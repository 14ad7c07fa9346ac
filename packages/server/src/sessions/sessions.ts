import type { Connection } from "../connections/connection.js";
import type { Caller } from "../handlers.js";
import type { SignalTarget } from "../target.js";

/** The connections that have said hello, by session and by user. */
export class Sessions {
  readonly #bySession = new Map<string, Connection>();
  /** Most users have one connection, which needs no set around it. */
  readonly #byUser = new Map<string, Connection | Set<Connection>>();

  get size(): number {
    return this.#bySession.size;
  }

  all(): Iterable<Connection> {
    return this.#bySession.values();
  }

  get(session: string): Connection | undefined {
    return this.#bySession.get(session);
  }

  of(target: SignalTarget): readonly Connection[] {
    if ("connection" in target) return this.#withId(target.connection);
    const found = "user" in target ? this.#byUser.get(target.user) : this.#bySession.get(target.session);
    if (found === undefined) return [];
    return found instanceof Set ? [...found] : [found];
  }

  /** Looked for among all: an index would cost every connection something, and this costs little beside what is sent. */
  #withId(id: string): readonly Connection[] {
    const ordinal = Number.parseInt(id.slice(id.lastIndexOf("-") + 1), 36);
    for (const connection of this.#bySession.values()) if (connection.ordinal === ordinal && connection.id === id) return [connection];
    return [];
  }

  add(connection: Connection, { session, user }: Caller): void {
    this.#bySession.set(session, connection);
    if (user === undefined) return;
    const others = this.#byUser.get(user.id);
    if (others === undefined) this.#byUser.set(user.id, connection);
    else if (others instanceof Set) others.add(connection);
    else this.#byUser.set(user.id, new Set([others, connection]));
  }

  remove(connection: Connection, { session, user }: Caller): void {
    // A newer connection of the session may stand there already.
    if (this.#bySession.get(session) === connection) this.#bySession.delete(session);
    if (user === undefined) return;
    const known = this.#byUser.get(user.id);
    if (known instanceof Set) known.delete(connection);
    if (known === connection || (known instanceof Set && known.size === 0)) this.#byUser.delete(user.id);
  }
}
