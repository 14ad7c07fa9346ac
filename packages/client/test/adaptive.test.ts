import { describe, expect, it, vi } from "vitest";
import { AdaptiveStage } from "./support/adaptive-stage.js";
import { FakeEnvironment, turns } from "./support/fake-environment.js";
import { at } from "./support/fake-server.js";
import { outcome } from "./support/stage.js";

describe("the attempt of an adaptive transport", () => {
  it("TRN-3 opens the first alone, and uses it where it works", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(500);
    stage.welcome("websocket");
    expect(stage.status).toBe("connected");
    beat(stage, "websocket", 60_000);
    expect(stage.counts).toEqual([1, 0, 0, 0]);
  });

  it("TRN-3 a WebSocket that never opens costs a second", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(999);
    expect(stage.counts).toEqual([1, 0, 0, 0]);
    stage.environment.pass(1);
    expect(stage.counts).toEqual([1, 1, 0, 0]);
    expect(stage.link("websocket").status).toBe("opening");
    stage.welcome("sse");
    expect(stage.status).toBe("connected");
    expect(stage.live).toEqual([0, 1, 0, 0]);
  });

  it("TRN-3 one that is refused costs nothing", () => {
    const stage = new AdaptiveStage().connectOver("long-poll");
    expect(stage.environment.elapsed()).toBe(0);
    expect(stage.status).toBe("connected");
    expect(stage.live).toEqual([0, 0, 1, 0]);
  });

  it.each(["throws", "rejects"])("TRN-3 one whose code %s while it loads is as one that was refused", async (how) => {
    const stage = new AdaptiveStage({
      load(name, transport) {
        if (name !== "websocket") return transport;
        if (how === "rejects") return Promise.reject(new Error("offline"));
        throw new TypeError("no WebSocket");
      },
    });
    stage.client.connect();
    await turns();
    stage.welcome("sse");
    expect(stage.status).toBe("connected");
  });

  it("TRN-3 what was given up while it was loading is not opened any more", async () => {
    const stage = new AdaptiveStage({ load: (_name, transport) => Promise.resolve(transport) });
    stage.client.connect();
    void stage.client.close();
    await turns();
    expect(stage.counts).toEqual([0, 0, 0, 0]);
  });

  it("TRN-4 says the hello over the first that opens, and gives up those begun before it", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(1_000);
    stage.link("sse").open();
    expect(stage.link("sse").of("hello")).toHaveLength(1);
    expect(stage.link("websocket").status).toBe("closed");
    expect(stage.link("websocket").sent).toEqual([]);
  });

  it("TRN-4 keeps one that opens meanwhile in reserve, and says the hello over it only when the other is left", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(1_000);
    stage.link("websocket").open();
    stage.link("sse").open();
    expect(stage.link("websocket").of("hello")).toHaveLength(1);
    expect(stage.link("sse").sent).toEqual([]);
    stage.environment.pass(2_000);
    expect(stage.link("websocket").status).toBe("closed");
    expect(stage.link("sse").of("hello")).toEqual([expect.objectContaining({ op: "hello", versions: [1] })]);
    stage.link("sse").welcome();
    expect(stage.status).toBe("connected");
    expect(stage.live).toEqual([0, 1, 0, 0]);
  });

  it("TRN-4 does not leave the one that was greeted because one in reserve fails", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(1_000);
    stage.link("websocket").open();
    stage.link("sse").cut();
    expect(stage.counts).toEqual([1, 1, 0, 0]);
    stage.link("websocket").welcome();
    expect(stage.status).toBe("connected");
  });

  it("TRN-4 what a link says that was left is not heard", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    const socket = stage.link("websocket");
    socket.open();
    stage.environment.pass(2_000);
    socket.revive();
    socket.welcome();
    expect(stage.status).toBe("connecting");
    stage.welcome("sse");
    expect(stage.status).toBe("connected");
  });

  it("TRN-5 leaves one that opens and stays silent", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(100);
    stage.link("websocket").open();
    stage.environment.pass(1_999);
    expect(stage.counts).toEqual([1, 0, 0, 0]);
    stage.environment.pass(1);
    expect(stage.link("websocket").status).toBe("closed");
    stage.welcome("sse");
    expect(stage.status).toBe("connected");
    expect(stage.environment.elapsed()).toBe(2_100);
  });

  it("TRN-5 waits for the last one as long as the client does", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    for (const name of ["websocket", "sse", "long-poll"] as const) stage.link(name).cut();
    stage.link("poll").open();
    stage.environment.pass(9_900);
    stage.link("poll").welcome();
    expect(stage.status).toBe("connected");
  });

  it("TRN-5 is as patient with the last one where those in reserve have failed", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.link("websocket").cut();
    stage.link("sse").cut();
    stage.environment.pass(1_000);
    stage.link("long-poll").open();
    stage.link("poll").cut();
    stage.environment.pass(5_000);
    stage.link("long-poll").welcome();
    expect(stage.status).toBe("connected");
  });

  it("TRN-5 waits twice as long after an attempt in which nobody answered", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(10_000);
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECT_TIMEOUT");
    stage.environment.pass(1_000);
    expect(stage.counts[0]).toBe(2);
    const { counts } = stage;
    stage.environment.pass(1_999);
    expect(stage.counts).toEqual(counts);
    stage.environment.pass(1);
    expect(stage.counts).not.toEqual(counts);
  });

  it("TRN-5 waits twice as long for the server's word after such an attempt", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(10_000 + 1_000);
    stage.link("websocket").open();
    const { counts } = stage;
    stage.environment.pass(3_999);
    expect(stage.counts).toEqual(counts);
    stage.environment.pass(1);
    expect(stage.counts).not.toEqual(counts);
  });

  it("TRN-5 takes the last one for silent too, where the client did not wait longer for it", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    for (const name of ["websocket", "sse", "long-poll"] as const) stage.link(name).cut();
    stage.link("poll").open();
    stage.environment.pass(10_000 + 1_000);
    expect(stage.counts).toEqual([2, 1, 1, 1]);
  });

  it("TRN-7 an attempt that the client gave up at once says nothing about the server", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(500);
    void stage.client.close();
    stage.connectOver("poll");
    expect(stage.status).toBe("connected");
  });

  it("TRN-3 where not one can even be begun, the client waits as for any other failure", () => {
    const stage = new AdaptiveStage({
      load() {
        throw new TypeError("not here");
      },
    });
    stage.client.connect();
    expect(stage.statuses.at(-1)).toBe("reconnecting CONNECTION_LOST");
    expect(stage.client.connection.getSnapshot().retryAt).toBe(stage.environment.now() + 1_000);
  });

  it("TRN-3 loads each once", async () => {
    let loads = 0;
    const stage = new AdaptiveStage({
      load: (_name, transport) => {
        loads++;
        return Promise.resolve(transport);
      },
    });
    stage.client.connect();
    await turns();
    stage.link("websocket").cut();
    await turns();
    stage.link("sse").cut();
    stage.link("sse");
    stage.environment.pass(1_000);
    await turns();
    const before = loads;
    stage.environment.pass(60_000);
    await turns();
    expect(stage.counts[0]).toBeGreaterThan(1);
    expect(loads).toBeLessThanOrEqual(4);
    expect(before).toBeGreaterThan(1);
  });

  it("TRN-6 a refusal by the server ends the attempt, and is the client's to act on", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.link("websocket").open();
    stage.link("websocket").cut("TOKEN_INVALID");
    expect(stage.statuses.at(-1)).toBe("disconnected TOKEN_INVALID");
    stage.environment.pass(60_000);
    expect(stage.counts).toEqual([1, 0, 0, 0]);
  });

  it("TRN-6 a close code of Tutti alone is the server's word too", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    const link = stage.link("websocket");
    link.open();
    link.end(4204);
    expect(stage.statuses.at(-1)).toBe("disconnected VERSION_UNSUPPORTED");
    expect(stage.counts).toEqual([1, 0, 0, 0]);
  });

  it("TRN-6 what the server says over one that waits in reserve decides nothing", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(1_000);
    stage.link("websocket").open();
    stage.link("sse").open();
    stage.link("sse").cut("HELLO_TIMEOUT");
    expect(stage.status).toBe("connecting");
    stage.link("websocket").welcome();
    expect(stage.status).toBe("connected");
  });

  it("TRN-6 ends with its last link, and begins anew by the backoff", () => {
    const stage = new AdaptiveStage().connectOver("websocket");
    stage.environment.pass(5_000);
    stage.link("websocket").cut();
    expect(stage.status).toBe("reconnecting");
    stage.environment.pass(999);
    expect(stage.counts).toEqual([1, 0, 0, 0]);
    stage.environment.pass(1);
    stage.welcome("websocket");
    expect(stage.status).toBe("connected");
  });

  it("CON-9 holds nothing when the client has closed", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(1_000);
    void stage.client.close();
    expect(stage.live).toEqual([0, 0, 0, 0]);
    expect(stage.environment.timerCount).toBe(0);
    expect(stage.watchedNetworks).toBe(0);
  });
});

