import type { Position } from "@tutti/protocol";
import type { Retention } from "./broker.js";
import type { Services } from "./services.js";
import type { View } from "./view.js";

interface Mark {
  readonly position: Position;
  readonly savedAt: number;
}

/** Saves the view of a channel from time to time, and trims the log below a saved snapshot, never above what history should keep. */
export class SnapshotKeeper {
  readonly #services: Services;
  readonly #channel: string;
  readonly #history: Retention;
  /** Snapshots that were saved and not yet trimmed to, the oldest first. */
  #marks: readonly Mark[] = [];
  #unsaved = 0;
  #isSaving = false;

  constructor(services: Services, channel: string, history: Retention) {
    this.#services = services;
    this.#channel = channel;
    this.#history = history;
  }

  /** Counts events that the view has reduced; saves when there are enough. */
  count(events: number, view: View): void {
    this.#unsaved += events;
    if (this.#unsaved >= this.#services.bounds.snapshotEvery) void this.save(view);
  }

  /** Saves what is unsaved. A failure is logged and costs the next start some time, nothing else. */
  async save(view: View): Promise<void> {
    if (this.#unsaved === 0 || this.#isSaving) return;
    const { broker, environment, log } = this.#services;
    const { position, version, state } = view;
    this.#unsaved = 0;
    this.#isSaving = true;
    try {
      await broker.saveSnapshot(this.#channel, { position, version, state });
      this.#marks = [...this.#marks, { position, savedAt: environment.elapsed() }];
      await this.#trim(position);
    } catch (error) {
      log.warn("saving a snapshot failed", { channel: this.#channel, error });
    } finally {
      this.#isSaving = false;
    }
  }

  async #trim(head: Position): Promise<void> {
    const { broker, environment } = this.#services;
    const savedBefore = environment.elapsed() - this.#history.ageMsMin;
    const isOver = ({ position, savedAt }: Mark): boolean => head.seq - position.seq >= this.#history.countMin && savedAt <= savedBefore;
    // What was saved of an epoch that is over says nothing about this one.
    const marks = this.#marks.filter(({ position }) => position.epoch === head.epoch);
    const newest = marks.findLast(isOver);
    this.#marks = marks.filter((mark) => !isOver(mark));
    if (newest !== undefined) await broker.trim(this.#channel, newest.position);
  }
}
