/** One time that the application's handler ran. */
export interface Handling {
  /** The server's process. */
  readonly node: string;
  readonly token: string;
  readonly atMs: number;
}

/** When and where the application's handler ran for each publish. */
export class Handlings {
  readonly #byToken = new Map<string, Handling[]>();

  note(handling: Handling): void {
    const handlings = this.#byToken.get(handling.token) ?? [];
    handlings.push(handling);
    this.#byToken.set(handling.token, handlings);
  }

  /** Of each publish that was handled, in the order of time. */
  all(): Iterable<readonly Handling[]> {
    return this.#byToken.values();
  }

  of(token: string): readonly Handling[] {
    return this.#byToken.get(token) ?? [];
  }
}