describe("a link of an adaptive transport", () => {
  const heard = () => ({ opened: vi.fn<() => void>(), message: vi.fn<() => void>(), closed: vi.fn<() => void>() });

  it("TRN-4 opens once for its client, and says what that said over each transport that is tried", () => {
    const { transport, paths } = new AdaptiveStage();
    const events = heard();
    const link = transport.open("ws://server", "tutti.1.json", events);
    const hello = JSON.stringify({ op: "hello", versions: [1], session: "s".repeat(22) });
    events.opened.mockImplementation(() => link.send(hello));
    paths.websocket.link.open();
    paths.websocket.link.cut();
    paths.sse.link.open();
    expect(events.opened).toHaveBeenCalledTimes(1);
    expect([paths.websocket.link.messages, paths.sse.link.messages]).toEqual([[hello], [hello]]);
    expect(events.closed).not.toHaveBeenCalled();
    link.close(1000, "");
    link.close(1000, "");
    expect(paths.sse.link.status).toBe("closed");
  });

  it("TRN-3 cannot be opened where no transport can be begun, and then tells nothing", () => {
    const { transport } = new AdaptiveStage({
      load() {
        throw new TypeError("not here");
      },
    });
    const events = heard();
    expect(() => transport.open("ws://server", "tutti.1.json", events)).toThrow("no transport can be begun");
    expect(events.closed).not.toHaveBeenCalled();
  });
});

