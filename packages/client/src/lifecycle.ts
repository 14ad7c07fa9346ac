import type { Cancel } from "@tutti/protocol";

/** What happens around the client, told by its {@link Lifecycle}. */
export interface LifecycleEvents {
  online(): void;
  offline(): void;
  visible(): void;
  hidden(): void;
  /** The page's tasks stop. */
  frozen(): void;
  resumed(): void;
  /** The page goes away; `persisted`: it may come back from the back-forward cache. */
  pageHide(persisted: boolean): void;
  pageShow(persisted: boolean): void;
  /** The person did something: moved, typed, touched. */
  used(): void;
}

/** Tells the client what the page and the network do. */
export interface Lifecycle {
  /** Tells `events` until cancelled. What holds already is told at once. */
  watch(events: LifecycleEvents): Cancel;
}
