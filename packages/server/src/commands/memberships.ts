import { list, record, text, type ValueOf } from "@tutti/protocol";
import { keyOfTarget, targetShape, type Target } from "../target.js";

/** Far more than anybody is put into; it keeps a length from being absurd. */
const CHANNELS_MAX = 1_000_000;

/** Memberships as a snapshot has them. */
export const membershipsShape = list(record({ target: targetShape, channels: list(text(128, 1), CHANNELS_MAX) }), CHANNELS_MAX);
type StoredMemberships = ValueOf<typeof membershipsShape>;

interface Entry {
  readonly target: Target;
  readonly channels: Set<string>;
}

/**
 * Whom the application itself put into which channels. They need no permission, and come in again with each new connection. What is done twice
 * changes nothing, and the latest word on somebody and a channel holds, so what a log has may be read again over what is known already.
 */
export class Memberships {
  readonly #entries = new Map<string, Entry>();
  #size = 0;

  /** How many there are: each channel of each user or session counts. */
  get size(): number {
    return this.#size;
  }

  add(target: Target, channel: string): void {
    const key = keyOfTarget(target);
    const entry = this.#entries.get(key) ?? { target, channels: new Set() };
    if (entry.channels.has(channel)) return;
    entry.channels.add(channel);
    this.#entries.set(key, entry);
    this.#size++;
  }

  remove(target: Target, channel: string): void {
    this.#take(keyOfTarget(target), channel);
  }

  /** Nobody is in the channel any more. */
  removeChannel(channel: string): void {
    for (const key of this.#entries.keys()) this.#take(key, channel);
  }

  /** Whether this very user or session was put in. */
  includes(target: Target, channel: string): boolean {
    return this.#of(target)?.has(channel) === true;
  }

  has(session: string, user: string | undefined, channel: string): boolean {
    return this.#of({ session })?.has(channel) === true || (user !== undefined && this.#of({ user })?.has(channel) === true);
  }

  /** The channels of a session and its user. */
  channels(session: string, user: string | undefined): ReadonlySet<string> {
    return new Set([...(this.#of({ session }) ?? []), ...((user === undefined ? undefined : this.#of({ user })) ?? [])]);
  }

  /** All of them, to be stored. */
  stored(): StoredMemberships {
    return Array.from(this.#entries.values(), ({ target, channels }) => ({ target, channels: [...channels] }));
  }

  /** From now on these hold, and no others. */
  restore(stored: StoredMemberships): void {
    this.#entries.clear();
    this.#size = 0;
    for (const { target, channels } of stored) for (const channel of channels) this.add(target, channel);
  }

  #of(target: Target): ReadonlySet<string> | undefined {
    return this.#entries.get(keyOfTarget(target))?.channels;
  }

  #take(key: string, channel: string): void {
    const entry = this.#entries.get(key);
    if (entry?.channels.delete(channel) !== true) return;
    this.#size--;
    if (entry.channels.size === 0) this.#entries.delete(key);
  }
}
