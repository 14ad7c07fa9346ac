import type { Cancel, Environment } from "@tutti/protocol";
import type { Lifecycle, LifecycleEvents } from "./lifecycle.js";

/* The one place where the client meets the clock, the timers, the randomness and the page that it runs in. Node has all but the page. */

/** The longest delay that a timer takes; a longer one would fire at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

export function browserEnvironment(): Environment {
  return {
    now: () => Date.now(),
    elapsed: () => performance.now(),
    after(delayMs, task) {
      const timer = setTimeout(task, Math.min(delayMs, DELAY_MS_MAX));
      return () => clearTimeout(timer);
    },
    defer: (task) => void setTimeout(task, 0),
    random: () => Math.random(),
    id: () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))).replaceAll("+", "-").replaceAll("/", "_").slice(0, 22),
  };
}

type Handlers = readonly (readonly [EventTarget, string, (event: Event) => void])[];

function handlersOf(events: LifecycleEvents): Handlers {
  const used = (): void => events.used();
  const persisted = (event: Event): boolean => "persisted" in event && event.persisted === true;
  return [
    [window, "online", () => events.online()],
    [window, "offline", () => events.offline()],
    [window, "pagehide", (event) => events.pageHide(persisted(event))],
    [window, "pageshow", (event) => events.pageShow(persisted(event))],
    [document, "freeze", () => events.frozen()],
    [document, "resume", () => events.resumed()],
    [document, "visibilitychange", () => (document.visibilityState === "visible" ? events.visible() : events.hidden())],
    [window, "pointermove", used],
    [window, "pointerdown", used],
    [window, "keydown", used],
  ];
}

/** What the page that runs the client goes through; nothing where there is no page. */
export function browserLifecycle(): Lifecycle {
  return {
    watch(events): Cancel {
      if (typeof window === "undefined" || typeof document === "undefined") return () => {};
      const handlers = handlersOf(events);
      for (const [target, name, handler] of handlers) target.addEventListener(name, handler, { passive: true });
      if (!navigator.onLine) events.offline();
      return () => {
        for (const [target, name, handler] of handlers) target.removeEventListener(name, handler);
      };
    },
  };
}

/** The debug switch of a page: `localStorage.debug = "tutti"`. */
export function browserDebug(): (line: string) => void {
  try {
    // oxlint-disable-next-line no-console -- what the switch is for
    if (typeof window !== "undefined" && /\btutti\b/.test(localStorage.getItem("debug") ?? "")) return (line) => console.debug(line);
  } catch {
    // A page without permission to store.
  }
  return () => {};
}
