import { RandomStream, type Participant } from "@tutti/testkit";

const FETCH_MS_MAX = 1_500;
const HOUR_MS = 3_600_000;

export interface IssuerOptions {
  readonly seed: number;
  /** How long a token lives; `undefined` for tokens that never expire. */
  readonly lifeMs: number | undefined;
  /** The wall clock by which tokens expire. */
  readonly now: () => number;
}

/** What a server reads in a token. */
export interface Claims {
  readonly id: string;
  readonly expiresAt?: number;
}

/** Where pages get their tokens: after a while, and sometimes not. */
export class Issuer {
  readonly #options: IssuerOptions;
  #lifeMs: number | undefined;
  #failing: number;

  constructor(options: IssuerOptions) {
    this.#options = options;
    this.#lifeMs = options.lifeMs;
    this.#failing = options.lifeMs === undefined ? 0 : 0.2;
  }

  /** The option `token` of a page's client. */
  tokensOf(user: string, page: Participant): string | (() => Promise<string>) {
    const { seed, lifeMs, now } = this.#options;
    if (lifeMs === undefined) return user;
    const random = new RandomStream(seed, `tokens of ${page.name}`);
    return () =>
      new Promise((resolve, reject) => {
        page.after(random.between(0, FETCH_MS_MAX), () => {
          if (random.chance(this.#failing)) reject(new Error("the issuer is busy"));
          else resolve(`${user} ${now() + (this.#lifeMs ?? HOUR_MS)}`);
        });
      });
  }

  /** From now on every token is given out, and lives long. */
  heal(): void {
    this.#failing = 0;
    if (this.#lifeMs !== undefined) this.#lifeMs = HOUR_MS;
  }
}

export function claimsOf(token = "nobody"): Claims {
  const [id = "", expiresAt] = token.split(" ");
  return expiresAt === undefined ? { id } : { id, expiresAt: Number(expiresAt) };
}
