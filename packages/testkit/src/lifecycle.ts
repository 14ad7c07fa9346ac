import type { Lifecycle, LifecycleEvents } from "@tutti/client";
import type { Cancel } from "@tutti/protocol";

/** A page whose life somebody else directs: `lifecycle.tell((events) => events.offline())`. */
export class SimulatedLifecycle implements Lifecycle {
  readonly #watching = new Set<LifecycleEvents>();

  watch(events: LifecycleEvents): Cancel {
    this.#watching.add(events);
    return () => void this.#watching.delete(events);
  }

  /** Tells everybody who watches. */
  tell(what: (events: LifecycleEvents) => void): void {
    for (const events of this.#watching) what(events);
  }
}
