import { TYPING_MS, type Cancel, type WireSignal } from "@tutti/protocol";
import type { Core } from "./core.js";
import { makeStore, type ReadonlyStore } from "./store.js";

/** The signal type that typing uses; its payload is `true` or `false`. */
export const TYPING = "typing";

/** Somebody who is typing. */
export interface Typist {
  readonly session: string;
  readonly user?: string | undefined;
}

export interface Typing extends ReadonlyStore<readonly Typist[]> {
  /** Call it for every keystroke: others see it from the first until 4 s after the last. */
  readonly start: () => void;
  readonly stop: () => void;
}

/** Who is typing in a channel, and telling that one is. */
export function makeTyping({ environment, report }: Core, signal: (isTyping: boolean) => void) {
  const seen = new Map<string, { readonly typist: Typist; readonly expire: Cancel }>();
  const store = makeStore<readonly Typist[]>(report, () => Array.from(seen.values(), ({ typist }) => typist));
  let startedAt = 0;
  let repeat: Cancel | undefined;

  const stop = (): void => {
    if (repeat === undefined) return;
    repeat();
    repeat = undefined;
    signal(false);
  };
  /** Says it again, twice in the time that it lasts, as long as `start` is called. */
  const tell = (): void => {
    signal(true);
    repeat = environment.after(TYPING_MS / 2, () => (environment.elapsed() - startedAt < TYPING_MS ? tell() : stop()));
  };
  const forget = (session: string): void => {
    seen.get(session)?.expire();
    if (seen.delete(session)) store.changed();
  };
  const face: Typing = {
    ...store,
    stop,
    start() {
      startedAt = environment.elapsed();
      if (repeat === undefined) tell();
    },
  };

  return {
    /** What the application sees. */
    face,
    heard({ session, user, payload }: WireSignal): void {
      forget(session);
      if (payload !== true) return;
      seen.set(session, { typist: { session, user }, expire: environment.after(TYPING_MS, () => forget(session)) });
      store.changed();
    },
    /** Nothing of the channel arrives any longer, and no signal is sent. */
    clear(): void {
      stop();
      for (const session of seen.keys()) forget(session);
    },
  };
}
