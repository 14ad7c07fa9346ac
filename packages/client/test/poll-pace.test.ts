import { describe, expect, it } from "vitest";
import type { AttentionLevel } from "../src/adaptive/attention.js";
import { makePollPace, type PollIntervals } from "../src/adaptive/poll-pace.js";
import { FakeEnvironment } from "./support/fake-environment.js";

/** A pace, and a server that answers every poll at once. */
class Polling {
  readonly environment = new FakeEnvironment();
  readonly polledAt: number[] = [];
  readonly #watching = new Set<() => void>();
  #level: AttentionLevel;
  readonly pace;
  retryAfterMs: number | undefined;

  constructor(level: AttentionLevel, intervals?: Partial<PollIntervals>) {
    this.#level = level;
    const attention = {
      level: () => this.#level,
      watch: (changed: () => void) => {
        this.#watching.add(changed);
        return () => void this.#watching.delete(changed);
      },
    };
    this.pace = makePollPace({ environment: this.environment, attention, intervals });
    this.answer();
  }

  get watchers(): number {
    return this.#watching.size;
  }

  look(level: AttentionLevel): void {
    this.#level = level;
    for (const changed of this.#watching) changed();
  }

  readonly answer = (): void => {
    this.pace.next(() => {
      this.polledAt.push(this.environment.elapsed());
      this.answer();
    }, this.retryAfterMs);
  };
}

describe("the pace of polling", () => {
  it.each([
    ["looked-at", 2_000],
    ["unknown", 10_000],
    ["background", 60_000],
  ] as const)("TRN-12 a page that is %s polls every %d ms", (level, intervalMs) => {
    const polling = new Polling(level);
    polling.environment.pass(3 * intervalMs);
    expect(polling.polledAt).toEqual([intervalMs, 2 * intervalMs, 3 * intervalMs]);
  });

  it("TRN-12 counts from the answer, so a slow server is asked no faster", () => {
    const environment = new FakeEnvironment();
    const pace = makePollPace({ environment });
    const polledAt: number[] = [];
    const poll = (): void => {
      polledAt.push(environment.elapsed());
      environment.after(7_000, () => pace.next(poll));
    };
    pace.next(poll);
    environment.pass(30_000);
    expect(polledAt).toEqual([10_000, 27_000]);
  });

  it("TRN-12 who looks again does not wait for the rest of a longer pause", () => {
    const polling = new Polling("background");
    polling.environment.pass(30_000);
    polling.look("looked-at");
    polling.environment.pass(0);
    expect(polling.polledAt).toEqual([30_000]);
    polling.environment.pass(2_000);
    expect(polling.polledAt).toEqual([30_000, 32_000]);
    polling.look("background");
    polling.environment.pass(59_999);
    expect(polling.polledAt).toHaveLength(2);
  });

  it("TRN-12 may pause in the background, and goes on when somebody looks", () => {
    const polling = new Polling("background", { backgroundMs: Infinity });
    expect(polling.pace.longestMs).toBe(Infinity);
    expect(polling.environment.timerCount).toBe(0);
    polling.environment.pass(3_600_000);
    polling.look("unknown");
    polling.environment.pass(0);
    expect(polling.polledAt).toEqual([3_600_000]);
  });

  it("TRN-12 is never faster than the server asks for, whoever looks or waits", () => {
    const polling = new Polling("looked-at");
    polling.retryAfterMs = 30_000;
    polling.environment.pass(2_000);
    polling.pace.hurry();
    polling.look("unknown");
    polling.look("looked-at");
    polling.environment.pass(29_999);
    expect(polling.polledAt).toEqual([2_000]);
    polling.environment.pass(1);
    expect(polling.polledAt).toEqual([2_000, 32_000]);
  });

  it("TRN-12 polls at once while an answer is waited for, and then with pauses that double", () => {
    const polling = new Polling("unknown");
    polling.environment.pass(5_000);
    polling.pace.hurry();
    polling.environment.pass(40_000);
    expect(polling.polledAt.map((atMs) => atMs - 5_000)).toEqual([0, 250, 750, 1_750, 3_750, 7_750, 15_750, 25_750, 35_750]);
  });

  it("TRN-12 a page that may pause pauses again after it waited for an answer", () => {
    const polling = new Polling("background", { backgroundMs: Infinity });
    polling.pace.hurry();
    polling.environment.pass(3_600_000);
    expect(polling.polledAt).toEqual([0, 250, 750, 1_750, 3_750, 7_750, 15_750]);
  });

  it("TRN-12 hurries also where the poll is under way that will not bring the answer", () => {
    const environment = new FakeEnvironment();
    const pace = makePollPace({ environment });
    const polledAt: number[] = [];
    pace.hurry();
    pace.next(() => polledAt.push(environment.elapsed()));
    environment.pass(0);
    expect(polledAt).toEqual([0]);
  });

  it("CON-9 holds nothing once it is stopped", () => {
    const polling = new Polling("looked-at");
    polling.pace.stop();
    polling.environment.pass(60_000);
    expect(polling.polledAt).toEqual([]);
    expect(polling.watchers).toBe(0);
    expect(polling.environment.timerCount).toBe(0);
  });
});
