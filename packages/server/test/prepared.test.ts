import { TuttiError } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { PreparedPublishes, type PreparedTally } from "../src/publishing/prepared.js";
import { ManualEnvironment } from "./support/manual-environment.js";

const event = (text: string) => ({ type: "note:add", payload: { text }, isReplaced: true });

function kept(tally: PreparedTally = { count: 0, bytes: 0 }) {
  const environment = new ManualEnvironment();
  return { environment, tally, prepared: new PreparedPublishes(environment, { preparedMax: 3, preparedBytesMax: 1_000 }, tally) };
}

describe("what is kept of prepared publishes", () => {
  it("PUB-12 is found by its n, once, and counted on the node", () => {
    const { prepared, tally } = kept();
    prepared.keep(1, event("one"));
    prepared.keep(2, event("two"));
    prepared.keep(1, event("one again"));
    expect([prepared.get(1), prepared.get(2), prepared.get(3)]).toEqual([event("one again"), event("two"), undefined]);
    expect([prepared.size, tally.count]).toEqual([2, 2]);
    prepared.forget(1);
    prepared.forget(1);
    expect([prepared.size, tally.count]).toEqual([1, 1]);
  });

  it("PUB-12 is let go up to what is settled", () => {
    const { prepared, tally } = kept();
    for (const n of [3, 1, 2, 4]) prepared.keep(n, event(`${n}`));
    prepared.settle(2);
    expect([1, 2, 3, 4].filter((n) => prepared.get(n) !== undefined)).toEqual([3, 4]);
    expect(tally.count).toBe(2);
  });

  it("PUB-12 is let go some time after it was kept last", async () => {
    const { prepared, environment, tally } = kept();
    prepared.keep(1, event("one"));
    prepared.keep(2, event("two"));
    await environment.advance(1_000);
    prepared.keep(1, event("one"));
    prepared.expire(environment.elapsed());
    expect([prepared.get(1), prepared.get(2), tally.count]).toEqual([event("one"), undefined, 1]);
  });

  it("INV-6 has room beside what is under way, for a publisher and on the node", () => {
    const { prepared } = kept();
    prepared.keep(1, event("one"));
    expect(() => prepared.assertRoom(1)).not.toThrow();
    const limited = expect.objectContaining({ code: "RATE_LIMITED" });
    expect(() => prepared.assertRoom(2)).toThrow(limited);
    expect(() => kept({ count: 16_383, bytes: 0 }).prepared.assertRoom(0)).not.toThrow();
    expect(() => kept({ count: 16_384, bytes: 0 }).prepared.assertRoom(0)).toThrow(limited);
  });

  it("INV-6 has room for so many bytes on the node, whoever takes them", () => {
    const { prepared, environment, tally } = kept();
    const other = new PreparedPublishes(environment, { preparedMax: 3, preparedBytesMax: 1_000 }, tally);
    prepared.keep(1, event("x".repeat(600)));
    expect(() => other.assertRoom(0)).not.toThrow();
    const refusal = new TuttiError("FORBIDDEN", { data: { why: "y".repeat(600) } });
    prepared.keep(2, { refusal });
    prepared.keep(2, { refusal });
    for (const each of [prepared, other]) expect(() => each.assertRoom(0)).toThrow(expect.objectContaining({ code: "RATE_LIMITED" }));
    prepared.forget(1);
    expect(() => other.assertRoom(0)).not.toThrow();
    prepared.settle(2);
    expect(tally).toEqual({ count: 0, bytes: 0 });
  });
});
