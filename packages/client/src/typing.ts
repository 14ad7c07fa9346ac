import { limits, type Cancel, type Environment } from "@tutti/protocol";
import type { Report } from "./emitter.js";
import { Store, type ReadonlyStore } from "./store.js";

/** The signal type that typing uses; its payload is `true` or `false`. */
export const TYPING = "typing";

/** Somebody who is typing. */
export interface Typist {
  readonly session: string;
  readonly user?: string;
}

export interface Typing extends ReadonlyStore<readonly Typist[]> {
  /** Call it for every keystroke: others see it from the first until 4 s after the last. */
  readonly start: () => void;
  readonly stop: () => void;
}

interface Seen {
  readonly typist: Typist;
  readonly expire: Cancel;
}

/** Who is typing in a channel, and telling that one is. */
export class TypingState implements Typing {
  readonly #environment: Environment;
  readonly #signal: (isTyping: boolean) => void;
  readonly #seen = new Map<string, Seen>();
  readonly #store: Store<readonly Typist[]>;
  #startedAt = 0;
  #repeat: Cancel | undefined;

  constructor(environment: Environment, signal: (isTyping: boolean) => void, report: Report) {
    this.#environment = environment;
    this.#signal = signal;
    this.#store = new Store(() => [...this.#seen.values()].map(({ typist }) => typist), report);
  }

  get getSnapshot(): () => readonly Typist[] {
    return this.#store.getSnapshot;
  }

  get subscribe(): (listener: () => void) => Cancel {
    return this.#store.subscribe;
  }

  readonly start = (): void => {
    this.#startedAt = this.#environment.elapsed();
    if (this.#repeat === undefined) this.#tell();
  };

  readonly stop = (): void => {
    if (this.#repeat === undefined) return;
    this.#quiet();
    this.#signal(false);
  };

  heard({ session, user, payload }: { readonly session: string; readonly user?: string | undefined; readonly payload?: unknown }): void {
    const known = this.#seen.get(session);
    known?.expire();
    if (payload === true) {
      const typist = known?.typist ?? { session, ...(user !== undefined && { user }) };
      this.#seen.set(session, { typist, expire: this.#environment.after(limits.typingMs, () => this.forget(session)) });
      if (known === undefined) this.#store.changed();
    } else this.forget(session);
  }

  /** Somebody left, or stopped. */
  forget(session: string): void {
    this.#seen.get(session)?.expire();
    if (this.#seen.delete(session)) this.#store.changed();
  }

  /** Nothing of the channel arrives any longer. */
  clear(): void {
    this.#quiet();
    for (const session of this.#seen.keys()) this.forget(session);
  }

  /** Says it again, twice in the time that it lasts, as long as `start` is called. */
  #tell(): void {
    this.#signal(true);
    this.#repeat = this.#environment.after(limits.typingMs / 2, () => {
      if (this.#environment.elapsed() - this.#startedAt < limits.typingMs) this.#tell();
      else this.stop();
    });
  }

  #quiet(): void {
    this.#repeat?.();
    this.#repeat = undefined;
  }
}
