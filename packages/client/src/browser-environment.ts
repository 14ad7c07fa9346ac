import { toBase64, type Cancel, type Environment } from "@tutti/protocol";
import type { Lifecycle } from "./lifecycle.js";

/* The one place where the client meets the clock, the timers, the randomness and the page that it runs in. Node has all but the page. */

export function browserEnvironment(): Environment {
  return {
    now: () => Date.now(),
    elapsed: () => performance.now(),
    after(delayMs, task) {
      // A timer of a longer delay than that would fire at once.
      const timer = setTimeout(task, Math.min(delayMs, 2 ** 31 - 1));
      return () => clearTimeout(timer);
    },
    defer: (task) => void setTimeout(task, 0),
    random: () => Math.random(),
    id: () => toBase64(crypto.getRandomValues(new Uint8Array(16))).replaceAll("+", "-").replaceAll("/", "_").slice(0, 22),
  };
}

/** What the page that runs the client goes through; nothing where there is no page. */
export function browserLifecycle(): Lifecycle {
  return {
    watch(events): Cancel {
      if (typeof document === "undefined") return () => {};
      const over = new AbortController();
      const on = (target: EventTarget, name: string, listener: () => void): void => target.addEventListener(name, listener, { signal: over.signal });
      on(window, "online", events.online);
      on(window, "offline", events.offline);
      on(window, "pagehide", events.pageHide);
      on(window, "pageshow", events.pageShow);
      on(document, "freeze", events.frozen);
      on(document, "resume", events.resumed);
      on(document, "visibilitychange", () => document.hidden || events.visible());
      for (const name of ["pointermove", "pointerdown", "keydown"]) on(window, name, events.used);
      if (!navigator.onLine) events.offline();
      return () => over.abort();
    },
  };
}

/** The debug switch of a page: `localStorage.debug = "tutti"`. */
export function browserDebug(): ((line: string) => void) | undefined {
  try {
    // oxlint-disable-next-line no-console -- what the switch is for
    if (typeof window !== "undefined" && /\btutti\b/.test(localStorage.getItem("debug") ?? "")) return (line) => console.debug(line);
  } catch {
    // A page without permission to store.
  }
  return undefined;
}

/** The locks that the tabs of an origin have in common. @throws TypeError where there are none: in an old browser, or an insecure page */
export function browserLocks(): Pick<LockManager, "request" | "query"> {
  if (typeof navigator === "undefined" || navigator.locks === undefined) throw new TypeError("the platform has no Web Locks");
  return navigator.locks;
}

/** A page, as far as it is told apart from other tabs of its origin, and from itself before a reload. */
export interface TabMemory {
  /** What `remember` was told under this key, also before a reload, and in a copy of the tab; else `""`. */
  recall(key: string): string;
  remember(key: string, value: string): void;
  /** The names of the locks that this page holds. */
  readonly held: Set<string>;
}

const held = new Set<string>();

/** The tab that this runs in. A page without permission to store remembers nothing over a reload. */
export function browserTab(): TabMemory {
  return {
    held,
    recall(key) {
      try {
        return sessionStorage.getItem(key) ?? "";
      } catch {
        return "";
      }
    },
    remember(key, value) {
      try {
        sessionStorage.setItem(key, value);
      } catch {
        // Then a reload finds its session among those that are free.
      }
    },
  };
}
