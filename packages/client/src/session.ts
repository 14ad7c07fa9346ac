import type { Environment } from "@tutti/protocol";
import type { SessionStorage, StoredIdentity, StoredPublish } from "./storage.js";

/**
 * A logical client over reconnects: the secret that the server knows it by, its public id, and how far it has counted its publishes in
 * each channel.
 */
export class Session {
  readonly #storage: SessionStorage | undefined;
  readonly #failed: (cause: unknown) => void;
  readonly #counts: Map<string, number>;
  #identity: StoredIdentity;
  /** What an earlier page left. */
  readonly left: readonly StoredPublish[];
  /** The user of the last welcome. */
  user: string | undefined;

  /** @param failed hears what the storage threw; the session goes on in memory */
  constructor(environment: Environment, storage: SessionStorage | undefined, failed: (cause: unknown) => void) {
    this.#storage = storage;
    this.#failed = failed;
    const stored = this.keep((kept) => kept.load());
    this.#identity = stored?.identity ?? { secret: environment.id() + environment.id(), publicId: undefined };
    this.#counts = new Map(stored?.counts);
    this.left = stored?.publishes ?? [];
    if (stored === undefined) this.keep((kept) => kept.begin(this.#identity));
  }

  get secret(): string {
    return this.#identity.secret;
  }

  /** How others see the session; known from the first welcome on. */
  get publicId(): string | undefined {
    return this.#identity.publicId;
  }

  /** The server's word on who this is. `true` when the session is another than before: the counts start anew. */
  identify(publicId: string): boolean {
    if (publicId === this.publicId) return false;
    this.#identity = { secret: this.secret, publicId };
    this.#counts.clear();
    this.keep((kept) => kept.begin(this.#identity));
    return true;
  }

  /** The next *n* of a channel. */
  count(channel: string): number {
    const n = this.highest(channel) + 1;
    this.#counts.set(channel, n);
    return n;
  }

  highest(channel: string): number {
    return this.#counts.get(channel) ?? 0;
  }

  /** The id of the event of publish `n`. */
  eventId(n: number): string {
    return `${this.publicId ?? ""}:${n}`;
  }

  /** The *n* of an event of this session, or `undefined`: it is somebody else's. */
  ownCount(eventId: string): number | undefined {
    const colon = eventId.lastIndexOf(":");
    return eventId.slice(0, colon) === this.publicId ? Number(eventId.slice(colon + 1)) : undefined;
  }

  /** Changes what is stored. */
  keep<T>(change: (storage: SessionStorage) => T): T | undefined {
    try {
      return this.#storage && change(this.#storage);
    } catch (cause) {
      this.#failed(cause);
      return undefined;
    }
  }
}
