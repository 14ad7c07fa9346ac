import { describe, expect, it } from "vitest";
import { Lease } from "../src/commands/lease.js";
import { Turn } from "../src/connections/turn.js";
import type { Writer } from "../src/connections/writer-line.js";
import { ManualEnvironment } from "./support/manual-environment.js";

/** A clock that work moves on, within a turn too. */
class WorkingEnvironment extends ManualEnvironment {
  workedMs = 0;

  override elapsed(): number {
    return this.workedMs;
  }
}

/** A turn, and writers whose names are written down as they write. */
function turnOf({ sliceMs = 2, writesMax = Infinity, writeMs = 0 }: { readonly sliceMs?: number; readonly writesMax?: number; readonly writeMs?: number } = {}) {
  const environment = new WorkingEnvironment();
  const errors: string[] = [];
  const log = { info: () => {}, warn: () => {}, error: (message: string) => void errors.push(message) };
  const turn = new Turn({ environment, log, bounds: { deliverySliceMs: sliceMs, deliverySliceWritesMax: writesMax } });
  const written: string[] = [];
  /** Writes once, and then has nothing left until `refill`. */
  const writer = (name: string): Writer & { refill: () => void } => {
    let isFull = true;
    return {
      isInLine: false,
      refill: () => (isFull = true),
      flush: () => {
        if (!isFull) return false;
        isFull = false;
        environment.workedMs += writeMs;
        written.push(name);
        return true;
      },
    };
  };
  const line = (count: number) => {
    const writers = Array.from({ length: count }, (_, index) => writer(`${index}`));
    for (const each of writers) turn.writeInLine(each);
    return writers;
  };
  return { environment, turn, errors, written, writer, line };
}

describe("a slice", () => {
  it("FAN-2 has so many writes, and the next ones come after what has arrived meanwhile", async () => {
    const { environment, written, line } = turnOf({ writesMax: 3 });
    line(8);
    environment.defer(() => written.push("read"));
    await environment.tick();
    environment.defer(() => written.push("read"));
    await environment.tick();
    environment.defer(() => written.push("read"));
    await environment.settle();
    expect(written.join(" ")).toBe("0 1 2 read 3 4 5 read 6 7 read");
  });

  it("FAN-2 lasts for so long, as far as a look at the clock now and then can tell", async () => {
    const { environment, written, line } = turnOf({ sliceMs: 2, writeMs: 0.1 });
    line(100);
    await environment.tick();
    expect(written.length).toBe(32);
    await environment.tick();
    expect(written.length).toBe(64);
    await environment.settle();
    expect(written.length).toBe(100);
  });

  it("FAN-2 has the time in which outboxes are filled in it, but for half of it", async () => {
    const { environment, turn, written, line } = turnOf({ sliceMs: 4, writeMs: 0.1 });
    const fill = (ms: number): void => turn.addChannel({ subscriptionCount: 1, endTurn: () => void (environment.workedMs += ms) });
    line(200);
    fill(2.5);
    await environment.tick();
    // Until 4.5, by a look each 1.6.
    expect(written.length).toBe(32);
    fill(10);
    await environment.tick();
    expect(written.length).toBe(64);
  });

  it("FAN-2 lasts as long as the time since the last one, where that was longer", async () => {
    const { environment, written, line } = turnOf({ sliceMs: 2, writeMs: 0.1 });
    line(200);
    await environment.tick();
    environment.workedMs += 7;
    await environment.tick();
    expect(written.length).toBe(32 + 80);
  });

  it("FAN-2 does not last longer because nothing was to be written before it", async () => {
    const { environment, written, line } = turnOf({ sliceMs: 2, writeMs: 0.1 });
    line(40);
    await environment.settle();
    environment.workedMs += 1_000;
    line(100);
    await environment.tick();
    expect(written.length).toBe(40 + 32);
  });

  it("FAN-2 writes to one connection at least, whatever the bounds", async () => {
    const { environment, written, line } = turnOf({ sliceMs: 0, writesMax: 0 });
    line(3);
    await environment.settle();
    expect(written).toEqual(["0", "1", "2"]);
  });

  it("FAN-4 has no end once where delivering is to go first", async () => {
    const { environment, turn, written, line } = turnOf({ writesMax: 1, sliceMs: 0, writeMs: 1 });
    line(50);
    turn.hurry();
    await environment.tick();
    expect(written.length).toBe(50);
    line(50);
    await environment.tick();
    expect(written.length).toBe(51);
  });

  it("FAN-3 begins with those who are answered, in each of them", async () => {
    const { environment, turn, written, writer, line } = turnOf({ writesMax: 2 });
    line(6);
    turn.writeFirst(writer("a"));
    await environment.tick();
    turn.writeFirst(writer("b"));
    await environment.settle();
    expect(written.join(" ")).toBe("a 0 1 b 2 3 4 5");
  });

  it("FAN-3 passes over who was answered meanwhile and has nothing left", async () => {
    const { environment, turn, written, line } = turnOf({ writesMax: 2 });
    const writers = line(6);
    for (const index of [1, 4, 1]) turn.writeFirst(writers[index]!);
    await environment.tick();
    expect(written.join(" ")).toBe("1 4 0 2");
    await environment.settle();
    expect(written.join(" ")).toBe("1 4 0 2 3 5");
  });

  it("FAN-3 puts who has something again behind those who wait", async () => {
    const { environment, turn, written, line } = turnOf({ writesMax: 2 });
    const [first] = line(4);
    await environment.tick();
    first!.refill();
    turn.writeInLine(first!);
    await environment.settle();
    expect(written.join(" ")).toBe("0 1 2 3 0");
  });

  it("FAN-1 goes on with the others where one of them fails", async () => {
    const { environment, turn, errors, written, line } = turnOf({ writesMax: 2 });
    const fail = (): never => {
      throw new Error("broken");
    };
    turn.addChannel({ subscriptionCount: 1, endTurn: fail });
    turn.writeFirst({ isInLine: false, flush: fail });
    turn.writeInLine({ isInLine: false, flush: fail });
    line(3);
    await environment.settle();
    expect(written).toEqual(["0", "1", "2"]);
    expect(errors).toEqual(Array.from({ length: 3 }, () => "the end of a turn failed"));
  });

  it("REC-8 lets long work go on between two of them", async () => {
    const { environment, turn, written, line } = turnOf({ writesMax: 1 });
    line(4);
    const work = async (): Promise<void> => {
      for (let step = 0; step < 3; step++) {
        await turn.next();
        written.push("step");
      }
    };
    void work();
    await environment.settle();
    expect(written.join(" ")).toBe("0 step 1 step 2 step 3");
  });

  it("FAN-4 tells when all have written who stood in line", async () => {
    const { environment, turn, line } = turnOf({ writesMax: 2 });
    line(3);
    const { mark } = turn;
    line(3);
    await environment.tick();
    expect(turn.hasWritten(mark)).toBe(false);
    await environment.tick();
    expect(turn.hasWritten(mark)).toBe(true);
    expect(turn.hasWritten(turn.mark)).toBe(false);
  });
});

