import { limits, type Cancel, type WireSignal } from "@tutti/protocol";
import type { Core } from "./core.js";
import { makeStore, type ReadonlyStore, type Store } from "./store.js";

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

/** Who is typing in a channel, and telling that one is. */
export class TypingState {
  readonly #core: Core;
  readonly #signal: (isTyping: boolean) => void;
  readonly #seen = new Map<string, { readonly typist: Typist; readonly expire: Cancel }>();
  readonly #store: Store<readonly Typist[]>;
  #startedAt = 0;
  /** Runs while this client is typing. */
  #repeat: Cancel | undefined;

  constructor(core: Core, signal: (isTyping: boolean) => void) {
    this.#core = core;
    this.#signal = signal;
    this.#store = makeStore(core.report, () => Array.from(this.#seen.values(), ({ typist }) => typist));
  }

  /** What the application sees. */
  get face(): Typing {
    return { ...this.#store, start: () => this.#start(), stop: () => this.#stop() };
  }

  heard({ session, user, payload }: WireSignal): void {
    const typist = this.#seen.get(session)?.typist ?? { session, ...(user !== undefined && { user }) };
    this.#seen.get(session)?.expire();
    if (payload !== true) return this.#forget(session);
    this.#seen.set(session, { typist, expire: this.#core.environment.after(limits.typingMs, () => this.#forget(session)) });
    this.#store.changed();
  }

  /** Nothing of the channel arrives any longer. */
  clear(): void {
    this.#repeat?.();
    this.#repeat = undefined;
    for (const { expire } of this.#seen.values()) expire();
    this.#seen.clear();
    this.#store.changed();
  }

  #forget(session: string): void {
    if (this.#seen.delete(session)) this.#store.changed();
  }

  #start(): void {
    this.#startedAt = this.#core.environment.elapsed();
    if (this.#repeat === undefined) this.#tell();
  }

  #stop(): void {
    if (this.#repeat === undefined) return;
    this.#repeat();
    this.#repeat = undefined;
    this.#signal(false);
  }

  /** Says it again, twice in the time that it lasts, as long as `start` is called. */
  #tell(): void {
    const { environment } = this.#core;
    this.#signal(true);
    this.#repeat = environment.after(limits.typingMs / 2, () => {
      if (environment.elapsed() - this.#startedAt < limits.typingMs) this.#tell();
      else this.#stop();
    });
  }
}
