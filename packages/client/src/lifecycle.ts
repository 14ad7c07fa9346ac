import type { Cancel } from "@tutti/protocol";

/** What happens around the client, told by its {@link Lifecycle}. */
export interface LifecycleEvents {
  readonly online: () => void;
  readonly offline: () => void;
  readonly visible: () => void;
  /** The page's tasks stop. */
  readonly frozen: () => void;
  readonly resumed: () => void;
  /** The page goes away, and may come back from the back-forward cache. */
  readonly pageHide: () => void;
  readonly pageShow: () => void;
  /** The person did something: moved, typed, touched. */
  readonly used: () => void;
}

/** Tells the client what the page and the network do. */
export interface Lifecycle {
  /** Tells `events` until cancelled. What holds already is told at once. */
  watch(events: LifecycleEvents): Cancel;
}
