import { describe, expect, it } from "vitest";
import { Stage } from "./support/stage.js";

const xs = (stage: Stage): readonly unknown[] => stage.link.of("signal").map(({ payload }) => payload);
const signal = (type: string, payload: unknown, session = "other") => ({ op: "signals", channel: "board:1", signals: [{ type, payload, session, user: "bob" }] }) as const;

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
});
