import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { faultProxy, type FaultProxy } from "../src/index.js";

let echo: Server;
let proxy: FaultProxy;
const sockets: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  proxy = await faultProxy({ target: { port: (echo.address() as AddressInfo).port } });
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await proxy.close();
  echo.close();
});

interface Caller {
  readonly socket: Socket;
  /** What came back so far. */
  readonly received: () => string;
  /** Resolves with what ended the connection. */
  readonly ended: Promise<string>;
}

async function call(): Promise<Caller> {
  const socket = connect(proxy.port, "127.0.0.1");
  sockets.push(socket);
  let text = "";
  socket.on("data", (chunk) => (text += chunk.toString()));
  let reason = "closed";
  socket.on("error", (error: NodeJS.ErrnoException) => (reason = error.code ?? error.message));
  const ended = new Promise<string>((resolve) => {
    socket.on("close", () => resolve(reason));
  });
  const connected = new Promise<void>((resolve) => {
    socket.on("connect", resolve);
  });
  await Promise.race([connected, ended]);
  return { socket, received: () => text, ended };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("the fault proxy", () => {
  it("passes bytes on, both ways, and ends with either side", async () => {
    const { socket, received, ended } = await call();
    socket.write("hello ");
    socket.end("world");
    expect(await ended).toBe("closed");
    expect(received()).toBe("hello world");
    await expect.poll(() => proxy.connectionCount).toBe(0);
  });

  it("delays, and keeps the order when the delay changes", async () => {
    const { socket, received } = await call();
    proxy.shape({ latencyMs: 60 });
    const startedAt = performance.now();
    socket.write("first ");
    await pause(20);
    proxy.shape({ latencyMs: 0 });
    socket.write("second");
    await expect.poll(received).toBe("first second");
    expect(performance.now() - startedAt).toBeGreaterThan(59);
  });

  it("is as narrow as it is told", async () => {
    const { socket, received } = await call();
    proxy.shape({ bytesPerSecond: 100_000 });
    const startedAt = performance.now();
    socket.write("x".repeat(10_000));
    await expect.poll(() => received().length).toBe(10_000);
    // Once on the way there and once on the way back, where parts may overlap.
    expect(performance.now() - startedAt).toBeGreaterThan(95);
  });

  it("stops reading while paused, and goes on", async () => {
    const { socket, received } = await call();
    proxy.pause();
    socket.write("held");
    await pause(50);
    expect(received()).toBe("");
    proxy.resume();
    await expect.poll(received).toBe("held");
  });

  it("resets all connections", async () => {
    const { socket, ended } = await call();
    socket.write("x");
    await expect.poll(() => proxy.connectionCount).toBe(1);
    proxy.reset();
    expect(await ended).toBe("ECONNRESET");
  });

  it("cuts after so many bytes, in the middle of whatever stands there", async () => {
    const { socket, received, ended } = await call();
    socket.write("12345");
    await expect.poll(received).toBe("12345");
    proxy.cutAfter(8);
    socket.write("abcde");
    await ended;
    expect("12345abc".startsWith(received())).toBe(true);
    expect(received().length).toBeLessThanOrEqual(8);
  });

  it("becomes half-open: it takes everything, answers nothing, and nobody is told", async () => {
    const { socket, received, ended } = await call();
    socket.write("before");
    await expect.poll(received).toBe("before");
    proxy.halfOpen();
    socket.write("lost");
    const late = await call();
    late.socket.write("lost too");
    const outcome = await Promise.race([ended, late.ended, pause(80).then(() => "still open")]);
    expect(outcome).toBe("still open");
    expect([received(), late.received()]).toEqual(["before", ""]);
    proxy.resume();
    const next = await call();
    next.socket.write("again");
    await expect.poll(next.received).toBe("again");
  });

  it("refuses new connections and keeps the old", async () => {
    const old = await call();
    old.socket.write("x");
    await expect.poll(old.received).toBe("x");
    proxy.refuse();
    const refused = await call();
    refused.socket.write("y");
    expect(["ECONNRESET", "EPIPE", "closed"]).toContain(await refused.ended);
    old.socket.write("y");
    await expect.poll(old.received).toBe("xy");
  });

  it("survives a server that is not there", async () => {
    echo.close();
    for (const socket of sockets) socket.destroy();
    await pause(20);
    const { ended } = await call();
    expect(["ECONNRESET", "closed"]).toContain(await ended);
    expect(proxy.port).toBeGreaterThan(0);
  });
});
