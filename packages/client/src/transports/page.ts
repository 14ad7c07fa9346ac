import type { Cancel } from "@tutti/protocol";
import type { NetworkWatch } from "../adaptive/adaptive-link.js";
import type { TransportMemory } from "../adaptive/adaptive-transport.js";
import { unknownAttention, type Attention } from "../adaptive/attention.js";

/* What an adaptive transport, and one that polls, know of the page that they run in. Without a page they know nothing, and do without. */

function listen(targets: readonly EventTarget[], names: readonly string[], listener: () => void): Cancel {
  const over = new AbortController();
  for (const target of targets) for (const name of names) target.addEventListener(name, listener, { signal: over.signal });
  return () => over.abort();
}

/** A page is looked at while it is in front and has the focus, and in the background while it is hidden. */
export function pageAttention(): Attention {
  if (typeof document === "undefined") return unknownAttention;
  return {
    level: () => (document.hidden ? "background" : document.hasFocus() ? "looked-at" : "unknown"),
    watch: (changed) => listen([document, window], ["visibilitychange", "focus", "blur"], changed),
  };
}

/** The part of the Network Information API that says what one is connected by; not every platform has it. */
interface NetworkInformation extends EventTarget {
  readonly type?: unknown;
}

/** Another network: the connection was away, or is of another type. */
export function pageNetwork(): NetworkWatch {
  return {
    watch(changed) {
      if (typeof window === "undefined") return () => {};
      const { connection } = navigator as { readonly connection?: NetworkInformation };
      const away = listen([window], ["online", "offline"], changed);
      if (connection === undefined) return away;
      let type = connection.type;
      // It changes with every estimate of the speed as well.
      const other = listen([connection], ["change"], () => {
        if (connection.type === type) return;
        type = connection.type;
        changed();
      });
      return () => {
        away();
        other();
      };
    },
  };
}

/** All pages of an origin have it in common. */
export function pageMemory(): TransportMemory {
  return {
    recall(key) {
      try {
        return localStorage.getItem(key) ?? "";
      } catch {
        return "";
      }
    },
    remember(key, value) {
      try {
        localStorage.setItem(key, value);
      } catch {
        // A page without permission to store, and a program: the next one finds out by itself.
      }
    },
  };
}
