import type { Environment } from "@tutti/protocol";
import type { SessionStorage, StoredIdentity, StoredPublish, StoredSession } from "./storage.js";

/**
 * A logical client over reconnects: the secret that the server knows it by, its public id, and how far it has counted its publishes in
 * each channel.
 */
export class Session {
  readonly #storage: SessionStorage | undefined;
  readonly #failed: (cause: unknown) => void;
  readonly #counts = new Map<string, number>();
  #identity: StoredIdentity;
  /** The user of the last welcome. */
  user: string | undefined;

  constructor(environment: Environment, storage: SessionStorage | undefined, failed: (cause: unknown) => void) {
    this.#storage = storage;
    this.#failed = failed;
    this.#identity = { secret: environment.id() + environment.id(), publicId: undefined };
  }

  get secret(): string {
    return this.#identity.secret;
  }

  /** How others see the session; known from the first welcome on. */
  get publicId(): string | undefined {
    return this.#identity.publicId;
  }

  /** Takes up what was stored; a promise only where the storage is asynchronous. What it returns was not settled. */
  load(): readonly StoredPublish[] | Promise<readonly StoredPublish[]> {
    const restore = (stored: StoredSession | undefined): readonly StoredPublish[] => {
      if (stored === undefined) {
        void this.#keep((storage) => storage.begin(this.#identity));
        return [];
      }
      this.#identity = stored.identity;
      for (const [channel, n] of stored.counts) this.#counts.set(channel, n);
      return stored.publishes;
    };
    const failed = (cause: unknown): readonly StoredPublish[] => {
      this.#failed(cause);
      return [];
    };
    try {
      const stored = this.#storage?.load();
      return stored instanceof Promise ? stored.then(restore).catch(failed) : restore(stored);
    } catch (cause) {
      return failed(cause);
    }
  }

  /** The server's word on who this is. `true` when the session is another than before: the counts start anew. */
  identify(publicId: string): boolean {
    if (publicId === this.publicId) return false;
    this.#identity = { secret: this.secret, publicId };
    this.#counts.clear();
    void this.#keep((storage) => storage.begin(this.#identity));
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

  /** The id that the event of publish `n` has, or, before the first welcome, will not have. */
  eventId(n: number): string {
    return `${this.publicId ?? ""}:${n}`;
  }

  /** The *n* of an event of this session, or `undefined`: it is somebody else's. */
  ownCount(eventId: string): number | undefined {
    const colon = eventId.lastIndexOf(":");
    return eventId.slice(0, colon) === this.publicId ? Number(eventId.slice(colon + 1)) : undefined;
  }

  put(publish: StoredPublish): Promise<void> | undefined {
    return this.#keep((storage) => storage.put(publish));
  }

  settle(channel: string, n: number): void {
    void this.#keep((storage) => storage.settle(channel, n));
  }

  /** Changes the storage; the promise, where there is one, resolves in any case: what cannot be stored is sent all the same. */
  #keep(change: (storage: SessionStorage) => void | Promise<void>): Promise<void> | undefined {
    if (this.#storage === undefined) return undefined;
    try {
      const done = change(this.#storage);
      return done instanceof Promise ? done.catch(this.#failed) : undefined;
    } catch (cause) {
      this.#failed(cause);
      return undefined;
    }
  }
}
