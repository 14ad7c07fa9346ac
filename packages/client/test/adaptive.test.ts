import { describe, expect, it, vi } from "vitest";
import { AdaptiveStage } from "./support/adaptive-stage.js";
import { turns } from "./support/fake-environment.js";

describe("the attempt of an adaptive transport", () => {
  it("TRN-3 opens the first alone, and uses it where it works", () => {
    const stage = new AdaptiveStage();
    stage.client.connect();
    stage.environment.pass(500);
    stage.welcome("websocket");
    expect(stage.status).toBe("connected");
    stage.beat("websocket", 60_000);
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
