import { describe, expect, it } from "vitest";
import { note } from "./support/notes.js";
import { Stage } from "./support/stage.js";

const pings = (stage: Stage): number => stage.link.of("ping").length;
const pong = (stage: Stage): void => stage.link.say({ op: "pong" });

describe("the heartbeat", () => {
  it("HB-1 goes on for hours, a ping every 25 s and no more", () => {
    const stage = new Stage().connect();
    for (let beat = 1; beat <= 144; beat++) {
      stage.environment.pass(25_000 - (beat === 1 ? 0 : 40));
      expect(pings(stage)).toBe(beat);
      stage.environment.pass(40);
      pong(stage);
    }
    expect(stage.statuses).toEqual(["connecting", "connected"]);
    expect(stage.transport.links).toHaveLength(1);
  });

  it("HB-1 takes any bytes for life while the pong is behind them, and silence after them for death", () => {
    const stage = new Stage().live();
    stage.environment.pass(25_000);
    for (let seq = 1; seq <= 5; seq++) {
      stage.environment.pass(4_000);
      stage.link.events("board:1", seq, note(seq));
    }
    expect(stage.status).toBe("connected");
    expect(pings(stage)).toBe(1);
    stage.environment.pass(10_000);
    expect(stage.statuses.at(-1)).toBe("reconnecting HEARTBEAT_TIMEOUT");
  });

  it("HB-1 does not take what came before the ping for an answer to it", () => {
    const stage = new Stage().live();
    stage.environment.pass(24_999);
    stage.link.events("board:1", 1, note(1));
    stage.environment.pass(1);
    stage.environment.pass(5_000);
    expect(stage.statuses.at(-1)).toBe("reconnecting HEARTBEAT_TIMEOUT");
  });

  it("HB-1 a pong that nobody asked for changes nothing", () => {
    const stage = new Stage().connect();
    stage.environment.pass(10_000);
    pong(stage);
    stage.environment.pass(15_000);
    expect(pings(stage)).toBe(1);
    pong(stage);
    pong(stage);
    stage.environment.pass(25_000);
    expect(pings(stage)).toBe(2);
  });

  it("HB-1 pings before the next reconnect is welcomed as little as after it ended", () => {
    const stage = new Stage({ connectTimeoutMs: 100_000 }).connect();
    stage.link.cut();
    stage.environment.pass(1_000);
    stage.link.open();
    stage.environment.pass(60_000);
    expect(pings(stage)).toBe(0);
  });

  it("HB-1 a tick that comes late after a sleep pings instead of killing, also when no ping was under way", () => {
    const stage = new Stage().connect();
    stage.environment.sleep(8 * 3_600_000);
    stage.environment.pass(0);
    expect(stage.status).toBe("connected");
    expect(pings(stage)).toBe(1);
    pong(stage);
    stage.environment.pass(24_999);
    expect(stage.status).toBe("connected");
  });

  it("HB-1 a machine that sleeps through every deadline gets one more chance, and not one after another", () => {
    const stage = new Stage().connect();
    stage.environment.pass(25_000);
    stage.environment.sleep(60_000);
    stage.environment.pass(0);
    expect([stage.status, pings(stage)]).toEqual(["connected", 2]);
    stage.environment.sleep(60_000);
    stage.environment.pass(0);
    expect(stage.statuses.at(-1)).toBe("reconnecting HEARTBEAT_TIMEOUT");
  });

  it.each(["visible", "resumed", "online"] as const)("HB-1 a page that is %s again pings at once, and finds a dead connection within 5 s", (event) => {
    const stage = new Stage().connect();
    stage.environment.pass(3_000);
    stage.page?.[event]();
    expect(pings(stage)).toBe(1);
    stage.environment.pass(4_999);
    expect(stage.status).toBe("connected");
    stage.environment.pass(1);
    expect(stage.statuses.at(-1)).toBe("reconnecting HEARTBEAT_TIMEOUT");
  });

  it("HB-1 a page that hears of being offline asks the connection, which may know better", () => {
    const stage = new Stage().connect();
    stage.page?.offline();
    expect(pings(stage)).toBe(1);
    pong(stage);
    stage.environment.pass(10_000);
    expect(stage.status).toBe("connected");
  });
});
