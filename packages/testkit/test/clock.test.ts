import { describe, expect, it } from "vitest";
import { Participant, SimulatedClock, Trace } from "../src/index.js";

function setup(): { clock: SimulatedClock; alice: Participant; bob: Participant } {
  const clock = new SimulatedClock();
  return { clock, alice: new Participant(clock, "alice", 1), bob: new Participant(clock, "bob", 1, { rate: 1.01, wallOffsetMs: -86_400_000 }) };
}

describe("the simulated clock", () => {
  it("runs what is planned by time, and what is planned for one time in its order", async () => {
    const { clock, alice } = setup();
    const ran: string[] = [];
    alice.after(20, () => ran.push("20"));
    alice.after(10, () => {
      ran.push("10a");
      alice.defer(() => ran.push("10 deferred"));
    });
    alice.after(10, () => ran.push("10b"));
    await clock.advance(15);
    expect(ran).toEqual(["10a", "10b", "10 deferred"]);
    expect(clock.nowMs).toBe(15);
    await clock.advance(5);
    expect(ran.at(-1)).toBe("20");
  });

  it("lets all promises settle before time moves on, however long their chain", async () => {
    const { clock, alice } = setup();
    let settledAtMs: number | undefined;
    alice.after(10, () => {
      void (async () => {
        for (let turn = 0; turn < 1000; turn++) await Promise.resolve();
        settledAtMs = clock.nowMs;
      })();
    });
    alice.after(11, () => {});
    await clock.advance(20);
    expect(settledAtMs).toBe(10);
  });

  it("does not run what was cancelled", async () => {
    const { clock, alice } = setup();
    let count = 0;
    const cancel = alice.after(10, () => count++);
    alice.after(5, cancel);
    await clock.advance(20);
    cancel();
    expect(count).toBe(0);
  });

  it("keeps an error that escapes, and goes on", async () => {
    const { clock, alice } = setup();
    let isRun = false;
    alice.after(1, () => {
      throw new Error("escaped");
    });
    alice.after(2, () => (isRun = true));
    await clock.advance(3);
    expect(clock.escapedErrors).toMatchObject([{ atMs: 1, participant: "alice", error: { message: "escaped" } }]);
    expect(isRun).toBe(true);
  });

  it("runs by itself when asked to, so that plain awaits get on", async () => {
    const { clock, alice } = setup();
    const stop = clock.runFreely();
    await new Promise<void>((resolve) => alice.after(60_000, resolve));
    stop();
    expect(clock.nowMs).toBe(60_000);
  });
});

describe("a participant", () => {
  it("has a wall clock and a monotonic clock of its own", async () => {
    const { clock, alice, bob } = setup();
    const wallDifference = bob.now() - alice.now();
    let firedAtMs = 0;
    bob.after(1010, () => (firedAtMs = clock.nowMs));
    await clock.advance(2000);
    expect(wallDifference).toBe(-86_400_000);
    expect(bob.elapsed()).toBeCloseTo(2020);
    expect(firedAtMs).toBeCloseTo(1000);
    const before = alice.now();
    alice.jumpWallClock(-5000);
    expect(alice.now()).toBe(before - 5000);
    expect(alice.elapsed()).toBe(2000);
  });

  it("stands still while frozen, and then does what waited, in order", async () => {
    const { clock, alice, bob } = setup();
    const ran: string[] = [];
    alice.after(10, () => ran.push(`alice 10 at ${clock.nowMs}`));
    alice.after(20, () => ran.push(`alice 20 at ${clock.nowMs}`));
    bob.after(10.1, () => ran.push("bob"));
    const cancel = alice.after(30, () => ran.push("cancelled"));
    alice.freeze(100);
    await clock.advance(50);
    cancel();
    await clock.advance(100);
    expect(ran).toEqual(["bob", "alice 10 at 100", "alice 20 at 100"]);
  });

  it("does nothing more once stopped", async () => {
    const { clock, alice } = setup();
    let count = 0;
    alice.after(10, () => count++);
    alice.stop();
    await clock.advance(20);
    expect([count, alice.isStopped]).toEqual([0, true]);
  });

  it("draws from its own seed: the same name and seed give the same ids", () => {
    const clock = new SimulatedClock();
    const ids = [1, 1, 2].map((seed) => new Participant(clock, "alice", seed).id());
    expect(ids[0]).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(ids[1]).toBe(ids[0]);
    expect(ids[2]).not.toBe(ids[0]);
    expect(new Participant(clock, "bob", 1).id()).not.toBe(ids[0]);
  });
});

describe("the trace", () => {
  it("hashes what ran, and when", async () => {
    const run = async (delayMs: number): Promise<Trace> => {
      const trace = new Trace({ keepLines: true });
      const clock = new SimulatedClock(trace);
      const alice = new Participant(clock, "alice", 1);
      alice.after(delayMs, () => alice.defer(() => {}));
      await clock.advance(100);
      return trace;
    };
    const [first, second, other] = [await run(10), await run(10), await run(10.0001)];
    expect(second.hash).toBe(first.hash);
    expect(other.hash).not.toBe(first.hash);
    expect(first.count).toBe(2);
    expect(first.lines).toHaveLength(2);
    expect(first.lines[0]).toContain("alice");
  });
});
