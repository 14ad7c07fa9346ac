import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { browserEnvironment, browserLifecycle, webSocketTransport, type LifecycleEvents, type LinkEvents } from "../src/index.js";
import { Stage } from "./support/stage.js";

/** A `WebSocket` that the test is the other end of. */
class FakeWebSocket extends EventTarget {
  static readonly made: FakeWebSocket[] = [];
  binaryType = "blob";
  readonly sent: unknown[] = [];
  readonly closes: unknown[] = [];

  readonly url: string;
  readonly subprotocol: string;

  constructor(url: string, subprotocol: string) {
    super();
    this.url = url;
    this.subprotocol = subprotocol;
    FakeWebSocket.made.push(this);
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(...how: readonly unknown[]): void {
    this.closes.push(how);
  }

  happen(type: string, fields: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}

function open() {
  const heard: unknown[] = [];
  const events: LinkEvents = {
    opened: () => heard.push("opened"),
    message: (data) => heard.push(data),
    closed: (closeCode, reason) => heard.push([closeCode, reason]),
  };
  const link = webSocketTransport({ WebSocket: FakeWebSocket }).open("ws://server/v1/connect", "tutti.1.json", events);
  const socket = FakeWebSocket.made.at(-1);
  if (socket === undefined) throw new Error("no socket was made");
  return { heard, link, socket };
}

describe("the WebSocket transport", () => {
  it("passes on what happens to the socket", () => {
    const { heard, link, socket } = open();
    expect([socket.url, socket.subprotocol]).toEqual(["ws://server/v1/connect", "tutti.1.json"]);
    socket.happen("open");
    socket.happen("message", { data: "text" });
    socket.happen("error");
    socket.happen("close", { code: 4102, reason: "draining" });
    expect(heard).toEqual(["opened", "text", [4102, "draining"]]);
    link.send("out");
    expect(socket.sent).toEqual(["out"]);
  });

  it("hands bytes over at once, as the buffer that they arrive in", () => {
    const { heard, socket } = open();
    expect(socket.binaryType).toBe("arraybuffer");
    const { buffer } = Uint8Array.of(1, 2);
    socket.happen("message", { data: buffer });
    expect(heard).toEqual([buffer]);
  });

  it("is not listened to any more after close, when the next one is under way", () => {
    const { client, environment } = new Stage({ transport: webSocketTransport({ WebSocket: FakeWebSocket }), connectTimeoutMs: 10_000 });
    client.connect();
    const first = FakeWebSocket.made.at(-1);
    environment.pass(12_000);
    const second = FakeWebSocket.made.at(-1);
    expect([first?.closes.length, second === first]).toEqual([1, false]);
    first?.happen("open");
    first?.happen("message", { data: '{"op":"pong"}' });
    first?.happen("close", { code: 4204, reason: "late" });
    expect([second?.sent, second?.closes, client.connection.getSnapshot().status]).toEqual([[], [], "reconnecting"]);
    second?.happen("open");
    expect(second?.sent).toHaveLength(1);
  });

  it("takes a path for the page's own server", () => {
    vi.stubGlobal("location", { href: "https://example.com/canvas/1?x" });
    webSocketTransport({ WebSocket: FakeWebSocket }).open("/v1/connect", "tutti.1.json", { opened() {}, message() {}, closed() {} });
    vi.unstubAllGlobals();
    expect(FakeWebSocket.made.at(-1)?.url).toBe("wss://example.com/v1/connect");
  });

  it("says at once that there is no WebSocket", () => {
    vi.stubGlobal("WebSocket", undefined);
    expect(() => webSocketTransport()).toThrow(TypeError);
    vi.unstubAllGlobals();
  });

  it.each([["text", "text"], ["bytes", Uint8Array.of(1, 2, 3)]])("works with the WebSocket of ws, for %s", async (_title, sent) => {
    const server = new WebSocketServer({ port: 0, handleProtocols: (protocols) => [...protocols][0] ?? false });
    server.on("connection", (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })));
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const heard: unknown[] = [];
    await new Promise<void>((resolve) => {
      const link = webSocketTransport({ WebSocket }).open(`ws://localhost:${port}`, "tutti.1.json", {
        opened: () => link.send(sent),
        message(data) {
          heard.push(typeof data === "string" ? data : new Uint8Array(data));
          server.clients.forEach((socket) => socket.close(4102, "draining"));
        },
        closed(closeCode, reason) {
          heard.push([closeCode, reason]);
          resolve();
        },
      });
    });
    server.close();
    expect(heard).toEqual([sent, [4102, "draining"]]);
  });
});

describe("the environment of a browser", () => {
  it("makes ids of 22 characters of base64url that do not repeat", () => {
    const environment = browserEnvironment();
    const ids = Array.from({ length: 200 }, () => environment.id());
    for (const one of ids) expect(one).toMatch(/^[\w-]{22}$/);
    expect(new Set(ids).size).toBe(200);
  });

  it("runs tasks after their time and at the end of the turn, unless they are cancelled", async () => {
    const environment = browserEnvironment();
    const ran: string[] = [];
    const startedAt = environment.elapsed();
    await new Promise<void>((resolve) => {
      environment.after(5, () => ran.push("cancelled"))();
      const cancel = environment.after(2 ** 40, () => ran.push("far too early"));
      environment.after(20, () => {
        cancel();
        resolve();
      });
      environment.after(10, () => ran.push("timer"));
      environment.defer(() => ran.push("deferred"));
      ran.push("now");
    });
    expect(ran).toEqual(["now", "deferred", "timer"]);
    expect(environment.elapsed() - startedAt).toBeGreaterThanOrEqual(15);
    expect(Math.abs(environment.now() - Date.now())).toBeLessThan(1_000);
    expect(environment.random()).toBeLessThan(1);
  });

  it("CON-10: tells what the page goes through until it is cancelled", () => {
    const page = Object.assign(new EventTarget(), { hidden: false });
    const frame = new EventTarget();
    vi.stubGlobal("document", page);
    vi.stubGlobal("window", frame);
    vi.stubGlobal("navigator", { onLine: false });
    const heard: string[] = [];
    const names = ["online", "offline", "visible", "frozen", "resumed", "pageHide", "pageShow", "used"] as const;
    const events = Object.fromEntries(names.map((name) => [name, () => heard.push(name)]));
    const cancel = browserLifecycle().watch(events as unknown as LifecycleEvents);
    const happen = (): void => {
      for (const name of ["online", "offline", "pointermove", "keydown"]) frame.dispatchEvent(new Event(name));
      frame.dispatchEvent(new Event("pagehide"));
      frame.dispatchEvent(new Event("pageshow"));
      for (const name of ["freeze", "resume", "visibilitychange"]) page.dispatchEvent(new Event(name));
      page.hidden = true;
      page.dispatchEvent(new Event("visibilitychange"));
    };
    happen();
    cancel();
    happen();
    vi.unstubAllGlobals();
    expect(heard).toEqual(["offline", "online", "offline", "used", "used", "pageHide", "pageShow", "frozen", "resumed", "visible"]);
  });

  it("watches nothing where there is no page", () => {
    expect(browserLifecycle().watch({} as LifecycleEvents)).toBeTypeOf("function");
  });
});
