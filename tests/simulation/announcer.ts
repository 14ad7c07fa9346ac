import type { Participant } from "@tutti/testkit";
import { TuttiError } from "@tutti/protocol";
import { channels, type Item } from "./contract.js";
import type { PublishRecord } from "./record.js";
import type { Scene } from "./scene.js";

export const ANNOUNCER = "announcer";
const PAUSE_MS = 9_000;
/** An attempt that takes longer is given up, and made again. */
const ATTEMPT_MS = 3_000;
const LAST_WORD_MS = 12_000;

/**
 * The application's own job, in a process of its own: publishes to each channel now and then with an idempotency key, one after the other,
 * each again until it is told that it landed.
 */
export class Announcer {
  readonly publishes: PublishRecord[] = [];
  readonly #scene: Scene;
  readonly #process: Participant;
  #count = 0;

  constructor(scene: Scene, process: Participant) {
    this.#scene = scene;
    this.#process = process;
  }

  begin(): void {
    this.#process.after(PAUSE_MS * this.#process.random(), () => {
      const isTime = this.#scene.clock.nowMs < this.#scene.endsAtMs;
      if (isTime && this.#scene.parts.take(`${ANNOUNCER}@${this.#count}`)) this.#announceAll(() => this.begin());
      else if (isTime) {
        this.#count++;
        this.begin();
      }
    });
  }

  /** One more event in each channel, once everybody is back. */
  lastWord(): void {
    this.#process.after(LAST_WORD_MS, () => this.#announceAll(() => {}));
  }

  #announceAll(done: () => void): void {
    this.#count++;
    let left = channels.length;
    for (const { name } of channels) {
      const item: Item = { token: `announcer/${name}/${this.#count}`, wish: "plain" };
      const record: PublishRecord = { channel: name, item, user: undefined, isOrphaned: false, result: { result: "pending" } };
      this.publishes.push(record);
      this.#announce(record, this.#scene.leapCount, () => --left === 0 && done());
    }
  }

  /** @param leapCount of the time when it was published: a key is not remembered for a month, so it is not tried again after one */
  #announce(record: PublishRecord, leapCount: number, done: () => void): void {
    let isOver = false;
    const settle = (next: () => void): void => {
      if (isOver) return;
      isOver = true;
      cancelAttempt();
      next();
    };
    const again = (): void =>
      settle(() => {
        this.#process.after(ATTEMPT_MS * this.#process.random(), () => {
          if (this.#scene.leapCount === leapCount) return this.#announce(record, leapCount, done);
          record.result = { result: "refused", code: "OUTCOME_UNKNOWN" };
          done();
        });
      });
    const cancelAttempt = this.#process.after(ATTEMPT_MS, again);
    this.#scene.cluster.publish(record.channel, record.item, record.item.token).then(
      ({ position, eventId }) => {
        record.result = { result: "acked", position, eventId };
        settle(done);
      },
      (error: unknown) => {
        if (error instanceof TuttiError && error.code === "UNAVAILABLE") return again();
        record.result = { result: "refused", code: error instanceof TuttiError ? error.code : String(error) };
        settle(done);
      },
    );
  }
}
