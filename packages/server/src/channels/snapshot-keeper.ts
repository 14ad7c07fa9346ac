import type { Keep, Retention } from "../broker/broker.js";
import type { Services } from "../services.js";
import type { View } from "./view.js";

/** What is saved: a state, at a position of its log. */
type Saved = Pick<View, "position" | "version" | "state">;

/** Saves the view of a channel from time to time, and trims the log up to a saved snapshot; the broker leaves what history should keep. */
export class SnapshotKeeper {
  readonly #services: Services;
  readonly #channel: string;
  readonly #keep: Keep;
  #unsaved = 0;
  #isSaving = false;

  constructor(services: Services, channel: string, history: Retention) {
    this.#services = services;
    this.#channel = channel;
    this.#keep = { ...history, unsaved: true };
  }

  /** Counts events that the view has reduced; saves when there are enough. */
  count(events: number, view: Saved): void {
    this.#unsaved += events;
    if (this.#unsaved >= this.#services.bounds.snapshotEvery) void this.save(view);
  }

  /** Saves what is unsaved. A failure is logged and costs the next start some time, nothing else. */
  async save(view: Saved): Promise<void> {
    if (this.#unsaved === 0 || this.#isSaving) return;
    const { broker, log } = this.#services;
    const { position, version, state } = view;
    const { epoch, seq, eventId } = position;
    this.#unsaved = 0;
    this.#isSaving = true;
    try {
      const snapshot = { position: { epoch, seq }, version, state, ...(eventId !== undefined && { eventId }) };
      // What is not in a snapshot that is kept is in its events alone, also where this one is lost before they are trimmed.
      if (await broker.saveSnapshot(this.#channel, snapshot)) await broker.trim(this.#channel, position, this.#keep);
    } catch (error) {
      log.warn("saving a snapshot failed", { channel: this.#channel, error });
    } finally {
      this.#isSaving = false;
    }
  }
}
