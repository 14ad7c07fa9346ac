import fc from "fast-check";
import type { WireSignal } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { at, PUBLIC_ID } from "./support/fake-server.js";
import { Stage } from "./support/stage.js";

const xs = (stage: Stage): readonly unknown[] => stage.link.of("signal").map(({ payload }) => payload);
const signal = (type: string, payload: unknown, session = "other") => ({ op: "signals", channel: "board:1", signals: [{ type, payload, session, user: "bob" }] }) as const;
const moved = (stage: Stage): readonly unknown[] => stage.link.of("signal").map(({ payload }) => Object(payload).x);
const move = (x: unknown, session = "other"): WireSignal => ({ type: "cursor:move", payload: { x }, session });
const types = (payload: unknown, session = "other"): WireSignal => ({ type: "typing", payload, session });
const say = (stage: Stage, ...signals: readonly WireSignal[]): void => stage.link.say({ op: "signals", channel: "board:1", signals });

function movesOf(stage: Stage): readonly unknown[] {
  const moves: unknown[] = [];
  stage.board.on("cursor:move", ({ payload, session }) => moves.push([payload.x, session]));
  return moves;
}

describe("signals", () => {
  it("SIG-2: the first goes at once, then one an interval, and the newest always last", () => {
    const stage = new Stage().live();
    for (let x = 1; x <= 5; x++) stage.board.signal("cursor:move", { x });
    expect(xs(stage)).toEqual([{ x: 1 }]);
    stage.environment.pass(50);
    expect(xs(stage)).toEqual([{ x: 1 }, { x: 5 }]);
    stage.board.signal("cursor:move", { x: 6 });
    stage.environment.pass(49);
    expect(xs(stage)).toHaveLength(2);
    stage.environment.pass(1);
    expect(xs(stage)).toEqual([{ x: 1 }, { x: 5 }, { x: 6 }]);
    stage.environment.pass(50);
    stage.board.signal("cursor:move", { x: 7 });
    expect(xs(stage)).toHaveLength(4);
  });

  it("SIG-2: at most 20 a second, however many are sent", () => {
    const stage = new Stage().live();
    for (let ms = 0; ms < 1_000; ms++) {
      stage.board.signal("cursor:move", { x: ms });
      stage.environment.pass(1);
    }
    expect(xs(stage)).toHaveLength(21);
  });

  it("SIG-2: types do not wait for one another", () => {
    const stage = new Stage().live();
    stage.board.signal("cursor:move", { x: 1 });
    stage.board.signal("ping:loud", { x: 2 });
    expect(xs(stage)).toEqual([{ x: 1 }, { x: 2 }]);
  });

  it("SIG-2: what cannot be sent now is dropped", () => {
    const stage = new Stage();
    stage.board.signal("cursor:move", { x: 1 });
    stage.live();
    stage.board.signal("cursor:move", { x: 2 });
    stage.board.signal("cursor:move", { x: 3 });
    stage.link.cut();
    stage.environment.pass(1_000);
    stage.welcome();
    expect(xs(stage)).toEqual([]);
  });

  it("SIG-2: a bad payload is not sent, and surfaces", async () => {
    const stage = new Stage().live();
    stage.board.signal("cursor:move", { x: "1" } as unknown as { x: number });
    await Promise.resolve();
    expect([xs(stage), stage.errors]).toEqual([[], ["PAYLOAD_INVALID"]]);
  });

  it("SIG-5: others' signals are heard, and the client's own are not", () => {
    const stage = new Stage().live();
    const heard: unknown[] = [];
    stage.board.on("cursor:move", ({ payload, session, user }) => heard.push([payload.x, session, user]));
    stage.link.say(signal("cursor:move", { x: 1 }));
    stage.link.say(signal("cursor:move", { x: 2 }, "public"));
    stage.link.say(signal("cursor:unknown", { x: 3 }));
    expect(heard).toEqual([[1, "other", "bob"]]);
  });

  it("SIG-2: whatever the rhythm, two of a type are 50 ms apart, they rise, and the newest is the last", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 120 }), { minLength: 1, maxLength: 40 }), (pauses) => {
        const stage = new Stage().live();
        const times: number[] = [];
        const look = (): void => {
          while (times.length < moved(stage).length) times.push(stage.environment.elapsed());
        };
        pauses.forEach((pause, x) => {
          stage.board.signal("cursor:move", { x });
          look();
          for (let ms = 0; ms < pause; ms++) {
            stage.environment.pass(1);
            look();
          }
        });
        for (let ms = 0; ms < 60; ms++) {
          stage.environment.pass(1);
          look();
        }
        times.slice(1).forEach((time, index) => expect(time - times[index]!).toBeGreaterThanOrEqual(50));
        expect(moved(stage)).toEqual([...moved(stage)].toSorted((a, b) => Number(a) - Number(b)));
        expect(moved(stage).at(-1)).toBe(pauses.length - 1);
      }),
    );
  });

  it("SIG-2: each type and each channel has its own rhythm", () => {
    const stage = new Stage().live();
    const second = stage.client.channel("board:{id}", { id: "2" });
    void second.subscribe();
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    stage.board.signal("cursor:move", { x: 1 });
    stage.board.signal("ping:loud", { x: 2 });
    second.signal("cursor:move", { x: 3 });
    expect(moved(stage)).toEqual([1, 2, 3]);
  });

  it("SIG-2: the rate is an option", () => {
    const stage = new Stage({ signalIntervalMs: 10 }).live();
    stage.board.signal("cursor:move", { x: 1 });
    stage.board.signal("cursor:move", { x: 2 });
    stage.environment.pass(10);
    expect(moved(stage)).toEqual([1, 2]);
  });

  it("SIG-3: nothing held back is sent after unsubscribe", () => {
    const stage = new Stage().live();
    stage.board.signal("cursor:move", { x: 1 });
    stage.board.signal("cursor:move", { x: 2 });
    void stage.board.unsubscribe();
    stage.environment.pass(1_000);
    expect(moved(stage)).toEqual([1]);
  });

  it("MESSAGE_TOO_LARGE: a signal that the server would not take surfaces, and the connection goes on", async () => {
    const stage = new Stage().live();
    stage.board.signal("cursor:move", { x: 1, trail: "x".repeat(70_000) } as never);
    await Promise.resolve();
    expect(stage.errors).toEqual(["MESSAGE_TOO_LARGE"]);
    expect(stage.status).toBe("connected");
  });

  it("SIG-1: a signal is told with its sender, and leaves position and state alone", () => {
    const stage = new Stage().live({ position: at(3) });
    const seen: unknown[] = [];
    stage.board.on("cursor:move", (received) => seen.push(received));
    say(stage, { ...move(1), user: "ada" });
    expect(seen).toEqual([{ type: "cursor:move", payload: { x: 1 }, session: "other", user: "ada" }]);
    expect(stage.board.state.position()).toEqual(at(3));
  });

  it("SIG-5: a signal of the same user's other device is told", () => {
    const stage = new Stage();
    stage.client.connect();
    stage.link.open();
    stage.link.welcome({ user: "ada" });
    stage.live();
    const moves = movesOf(stage);
    say(stage, { ...move(1, "phone"), user: "ada" });
    expect(moves).toEqual([[1, "phone"]]);
  });

  it("SIG-1: a signal is not told before the channel is live, nor after it ended", () => {
    const stage = new Stage().connect();
    const moves = movesOf(stage);
    void stage.board.subscribe();
    say(stage, move(1));
    stage.live();
    void stage.board.unsubscribe();
    say(stage, move(2));
    expect(moves).toEqual([]);
  });

  it("CTR-3: a signal against the contract surfaces; of a type that the contract does not have, it is passed over", async () => {
    const stage = new Stage().live();
    const moves = movesOf(stage);
    say(stage, move("left"), { ...move(1), type: "cursor:jump" }, move(2));
    await Promise.resolve();
    expect(moves).toEqual([[2, "other"]]);
    expect(stage.errors).toEqual(["PAYLOAD_INVALID"]);
  });
});

