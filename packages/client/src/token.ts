import { TuttiError } from "@tutti/protocol";
import type { ClientOptions } from "./options.js";

/** Knows the token of the next hello, and fetches it where the application gave a function. */
export class TokenKeeper {
  readonly #source: ClientOptions["token"];
  #known: string | undefined;

  constructor(source: ClientOptions["token"]) {
    this.#source = source;
    this.forget();
  }

  get canRefresh(): boolean {
    return typeof this.#source === "function";
  }

  get token(): string | undefined {
    return this.#known;
  }

  /** The token is not good any longer; `fetch` asks the application again. A fixed token is tried again as it is. */
  forget(): void {
    this.#known = typeof this.#source === "function" ? undefined : this.#source;
  }

  /**
   * Calls `done` when the token is known, in this turn where it can be.
   *
   * @param failed hears a `TuttiError` of the application as it is, and anything else as `UNAVAILABLE`
   */
  fetch(done: () => void, failed: (error: TuttiError) => void): void {
    const source = this.#source;
    if (this.#known !== undefined || typeof source !== "function") return done();
    const accept = (token: string): void => {
      this.#known = token;
      done();
    };
    const refuse = (cause: unknown): void =>
      failed(cause instanceof TuttiError ? cause : new TuttiError("UNAVAILABLE", { message: "the token could not be fetched", cause }));
    try {
      const token = source();
      if (typeof token === "string") accept(token);
      else token.then(accept, refuse);
    } catch (cause) {
      refuse(cause);
    }
  }
}
