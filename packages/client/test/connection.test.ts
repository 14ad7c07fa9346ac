import { describe, expect, it, vi } from "vitest";
import { TuttiError } from "@tutti/protocol";
import { at } from "./support/fake-server.js";
import { turns } from "./support/fake-environment.js";
import { outcome, Stage } from "./support/stage.js";

describe("the client's connection", () => {
  it("CON-1: tells every change of the status with its reason", () => {
    const stage = new Stage();
    expect(stage.status).toBe("disconnected");
    stage.connect();
    stage.link.cut();
    stage.environment.pass(1_000);
    stage.welcome();
    void stage.client.close();
    expect(stage.statuses).toEqual(["connecting", "connected", "reconnecting CONNECTION_LOST", "connected", "closed CLIENT_CLOSED"]);
  });

  it("CON-1: shows when it was connected, when it tries again, and who it is", () => {
    const stage = new Stage();
    stage.client.connect();
    stage.link.open();
    stage.environment.pass(40);
    stage.link.welcome({ user: "ada" });
    const startedAt = stage.environment.startedAt + 40;
    expect(stage.client.connection.getSnapshot()).toMatchObject({ status: "connected", lastConnected: startedAt, latencyMs: 40, session: "public", user: "ada", activity: "active" });
    stage.link.cut();
    expect(stage.client.connection.getSnapshot()).toMatchObject({ retryAt: startedAt + 1_000, reason: { code: "CONNECTION_LOST" } });
  });

  it("CON-1: keeps the same snapshot until something changed", () => {
    const stage = new Stage().connect();
    const { connection } = stage.client;
    const before = connection.getSnapshot();
    stage.client.connect();
    stage.page?.visible();
    stage.link.say({ op: "pong" });
    expect(connection.getSnapshot()).toBe(before);
  });

  it("CON-2: waits 1, 2, 4, 8, 16, then 30 s with a jitter, and fails after 12 attempts until it is told to connect", () => {
    const stage = new Stage();
    stage.environment.chance = 0.5;
    stage.connect();
    for (const seconds of [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30]) {
      const count = stage.transport.links.length;
      stage.link.cut();
      stage.environment.pass(seconds * 1_000 + 249);
      expect(stage.transport.links).toHaveLength(count);
      stage.environment.pass(1);
      expect(stage.transport.links).toHaveLength(count + 1);
    }
    stage.link.cut();
    expect(stage.statuses.at(-1)).toBe("failed RETRIES_EXHAUSTED");
    stage.environment.pass(600_000);
    expect(stage.transport.links).toHaveLength(13);
    stage.client.connect();
    expect(stage.transport.links).toHaveLength(14);
  });

  it("CON-3: does not call a server in a loop that accepts and drops at once", () => {
    const stage = new Stage().connect();
    for (const seconds of [1, 2, 4]) {
      stage.link.cut();
      stage.environment.pass(seconds * 1_000);
      stage.welcome();
    }
    stage.environment.pass(4_999);
    stage.link.cut();
    expect(stage.client.connection.getSnapshot()).toMatchObject({ reconnectAttempts: 3 });
    stage.environment.pass(8_000);
    stage.welcome();
    stage.environment.pass(5_000);
    stage.link.cut();
    expect(stage.client.connection.getSnapshot()).toMatchObject({ reconnectAttempts: 0 });
  });

  it("CON-4: does not try while offline, and at once when it is online", () => {
    const stage = new Stage().connect();
    stage.page?.offline();
    stage.link.cut();
    stage.environment.pass(600_000);
    expect(stage.transport.links).toHaveLength(1);
    expect(stage.status).toBe("reconnecting");
    stage.page?.online();
    expect(stage.transport.links).toHaveLength(2);
  });

  it("CON-4: tries at once when the page becomes visible, from failed too", () => {
    const stage = new Stage({ reconnectAttemptsMax: 0 }).connect();
    stage.link.cut();
    expect(stage.status).toBe("failed");
    stage.page?.visible();
    expect(stage.status).toBe("reconnecting");
    expect(stage.transport.links).toHaveLength(2);
  });

  it("CON-4: finds out by itself that the machine slept", () => {
    const stage = new Stage({ reconnectAttemptsMax: 0 }).connect();
    stage.link.cut();
    expect(stage.status).toBe("failed");
    stage.environment.sleep(3_600_000);
    stage.environment.pass(0);
    expect(stage.transport.links).toHaveLength(2);
  });

  it("CON-4: a frozen page goes on when it is resumed", () => {
    const stage = new Stage().connect();
    stage.page?.frozen();
    stage.link.cut();
    stage.environment.pass(60_000);
    expect(stage.transport.links).toHaveLength(1);
    stage.page?.resumed();
    expect(stage.transport.links).toHaveLength(2);
  });

  it.each(["KICKED", "TOKEN_INVALID", "SESSION_REPLACED", "VERSION_UNSUPPORTED"] as const)("CON-5: %s ends in disconnected, and nothing starts it again but the application", (code) => {
    const stage = new Stage().connect();
    stage.link.cut(code);
    stage.environment.pass(600_000);
    stage.page?.online();
    stage.page?.visible();
    expect(stage.statuses.at(-1)).toBe(`disconnected ${code}`);
    expect(stage.transport.links).toHaveLength(1);
    void stage.board.subscribe();
    expect(stage.transport.links).toHaveLength(1);
    stage.client.connect();
    expect(stage.transport.links).toHaveLength(2);
  });

  it("CON-5: waits for as long as the server asks", () => {
    const stage = new Stage().connect();
    stage.link.cut("SERVER_DRAINING", 20_000);
    stage.environment.pass(19_999);
    expect(stage.transport.links).toHaveLength(1);
    stage.environment.pass(1);
    expect(stage.transport.links).toHaveLength(2);
  });

  it("CON-5: the close code says why where no error frame came", () => {
    const stage = new Stage().connect();
    const { link } = stage;
    Object.assign(link, { say: () => {} });
    link.cut("KICKED");
    expect(stage.statuses.at(-1)).toBe("disconnected KICKED");
  });

  it("CON-5: an error before the welcome ends the attempt, and one of a request does not end the connection", () => {
    const stage = new Stage();
    stage.client.connect();
    stage.link.open();
    stage.link.say({ op: "error", error: { code: "UNAVAILABLE", message: "" } });
    expect(stage.statuses.at(-1)).toBe("reconnecting UNAVAILABLE");
    stage.environment.pass(1_000);
    stage.welcome().link.say({ op: "error", error: { code: "RATE_LIMITED", message: "" } });
    expect(stage.status).toBe("connected");
    expect(stage.errors).toEqual(["UNAVAILABLE", "RATE_LIMITED"]);
  });

  it("CON-6: fetches the token at first and anew after it expired, and not for other losses", async () => {
    const token = vi.fn(() => `token ${token.mock.calls.length}`);
    const stage = new Stage({ token });
    stage.client.connect();
    await turns();
    stage.link.open();
    expect(stage.link.last("hello").token).toBe("token 1");
    stage.link.cut();
    stage.environment.pass(1_000);
    await turns();
    stage.link.open();
    expect(stage.link.last("hello").token).toBe("token 1");
    stage.link.cut("TOKEN_EXPIRED");
    stage.environment.pass(2_000);
    await turns();
    stage.link.open();
    expect(stage.link.last("hello").token).toBe("token 2");
  });

  it("CON-6: a token that cannot be fetched is tried again by the backoff, unless the application says never", async () => {
    let failure: unknown = new Error("no network");
    const stage = new Stage({ token: () => Promise.reject(failure) });
    stage.client.connect();
    await turns();
    expect(stage.statuses).toEqual(["connecting", "reconnecting UNAVAILABLE"]);
    failure = new TuttiError("AUTHENTICATION_REQUIRED");
    stage.environment.pass(1_000);
    await turns();
    expect(stage.statuses.at(-1)).toBe("disconnected AUTHENTICATION_REQUIRED");
    expect(stage.transport.links).toHaveLength(0);
  });

  it("CON-6: brings a new token before the old one expires", async () => {
    let count = 0;
    const stage = new Stage({ token: () => Promise.resolve(`token ${++count}`) });
    stage.client.connect();
    await turns();
    stage.link.open();
    stage.link.welcome({ tokenExpiresMs: 20_000 });
    stage.environment.pass(15_999);
    await turns();
    expect(stage.link.of("refresh")).toHaveLength(0);
    stage.environment.pass(1);
    await turns();
    expect(stage.link.last("refresh").token).toBe("token 2");
    stage.link.answer(stage.link.last("refresh"), { tokenExpiresMs: 5_000 });
    stage.environment.pass(4_000);
    await turns();
    expect(stage.link.last("refresh").token).toBe("token 3");
  });

  it("CON-6: a token that arrives when its attempt is over opens no second link", async () => {
    let arrive: ((token: string) => void) | undefined;
    const stage = new Stage({ token: () => new Promise<string>((resolve) => (arrive = resolve)) });
    stage.client.connect();
    await turns();
    const late = arrive;
    stage.environment.pass(10_000);
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECT_TIMEOUT");
    late?.("too late");
    await turns();
    expect(stage.transport.links).toHaveLength(0);
  });

  it("CON-7: subscribes again from the position, enters presence again, and sends what is not settled again", () => {
    const stage = new Stage().live({ position: at(4) }, { presence: { state: { mood: "calm" } } });
    void stage.board.publish("note:add", { text: "a" });
    stage.link.events("board:1", 5, { eventId: "other:1", type: "note:add", payload: { text: "b" }, timestamp: 1 });
    stage.reconnect();
    expect(stage.link.sent.map(({ op }) => op)).toEqual(["hello", "subscribe", "publish"]);
    expect(stage.link.last("subscribe")).toMatchObject({ channel: "board:1", since: { ...at(5), eventId: "other:1" }, presence: true, member: { mood: "calm" } });
    expect(stage.link.last("publish")).toMatchObject({ n: 1, settled: 0, retry: true });
  });

  it("CON-8: close says bye, and rejects everything that waits", async () => {
    const stage = new Stage().connect();
    const waiting = [stage.board.subscribe(), stage.board.publish("note:add", { text: "a" }), stage.client.call("board:list", {}), stage.board.presence.enter({ mood: "calm" })];
    const { link } = stage;
    await stage.client.close();
    expect(link.last("bye")).toEqual({ op: "bye" });
    expect(link.status).toBe("closed");
    expect(stage.status).toBe("closed");
    expect(await Promise.all(waiting.map(outcome))).toEqual(waiting.map(() => "CLIENT_CLOSED"));
    expect(await outcome(stage.board.publish("note:add", { text: "b" }))).toBe("CLIENT_CLOSED");
    expect(await outcome(stage.board.subscribe())).toBe("CLIENT_CLOSED");
    expect(stage.client.pending.getSnapshot()).toEqual({ count: 0, bytes: 0 });
  });

  it("CON-8: after close no timer runs, and nobody watches the page", async () => {
    const stage = new Stage().live();
    stage.board.signal("cursor:move", { x: 1 });
    stage.board.typing.start();
    stage.page?.used();
    void stage.board.publish("note:add", { text: "a" });
    stage.link.refuse(stage.link.last("publish"), "RATE_LIMITED", 60_000);
    await stage.client.close();
    expect(stage.environment.timerCount).toBe(0);
    expect(stage.page).toBeUndefined();
  });

  it("CON-8: a client that is connected again after close has its subscriptions back", async () => {
    const stage = new Stage().live({ position: at(3) });
    await stage.client.close();
    stage.connect();
    expect(stage.link.last("subscribe")).toMatchObject({ since: at(3) });
  });

  it("CON-9: never has two links, whatever happens", () => {
    const stage = new Stage().connect();
    for (let round = 0; round < 4; round++) {
      stage.client.connect();
      stage.page?.offline();
      stage.link.cut();
      stage.page?.online();
      stage.page?.visible();
      stage.client.connect();
      stage.welcome();
      stage.page?.pageHide();
      stage.page?.pageShow();
      stage.environment.pass(12_000);
    }
    expect(stage.transport.liveMax).toBe(1);
  });

  it("CON-10: a page that is left says bye and closes, and connects again from the back-forward cache", () => {
    const stage = new Stage().connect();
    const { link } = stage;
    stage.page?.pageHide();
    expect(link.sent.at(-1)).toEqual({ op: "bye" });
    expect(link.status).toBe("closed");
    stage.environment.pass(600_000);
    expect(stage.transport.links).toHaveLength(1);
    stage.page?.pageShow();
    stage.welcome();
    expect(stage.status).toBe("connected");
  });

  it("CON-10: a second connect while connected changes nothing", () => {
    const stage = new Stage().connect();
    stage.client.connect();
    expect(stage.transport.links).toHaveLength(1);
    expect(stage.statuses).toEqual(["connecting", "connected"]);
  });

  it("CON-11: a connection that does not reach its welcome is abandoned", () => {
    const stage = new Stage();
    stage.client.connect();
    stage.link.open();
    stage.environment.pass(9_999);
    expect(stage.status).toBe("connecting");
    stage.environment.pass(1);
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECT_TIMEOUT");
    expect(stage.link.status).toBe("closed");
  });

  it("HB-1: pings every 25 s, measures the round trip, and reconnects without a pong in 5 s", () => {
    const stage = new Stage().connect();
    stage.environment.pass(25_000);
    expect(stage.link.of("ping")).toHaveLength(1);
    stage.environment.pass(30);
    stage.link.say({ op: "pong" });
    expect(stage.client.connection.getSnapshot().latencyMs).toBe(30);
    stage.environment.pass(24_970);
    expect(stage.link.of("ping")).toHaveLength(2);
    stage.environment.pass(4_999);
    expect(stage.status).toBe("connected");
    stage.environment.pass(1);
    expect(stage.statuses.at(-1)).toBe("reconnecting HEARTBEAT_TIMEOUT");
  });

  it("HB-1: keeps the interval that the server tells, unless the application has its own", () => {
    const stage = new Stage();
    stage.client.connect();
    stage.link.open();
    stage.link.welcome({ heartbeat: { intervalMs: 10_000, timeoutMs: 1_000 } });
    stage.environment.pass(10_000);
    expect(stage.link.of("ping")).toHaveLength(1);
    const own = new Stage({ heartbeatIntervalMs: 3_000, heartbeatTimeoutMs: 500 }).connect();
    own.environment.pass(3_500);
    expect(own.statuses.at(-1)).toBe("reconnecting HEARTBEAT_TIMEOUT");
  });

  it("HB-1: a connection that was slept through is checked and not killed", () => {
    const stage = new Stage().connect();
    stage.environment.pass(25_000);
    stage.environment.sleep(3_600_000);
    stage.environment.pass(0);
    expect(stage.status).toBe("connected");
    expect(stage.link.of("ping")).toHaveLength(2);
    stage.environment.pass(5_000);
    expect(stage.statuses.at(-1)).toBe("reconnecting HEARTBEAT_TIMEOUT");
  });

  it.each([
    ["not JSON", "{"],
    ["no frame", "[1]"],
    ["a frame with a wrong field", '{"op":"events","channel":"board:1"}'],
    ["bytes", new Uint8Array(3)],
  ])("a message that is %s ends the link, and the client reconnects", (_name, message) => {
    const stage = new Stage().connect();
    stage.link.raw(message);
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECTION_LOST");
    expect(stage.link.status).toBe("closed");
  });

  it("passes over a frame of a newer server", () => {
    const stage = new Stage().connect();
    stage.link.raw('{"op":"weather","sunny":true}');
    expect(stage.status).toBe("connected");
  });

  it("takes a connection for dead when a request is not answered in time", () => {
    const stage = new Stage({ heartbeatIntervalMs: 60_000 }).connect();
    void stage.board.publish("note:add", { text: "a" });
    stage.environment.pass(9_999);
    expect(stage.status).toBe("connected");
    stage.environment.pass(1);
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECTION_LOST");
  });

  it("tells the server of the activity, and again after a reconnect", () => {
    const stage = new Stage().connect();
    stage.client.setActivity("idle");
    stage.client.setActivity("idle");
    expect(stage.link.of("activity")).toEqual([{ op: "activity", activity: "idle" }]);
    stage.reconnect();
    expect(stage.link.of("activity")).toEqual([{ op: "activity", activity: "idle" }]);
  });

  it("takes the person for idle after a minute without a sign, and for active at the next", () => {
    const stage = new Stage().connect();
    stage.environment.pass(20_000);
    expect(stage.client.connection.getSnapshot().activity).toBe("active");
    stage.page?.used();
    stage.environment.pass(5_000);
    stage.link.say({ op: "pong" });
    stage.environment.pass(20_000);
    stage.page?.used();
    stage.environment.pass(25_000);
    stage.link.say({ op: "pong" });
    stage.environment.pass(34_999);
    expect(stage.client.connection.getSnapshot().activity).toBe("active");
    stage.environment.pass(1);
    expect(stage.client.connection.getSnapshot().activity).toBe("idle");
    stage.page?.used();
    expect(stage.client.connection.getSnapshot().activity).toBe("active");
  });

  it("a listener that throws breaks nothing, and surfaces", () => {
    const stage = new Stage();
    stage.client.on("status", () => {
      throw new Error("application");
    });
    stage.client.on("error", () => {
      throw new Error("again");
    });
    stage.connect();
    expect(stage.status).toBe("connected");
    expect(stage.errors).toEqual(["INTERNAL", "INTERNAL"]);
  });

  it("a listener may call anything", async () => {
    const stage = new Stage();
    stage.client.on("status", ({ status }) => {
      if (status === "connected") void stage.client.close();
      if (status === "closed") stage.client.connect();
    });
    stage.connect();
    await turns();
    expect(stage.statuses).toContain("closed CLIENT_CLOSED");
    expect(stage.transport.liveMax).toBe(1);
    expect(stage.status).toBe("connecting");
  });
});
