/** Names one user, on all their devices, or one session. */
export type Target = { readonly user: string } | { readonly session: string };

function keyOfTarget(target: Target): string {
  return "user" in target ? `user ${target.user}` : `session ${target.session}`;
}

/** Whom the application itself put into which channels. They need no permission, and come in again with each new connection. */
export class Memberships {
  readonly #channels = new Map<string, Set<string>>();

  add(target: Target, channel: string): void {
    const key = keyOfTarget(target);
    const channels = this.#channels.get(key) ?? new Set();
    this.#channels.set(key, channels.add(channel));
  }

  remove(target: Target, channel: string): void {
    const key = keyOfTarget(target);
    const channels = this.#channels.get(key);
    channels?.delete(channel);
    if (channels?.size === 0) this.#channels.delete(key);
  }

  /** Nobody is in the channel any more. */
  removeChannel(channel: string): void {
    for (const [key, channels] of this.#channels) {
      channels.delete(channel);
      if (channels.size === 0) this.#channels.delete(key);
    }
  }

  has(session: string, user: string | undefined, channel: string): boolean {
    return this.#of({ session })?.has(channel) === true || (user !== undefined && this.#of({ user })?.has(channel) === true);
  }

  /** The channels of a session and its user. */
  channels(session: string, user: string | undefined): ReadonlySet<string> {
    return new Set([...(this.#of({ session }) ?? []), ...((user === undefined ? undefined : this.#of({ user })) ?? [])]);
  }

  #of(target: Target): ReadonlySet<string> | undefined {
    return this.#channels.get(keyOfTarget(target));
  }
}