describe("what an adaptive transport remembers", () => {
  it("TRN-8 tries what worked last first, also in another page", () => {
    const environment = new FakeEnvironment();
    const memory = new Map<string, string>();
    new AdaptiveStage({ environment, memory }).connectOver("sse");
    const next = new AdaptiveStage({ environment, memory });
    next.client.connect();
    expect(next.counts).toEqual([0, 1, 0, 0]);
    next.welcome("sse");
    expect(next.status).toBe("connected");
  });

  it("TRN-8 tries all the others where what is remembered does not work any more", () => {
    const environment = new FakeEnvironment();
    const memory = new Map<string, string>();
    new AdaptiveStage({ environment, memory }).connectOver("sse");
    const next = new AdaptiveStage({ environment, memory });
    next.client.connect();
    for (const name of ["sse", "websocket", "long-poll"] as const) next.link(name).cut();
    next.welcome("poll");
    expect(next.status).toBe("connected");
    expect(next.counts).toEqual([1, 1, 1, 1]);
  });

  it("TRN-8 forgets after a day, and when the network changes", () => {
    const environment = new FakeEnvironment();
    const memory = new Map<string, string>();
    const first = new AdaptiveStage({ environment, memory }).connectOver("sse");
    void first.client.close();
    environment.pass(86_400_000);
    const later = new AdaptiveStage({ environment, memory });
    later.client.connect();
    expect(later.counts).toEqual([1, 0, 0, 0]);
    later.link("websocket").cut();
    later.welcome("sse");
    later.changeNetwork();
    const elsewhere = new AdaptiveStage({ environment, memory });
    elsewhere.client.connect();
    expect(elsewhere.counts).toEqual([1, 0, 0, 0]);
  });

  it("TRN-8 begins with the first again when the network has changed", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    stage.environment.pass(4_000);
    stage.changeNetwork();
    stage.link("sse").cut();
    stage.environment.pass(1_000);
    expect(stage.counts).toEqual([2, 1, 0, 0]);
  });

  it.each(["", "sse", "x sse", "NaN sse", "9e99 sse", "1700000001000 smoke", "1700000001000"])("TRN-8 takes %j in the memory for nothing", (text) => {
    const stage = new AdaptiveStage({ memory: new Map([["tutti:transport ws://server", text]]) });
    stage.client.connect();
    expect(stage.counts).toEqual([1, 0, 0, 0]);
  });

  it("TRN-3 waits two seconds for what worked last here", () => {
    const stage = new AdaptiveStage().connectOver("websocket");
    stage.environment.pass(5_000);
    stage.link("websocket").cut();
    stage.environment.pass(1_000 + 1_999);
    expect(stage.counts).toEqual([2, 0, 0, 0]);
    stage.environment.pass(1);
    expect(stage.counts).toEqual([2, 1, 0, 0]);
  });
});

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
    beat(stage, "sse", 9_999);
    expect(stage.counts[0]).toBe(2);
    beat(stage, "sse", 1);
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
    beat(stage, "sse", 150_000 - 20_000);
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
    beat(stage, "sse", 150_000);
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
    beat(stage, "sse", 100_000);
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
      beat(stage, "websocket", ms);
      stage.link("websocket").end(closeCode);
      stage.environment.pass(1_000);
      stage.welcome("websocket");
    }
    expect(stage.counts).toEqual([5, 0, 0, 0]);
  });

  it("TRN-9 does not probe from a page that nobody sees", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    stage.attention = "background";
    beat(stage, "sse", 60_000);
    expect(stage.counts).toEqual([1, 1, 0, 0]);
    stage.attention = "looked-at";
    beat(stage, "sse", PROBE_MS);
    expect(stage.counts).toEqual([2, 1, 0, 0]);
  });

  it("TRN-9 begins anew where the network changes, also during a probe", () => {
    const stage = new AdaptiveStage().connectOver("sse");
    for (let probe = 0; probe < 3; probe++) {
      beat(stage, "sse", 5_000 * 2 ** probe);
      stage.link("websocket").cut();
    }
    stage.changeNetwork();
    beat(stage, "sse", PROBE_MS);
    expect(stage.live).toEqual([1, 1, 0, 0]);
    stage.changeNetwork();
    expect(stage.live).toEqual([0, 1, 0, 0]);
    beat(stage, "sse", PROBE_MS);
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

describe("client.transport", () => {
  it("TRN-11 tells which one is in use, why, and which were passed over", () => {
    const stage = new AdaptiveStage();
    const told: string[] = [];
    stage.transport.inUse.subscribe(() => told.push(stage.transport.inUse.getSnapshot().name));
    expect(stage.client.transport.name).toBe("none");
    stage.client.connect();
    stage.link("websocket").cut();
    stage.link("sse").open();
    stage.environment.pass(2_000);
    stage.welcome("long-poll");
    expect(stage.client.transport).toMatchObject({
      name: "long-poll",
      reason: "those before it did not work",
      passedOver: [
        { name: "websocket", outcome: "refused" },
        { name: "sse", outcome: "silent" },
      ],
    });
    expect(told).toEqual(["long-poll"]);
  });

  it("TRN-11 tells the first choice, and what worked last", () => {
    const stage = new AdaptiveStage().connectOver("websocket");
    expect(stage.client.transport).toMatchObject({ name: "websocket", reason: "it is the first choice", passedOver: [], warning: undefined });
    stage.link("websocket").cut();
    stage.environment.pass(1_000);
    stage.welcome("websocket");
    expect(stage.client.transport.reason).toBe("it worked last");
  });

  it("TRN-2 warns where what needs to be live is polled for", () => {
    const stage = new AdaptiveStage({ requirements: { direction: "two-way", latency: "immediate", frequency: "frequent" } }).connectOver("poll");
    expect(stage.client.transport.warning).toMatchObject({ code: "NOT_LIVE" });
    const calm = new AdaptiveStage({ requirements: { direction: "down", latency: "minutes", frequency: "rare" } }).connectOver("poll");
    expect(calm.client.transport.warning).toBeUndefined();
  });
});

/** Time passes, and the server answers every ping over this transport. */
function beat(stage: AdaptiveStage, name: "websocket" | "sse", ms: number): void {
  const endAt = stage.environment.elapsed() + ms;
  let answered = stage.link(name).of("ping").length;
  while (stage.environment.elapsed() < endAt) {
    stage.environment.pass(Math.min(1_000, endAt - stage.environment.elapsed()));
    const asked = stage.link(name).of("ping").length;
    if (asked > answered) stage.link(name).say({ op: "pong" });
    answered = asked;
  }
}
