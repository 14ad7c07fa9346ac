import { describe, expect, it } from "vitest";
import { AdaptiveStage } from "./support/adaptive-stage.js";
import { FakeEnvironment, turns } from "./support/fake-environment.js";
import { at } from "./support/fake-server.js";
import { outcome } from "./support/stage.js";

describe("how an adaptive transport comes back to a better one", () => {
  const PROBE_MS = 5_000;

  it("TRN-9 probes the better one, and TRN-10 opens anew over it at once", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    const { statuses } = stage;
    stage.environment.pass(PROBE_MS - 1);
    expect(stage.counts).toEqual([1, 1, 0, 0]);
    stage.environment.pass(1);
    expect(stage.counts).toEqual([2, 1, 0, 0]);
    expect(stage.status).toBe("connected");
    stage.link("websocket").open();
    expect(stage.link("websocket")).not.toBe(stage.paths.websocket.links[1]);
    expect(stage.paths.websocket.links[1]?.sent).toEqual([]);
    expect(stage.client.connection.getSnapshot()).toMatchObject({ status: "reconnecting", reconnectAttempts: 0, retryAt: undefined });
    stage.welcome("websocket");
    expect(statuses.slice(2)).toEqual(["reconnecting CONNECTION_LOST", "connected"]);
    expect(stage.live).toEqual([1, 0, 0, 0]);
    expect(stage.client.transport).toMatchObject({ name: "websocket", reason: "it works again" });
  });

  it("TRN-9 probes ever more seldom while it does not work", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    const pauses: number[] = [];
    for (let probe = 0; probe < 9; probe++) {
      const before = stage.environment.elapsed();
      const count = stage.counts[0];
      while (stage.counts[0] === count) {
        stage.environment.pass(500);
        if (stage.link("sse").of("ping").length > 0) stage.link("sse").say({ op: "pong" });
      }
      pauses.push(stage.environment.elapsed() - before);
      stage.link("websocket").cut();
    }
    expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]);
    expect(stage.status).toBe("connected");
    expect(stage.paths.sse.links).toHaveLength(1);
  });

  it("TRN-9 spreads the probes of many pages", () => {
    const environment = new FakeEnvironment();
    environment.chance = 0.75;
    const stage = new AdaptiveStage({ environment }).connectOver("sse");
    environment.pass(12_499);
    expect(stage.counts[0]).toBe(1);
    environment.pass(1);
    expect(stage.counts[0]).toBe(2);
  });

  it("TRN-9 gives a probe up that hangs", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    stage.environment.pass(PROBE_MS + 9_999);
    expect(stage.live).toEqual([1, 1, 0, 0]);
    stage.environment.pass(1);
    expect(stage.live).toEqual([0, 1, 0, 0]);
    stage.beat("sse", 9_999);
    expect(stage.counts[0]).toBe(2);
    stage.beat("sse", 1);
    expect(stage.counts[0]).toBe(3);
  });

  it("TRN-9 gives a probe up with the link that is in use", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    stage.environment.pass(PROBE_MS);
    stage.link("sse").cut();
    expect(stage.live).toEqual([0, 0, 0, 0]);
  });

  it("TRN-9 does not believe one that was silent before the server says something over it", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.link("websocket").open();
    stage.environment.pass(2_000);
    stage.welcome("sse");
    stage.environment.pass(20_000);
    stage.link("sse").say({ op: "pong" });
    stage.beat("sse", 150_000 - 20_000);
    expect(stage.counts).toEqual([2, 1, 0, 0]);
    stage.link("websocket").open();
    expect(stage.status).toBe("connected");
    stage.environment.pass(10_000);
    stage.link("websocket").cut("HELLO_TIMEOUT");
    expect(stage.counts).toEqual([3, 1, 0, 0]);
    stage.welcome("websocket");
    expect(stage.client.transport.name).toBe("websocket");
  });

  it("TRN-9 takes what a link says that was left long ago for no word of the one that is probed", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    const left = stage.link("websocket");
    left.open();
    stage.environment.pass(2_000);
    stage.welcome("sse");
    stage.beat("sse", 150_000);
    stage.link("websocket").open();
    left.revive();
    left.welcome();
    expect(stage.status).toBe("connected");
    expect(stage.counts).toEqual([2, 1, 0, 0]);
  });

  it("TRN-9 does not believe one any more that opened for the probe and then did not work", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    stage.environment.pass(PROBE_MS);
    stage.link("websocket").open();
    stage.link("websocket").open();
    stage.environment.pass(2_000);
    stage.welcome("sse");
    expect(stage.client.transport).toMatchObject({ name: "sse", passedOver: [{ name: "websocket", outcome: "silent" }] });
    const { counts } = stage;
    stage.beat("sse", 100_000);
    expect(stage.counts).toEqual(counts);
  });

  it("TRN-9 leaves one that breaks three times in a row within a minute", () => {
    const stage = new AdaptiveStage().connectOver("websocket");
    for (let round = 0; round < 3; round++) {
      stage.environment.pass(10_000);
      stage.link("websocket").cut();
      stage.environment.pass(1_000);
      if (round < 2) stage.welcome("websocket");
    }
    stage.welcome("sse");
    expect(stage.client.transport).toMatchObject({ name: "sse", passedOver: [{ name: "websocket", outcome: "unsteady" }] });
    expect(stage.counts).toEqual([3, 1, 0, 0]);
  });

  it.each([
    ["a minute apart", 60_000, 1006],
    ["told by the server", 6_000, 4102],
  ])("TRN-9 does not count breaks that are %s", (_name, ms, closeCode) => {
    const stage = new AdaptiveStage().connectOver("websocket");
    for (let round = 0; round < 4; round++) {
      stage.beat("websocket", ms);
      stage.link("websocket").end(closeCode);
      stage.environment.pass(1_000);
      stage.welcome("websocket");
    }
    expect(stage.counts).toEqual([5, 0, 0, 0]);
  });

  it("TRN-9 does not probe from a page that nobody sees", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    stage.attention = "background";
    stage.beat("sse", 60_000);
    expect(stage.counts).toEqual([1, 1, 0, 0]);
    stage.attention = "looked-at";
    stage.beat("sse", PROBE_MS);
    expect(stage.counts).toEqual([2, 1, 0, 0]);
  });

  it("TRN-9 begins anew where the network changes, also during a probe", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    for (let probe = 0; probe < 3; probe++) {
      stage.beat("sse", 5_000 * 2 ** probe);
      stage.link("websocket").cut();
    }
    stage.changeNetwork();
    stage.beat("sse", PROBE_MS);
    expect(stage.live).toEqual([1, 1, 0, 0]);
    stage.changeNetwork();
    expect(stage.live).toEqual([0, 1, 0, 0]);
    stage.beat("sse", PROBE_MS);
    expect(stage.live).toEqual([1, 1, 0, 0]);
  });

  it("TRN-10 waits until nothing is unanswered", async () => {
    const stage = new AdaptiveStage().connectOver("sse");
    const sse = stage.link("sse");
    stage.environment.pass(PROBE_MS - 100);
    const call = stage.client.call("board:list", {});
    await turns();
    stage.environment.pass(100);
    stage.link("websocket").open();
    stage.environment.pass(3_000);
    expect(stage.status).toBe("connected");
    sse.answer(sse.last("call"), []);
    expect(await outcome(call)).toEqual([]);
    stage.environment.pass(100);
    expect(stage.status).toBe("reconnecting");
    stage.welcome("websocket");
    expect(stage.client.transport.name).toBe("websocket");
  });

  it("TRN-10 waits 10 s at most, and then ends the link as if it were lost", async () => {
    const stage = new AdaptiveStage({ client: { callTimeoutMs: 60_000 } }).connectOver("sse");
    stage.environment.pass(PROBE_MS);
    const call = stage.client.call("board:list", {});
    await turns();
    stage.link("websocket").open();
    stage.environment.pass(9_999);
    expect(stage.status).toBe("connected");
    stage.environment.pass(1);
    expect(stage.client.connection.getSnapshot()).toMatchObject({ status: "reconnecting", retryAt: stage.environment.now() + 1_000 });
    expect(await outcome(call)).toBe("OUTCOME_UNKNOWN");
    stage.environment.pass(1_000);
    stage.welcome("websocket");
    expect(stage.client.transport.name).toBe("websocket");
  });

  it("TRN-10 goes on from its positions", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    const seen: unknown[] = [];
    const board = stage.client.channel("board:{id}", { id: "1" });
    board.on("note:add", ({ payload }) => void seen.push(payload.text));
    void board.subscribe();
    const sse = stage.link("sse");
    sse.answer(sse.last("subscribe"), { position: at(0) });
    sse.events("board:1", 1, { type: "note:add", payload: { text: "one" }, eventId: "x:1", timestamp: 1 });
    stage.environment.pass(PROBE_MS);
    stage.link("websocket").open();
    const socket = stage.welcome("websocket");
    expect(socket.last("subscribe")).toMatchObject({ since: { seq: 1 } });
    expect(seen).toEqual(["one"]);
  });
});
