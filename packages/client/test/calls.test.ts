import { describe, expect, it } from "vitest";
import { createClient } from "../src/index.js";
import { FakeEnvironment } from "./support/fake-environment.js";
import { FakeTransport } from "./support/fake-server.js";
import { outcome, Stage } from "./support/stage.js";

describe("a call", () => {
  it("CALL-1: is answered with its result, by channel or without", async () => {
    const stage = new Stage().connect();
    const [listed, counted] = [stage.client.call("board:list", { all: true }), stage.board.call("board:count", { x: 1 })];
    const [first, second] = stage.link.of("call");
    expect(first).toMatchObject({ type: "board:list", payload: { all: true }, timestamp: stage.environment.now() });
    expect(second).toMatchObject({ type: "board:count", channel: "board:1" });
    stage.link.answer(second!, { x: 2 });
    stage.link.answer(first!, ["a"]);
    expect([await outcome(listed), await outcome(counted)]).toEqual([["a"], { x: 2 }]);
  });

  it("CALL-1: rejects with the code of the answer, and when the answer is not what the contract says", async () => {
    const stage = new Stage().connect();
    const [refused, wrong] = [stage.client.call("board:list", {}), stage.client.call("board:list", {})];
    const [first, second] = stage.link.of("call");
    stage.link.refuse(first!, "NOT_TODAY");
    stage.link.answer(second!, "a list");
    expect([await outcome(refused), await outcome(wrong)]).toEqual(["NOT_TODAY", "PAYLOAD_INVALID"]);
  });

  it("CTR-3: is not sent with a bad input, or of a type that the contract does not have", async () => {
    const stage = new Stage().connect();
    expect(await outcome(stage.board.call("board:count", {} as { x: number }))).toBe("PAYLOAD_INVALID");
    expect(await outcome(stage.client.call("toString" as "board:list", {}))).toBe("TYPE_UNKNOWN");
    expect(stage.link.of("call")).toHaveLength(0);
  });

  it("CALL-2: rejects with TIMEOUT, and the late answer is passed over", async () => {
    const stage = new Stage().connect();
    const [normal, short] = [stage.client.call("board:list", {}), stage.client.call("board:list", {}, { timeoutMs: 100 })];
    stage.environment.pass(100);
    expect([await outcome(short), await outcome(normal)]).toEqual(["TIMEOUT", "waits"]);
    stage.environment.pass(9_900);
    expect(await outcome(normal)).toBe("TIMEOUT");
    expect(stage.status).toBe("connected");
    stage.link.answer(stage.link.of("call")[0]!, ["late"]);
  });

  it("CALL-2: rejects with NOT_CONNECTED before the welcome", async () => {
    const stage = new Stage();
    stage.client.connect();
    stage.link.open();
    expect(await outcome(stage.client.call("board:list", {}))).toBe("NOT_CONNECTED");
  });

  it("CALL-2: rejects with OUTCOME_UNKNOWN when the connection ended first", async () => {
    const stage = new Stage().connect();
    const called = stage.client.call("board:list", {});
    stage.link.cut();
    expect(await outcome(called)).toBe("OUTCOME_UNKNOWN");
  });

  it("CALL-1: rejects with what the handler said, its data included", async () => {
    const stage = new Stage().connect();
    const called = stage.client.call("board:list", {});
    const { correlationId } = stage.link.last("call");
    stage.link.say({ op: "reply", correlationId, success: false, error: { code: "BOARD_LOCKED", message: "locked", data: { by: "ada" } } });
    await expect(called).rejects.toMatchObject({ code: "BOARD_LOCKED", message: "locked", data: { by: "ada" } });
  });

  it("WIRE-5: a failure without an error is no success: the connection ends, and what became of the call is unknown", async () => {
    const stage = new Stage().connect();
    const called = stage.client.call("board:list", {});
    stage.link.say({ op: "reply", correlationId: stage.link.last("call").correlationId, success: false });
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECTION_LOST");
    expect(await outcome(called)).toBe("OUTCOME_UNKNOWN");
  });

  it("CALL-2: the time is an option of the client", async () => {
    const stage = new Stage({ callTimeoutMs: 2_000 }).connect();
    const called = stage.client.call("board:list", {});
    stage.environment.pass(1_999);
    expect(await outcome(called)).toBe("waits");
    stage.environment.pass(1);
    expect(await outcome(called)).toBe("TIMEOUT");
  });

  it("CALL-2: what was refused for want of a connection, or lost with one, is not sent by the next", async () => {
    const stage = new Stage().connect();
    void stage.client.call("board:list", {});
    stage.link.cut();
    expect(await outcome(stage.board.call("board:count", { x: 1 }))).toBe("NOT_CONNECTED");
    stage.environment.pass(1_000);
    stage.welcome();
    expect(stage.link.of("call")).toEqual([]);
  });

  it("CALL-2: one that was given up leaves no timer", () => {
    const stage = new Stage().connect();
    const timers = stage.environment.timerCount;
    const controller = new AbortController();
    void stage.client.call("board:list", {}, { signal: controller.signal });
    expect(stage.environment.timerCount).toBe(timers + 1);
    controller.abort();
    expect(stage.environment.timerCount).toBe(timers);
  });

  it("is given up by its signal", async () => {
    const stage = new Stage().connect();
    const controller = new AbortController();
    const called = stage.client.call("board:list", {}, { signal: controller.signal });
    controller.abort();
    expect(await outcome(called)).toBe("AbortError");
    expect(await outcome(stage.client.call("board:list", {}, { signal: controller.signal }))).toBe("AbortError");
    expect(stage.link.of("call")).toHaveLength(1);
  });

  it("LIM-2: only so many wait", async () => {
    const stage = new Stage({ queueCountMax: 1 }).connect();
    void stage.client.call("board:list", {});
    expect(await outcome(stage.client.call("board:list", {}))).toBe("LIMIT_EXCEEDED");
  });

  it("PUB-11: without a contract anything goes", async () => {
    const transport = new FakeTransport();
    const client = createClient({ url: "ws://server", environment: new FakeEnvironment(), transport });
    const room = client.channel("room:{id}", { id: "1" });
    const heard: unknown[] = [];
    room.on("any:thing", ({ payload, own }) => heard.push(payload, own));
    void room.subscribe();
    transport.link.open();
    transport.link.welcome();
    transport.link.answer(transport.link.last("subscribe"), { position: { epoch: "e1", seq: 0 } });
    void room.publish("any:thing", { deep: [1] });
    transport.link.events("room:1", 1, { eventId: "public:1", type: "any:thing", payload: { deep: [1] }, timestamp: 1 });
    const called = client.call("any:call", 1);
    transport.link.answer(transport.link.last("call"), 2);
    expect([heard, await outcome(called)]).toEqual([[{ deep: [1] }, true], 2]);
  });
});