describe("an answer", () => {
  /** A channel that has so many subscribers, and fills outboxes; somebody is answered in the same turn. */
  async function answeredBeside(subscriptionCount: number): Promise<string> {
    const { environment, turn, written, writer } = turnOf();
    turn.addChannel({ subscriptionCount, endTurn: () => void written.push("filled") });
    turn.writeFirst(writer("answer"));
    await environment.settle();
    return written.join(" ");
  }

  it("FAN-3 leaves with what comes behind it where few outboxes are filled, and before where they are many", async () => {
    expect(await answeredBeside(512)).toBe("filled answer");
    expect(await answeredBeside(513)).toBe("answer filled");
  });
});

describe("a lease", () => {
  it("CMD-7 that is over keeps what would fill outboxes, from the first turn on, and nothing else", async () => {
    const environment = new ManualEnvironment();
    const lease = new Lease({ environment, bounds: { nodeSilenceMsMax: 5_000 }, isShared: true });
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const turn = new Turn({ environment, log, bounds: { deliverySliceMs: 2, deliverySliceWritesMax: 10 }, lease });
    const done: string[] = [];
    const came = (): void => {
      turn.addChannel({ subscriptionCount: 1, endTurn: () => done.push("channel") });
      turn.addChannel({ subscriptionCount: 0, isForNodes: true, endTurn: () => done.push("nodes") });
      turn.writeFirst({ isInLine: false, flush: () => done.push("answer") > 0 });
    };
    lease.setEntered(true);
    lease.renew(0);
    came();
    await environment.settle();
    expect(done.splice(0)).toEqual(["channel", "nodes", "answer"]);
    environment.pass(4_000);
    came();
    await environment.settle();
    expect([done.splice(0), lease.isHeld]).toEqual([["nodes", "answer"], true]);
    lease.renew(1_000);
    await environment.settle();
    expect([done.splice(0), lease.isHeld]).toEqual([["channel"], false]);
    lease.setEntered(false);
    expect([lease.isHeld, lease.isOver]).toEqual([true, true]);
  });
});
