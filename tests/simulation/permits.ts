/** A time in which nothing that landed within it may reach a user. */
export interface Ban {
  readonly user: string;
  readonly channel: string;
  readonly fromMs: number;
  toMs: number;
}

/** What the application's own database says of who may not do what, over all crashes of its servers. */
export class Permits {
  /** Bans that were in force, the present ones without an end. */
  readonly bans: Ban[] = [];
  /** What is denied now, each with the number of its denial. */
  readonly #denied = new Map<string, number>();
  #denialCount = 0;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  may(user: string | undefined, channel: string): boolean {
    return user === undefined || !this.#denied.has(keyOf(user, channel));
  }

  /** Whoever asks from now on may not. The number of the denial: the same until it is taken back. */
  deny(user: string, channel: string): number {
    const key = keyOf(user, channel);
    const denial = this.#denied.get(key) ?? ++this.#denialCount;
    this.#denied.set(key, denial);
    return denial;
  }

  /** The subscriptions that there were at a denial have been ended: while it lasts nothing is delivered from now on. */
  enforce(user: string, channel: string, denial: number): void {
    const isInForce = this.bans.some((ban) => ban.user === user && ban.channel === channel && ban.toMs === Infinity);
    if (this.#denied.get(keyOf(user, channel)) === denial && !isInForce) this.bans.push({ user, channel, fromMs: this.#nowMs(), toMs: Infinity });
  }

  /** No server runs that could have kept a subscription. */
  enforceAll(): void {
    for (const [key, denial] of this.#denied) {
      const [user = "", channel = ""] = key.split(" ");
      this.enforce(user, channel, denial);
    }
  }

  allow(user: string, channel: string): void {
    this.#denied.delete(keyOf(user, channel));
    for (const ban of this.bans) if (ban.user === user && ban.channel === channel) ban.toMs = Math.min(ban.toMs, this.#nowMs());
  }

  allowAll(): void {
    for (const key of this.#denied.keys()) {
      const [user = "", channel = ""] = key.split(" ");
      this.allow(user, channel);
    }
  }
}

function keyOf(user: string, channel: string): string {
  return `${user} ${channel}`;
}