describe("typing", () => {
  const typists = (stage: Stage): readonly string[] => stage.board.typing.getSnapshot().map(({ session }) => session);

  it("SIG-4: expires 4 s after its last repeat", () => {
    const stage = new Stage().live();
    stage.link.say(signal("typing", true));
    expect(stage.board.typing.getSnapshot()).toEqual([{ session: "other", user: "bob" }]);
    stage.environment.pass(3_000);
    stage.link.say(signal("typing", true));
    stage.environment.pass(3_999);
    expect(typists(stage)).toEqual(["other"]);
    stage.environment.pass(1);
    expect(typists(stage)).toEqual([]);
  });

  it("SIG-4: ends when the other says so, and when the connection is gone", () => {
    const stage = new Stage().live();
    stage.link.say(signal("typing", true), signal("typing", true, "third"));
    stage.link.say(signal("typing", false));
    expect(typists(stage)).toEqual(["third"]);
    stage.link.cut();
    expect(typists(stage)).toEqual([]);
  });

  it("SIG-4: is repeated for as long as start is called, and stopped 4 s after", () => {
    const stage = new Stage({ heartbeatIntervalMs: 10_000_000 }).live();
    for (let seconds = 0; seconds < 10; seconds++) {
      stage.board.typing.start();
      stage.environment.pass(1_000);
    }
    expect(xs(stage)).toEqual([true, true, true, true, true, true]);
    stage.environment.pass(4_000);
    expect(xs(stage).at(-1)).toBe(false);
    const count = xs(stage).length;
    stage.environment.pass(60_000);
    expect(xs(stage)).toHaveLength(count);
  });

  it("SIG-4: stop is told at once, and once", () => {
    const stage = new Stage().live();
    stage.board.typing.stop();
    stage.board.typing.start();
    stage.environment.pass(100);
    stage.board.typing.stop();
    stage.board.typing.stop();
    expect(xs(stage)).toEqual([true, false]);
  });

  it("SIG-4: each of several expires alone, or ends at once by its own word", () => {
    const stage = new Stage().live();
    say(stage, types(true, "a"));
    stage.environment.pass(2_000);
    say(stage, types(true, "b"), types(true, "c"), types(false, "c"));
    expect(typists(stage)).toEqual(["a", "b"]);
    stage.environment.pass(2_000);
    expect(typists(stage)).toEqual(["b"]);
  });

  it("SIG-4: listeners are told when somebody expires", () => {
    const stage = new Stage().live();
    const seen: number[] = [];
    stage.board.typing.subscribe(() => seen.push(typists(stage).length));
    say(stage, types(true));
    stage.environment.pass(4_000);
    expect(seen).toEqual([1, 0]);
  });

  it("SIG-4: nobody is left typing without a connection, or after unsubscribe", () => {
    const stage = new Stage().live();
    say(stage, types(true));
    stage.link.cut();
    expect(typists(stage)).toEqual([]);
    const timers = new Stage().live();
    const before = timers.environment.timerCount;
    say(timers, types(true));
    void timers.board.unsubscribe();
    timers.link.answer(timers.link.last("unsubscribe"));
    expect(typists(timers)).toEqual([]);
    expect(timers.environment.timerCount).toBe(before);
  });

  it("SIG-5: a client does not see itself type", () => {
    const stage = new Stage().live();
    say(stage, types(true, PUBLIC_ID));
    expect(typists(stage)).toEqual([]);
  });
});
