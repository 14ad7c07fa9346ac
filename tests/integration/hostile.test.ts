import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { errorRegistry } from "@tutti/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startBadServer, type BadServer } from "./bad-input/bad-server.js";
import { Mutations, randomFrom } from "./bad-input/mutations.js";
import { Neighbour } from "./bad-input/neighbour.js";
import { badBytes } from "./bad-input/websocket-bytes.js";
import { RawClient } from "./raw-client.js";

let server: BadServer;
let neighbour: Neighbour;

beforeAll(async () => {
  server = await startBadServer();
  neighbour = await Neighbour.moveIn(server);
});
afterAll(async () => {
  await neighbour.moveOut();
  await server.stop();
});

const hello = (session: string | number) => ({ op: "hello", versions: [1], session: `a-hostile-session-${session}`.padEnd(22, "-") });

async function greeted(session: string | number): Promise<RawClient> {
  const client = await RawClient.open(server.url);
  client.send(hello(session));
  await client.next(({ op }) => op === "welcome");
  return client;
}

/** A bare socket that has shaken hands for `path`. */
async function shaken(path = "/v1/connect"): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  const headers = [`GET ${path} HTTP/1.1`, "Host: tutti.test", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];
  socket.write(`${headers.join("\r\n")}\r\nSec-WebSocket-Protocol: tutti.1.json\r\n\r\n`);
  return socket;
}

/** The code in the close frame that a server sends, which is the last of its frames. */
async function closeCodeAfter(send: Uint8Array): Promise<number | undefined> {
  const socket = await shaken();
  const heard: Buffer[] = [];
  socket.on("data", (data: Buffer) => {
    heard.push(data);
    // The other side need not wait for an answer to its close frame.
    if (Buffer.concat(heard).includes(0x88, -8)) socket.end();
  });
  await once(socket, "data");
  socket.write(send);
  await once(socket, "close");
  const all = Buffer.concat(heard);
  const at = all.lastIndexOf(0x88);
  return at < 0 ? undefined : all.readUInt16BE(at + 2);
}

describe("bytes that are no WebSocket", () => {
  it.each(badBytes.map((each) => [each.name, each] as const))("LIM-3: %s", async (_name, { send, expect: code }) => {
    expect(await closeCodeAfter(send)).toBe(code);
    await neighbour.isServed();
  });
});

describe("what nobody waits for", () => {
  it("LIM-3: a signal that is refused twice, by its payload and by a permission that takes its time", async () => {
    const client = await greeted("signal");
    client.send({ op: "subscribe", correlationId: "s", channel: "canvas:locked" });
    await client.next(({ correlationId }) => correlationId === "s");
    client.send({ op: "signal", channel: "canvas:locked", type: "cursor:move", payload: "no object" });
    expect((await client.next(({ op }) => op === "error"))?.error?.code).toMatch(/^(FORBIDDEN|PAYLOAD_INVALID)$/);
    await client.close();
    await neighbour.isServed();
  });

  it.each(["/v1/connect", "/elsewhere"])("LIM-3: a handshake at %s that is reset before its answer", async (path) => {
    for (let count = 0; count < 50; count++) (await shaken(path)).resetAndDestroy();
    await neighbour.isServed();
  });

  it("LIM-3: an error of the application with data that cannot travel", async () => {
    const client = await greeted("data");
    client.send({ op: "call", correlationId: "c", channel: "canvas:bad", type: "canvas:echo", payload: "throw", timestamp: 1 });
    expect((await client.next(({ correlationId }) => correlationId === "c"))?.error).toMatchObject({ code: "CANVAS_LOCKED" });
    await client.close();
    await neighbour.isServed();
  });
});

const collectGarbage = (): void => {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
};
const heapBytes = (): number => {
  collectGarbage();
  return process.memoryUsage().heapUsed;
};

describe("generated bad messages", () => {
  const seed = 20_260;
  const clientCount = 8;
  const messagesOfClient = 1_500;
  const mebibyte = 1024 * 1024;
  /** What a bad message may be answered with. A failure of the server itself is not among it. */
  const codes = new Set(Object.keys(errorRegistry).filter((code) => code !== "INTERNAL" && code !== "UNAVAILABLE"));
  const closeCodes = new Set([...Object.values(errorRegistry).flatMap(({ closeCode = [] }) => closeCode), 1000]);

  async function subscribed(id: number): Promise<RawClient> {
    const client = await greeted(id);
    client.send({ op: "subscribe", correlationId: "s", channel: "canvas:bad" });
    await client.next(({ correlationId }) => correlationId === "s");
    return client;
  }

  /** Sends bad messages, connecting again whenever one of them ended the connection; what was answered that should not have been. */
  async function misbehave(id: number): Promise<string[]> {
    const mutations = new Mutations(randomFrom(seed + id));
    const problems: string[] = [];
    let client = await subscribed(id);
    for (let count = 0; count < messagesOfClient; count++) {
      const message = mutations.next();
      const from = client.frames.length;
      client.send(message);
      client.send({ op: "ping" });
      const pong = await client.next(({ op }) => op === "pong", from);
      const strange = client.frames.slice(from).find(({ error }) => error !== undefined && !codes.has(error.code));
      if (strange !== undefined) problems.push(`${JSON.stringify(strange)} after ${String(message)}`);
      if (pong === undefined) {
        const { code } = await client.closed();
        if (!closeCodes.has(code)) problems.push(`closed with ${code} after ${String(message)}`);
        client = await subscribed(id);
      } else client.frames.length = 0;
    }
    await client.close();
    return problems;
  }

  it(`LIM-3: ${clientCount * messagesOfClient} of them leave the server serving, its memory flat, and the neighbour in peace`, { timeout: 60_000 }, async () => {
    // The first ones warm up what is made once.
    await misbehave(99);
    const before = heapBytes();
    const visits = setInterval(() => void neighbour.isServed(), 100);
    const problems = await Promise.all(Array.from({ length: clientCount }, (_, id) => misbehave(id)));
    clearInterval(visits);
    expect(problems.flat()).toEqual([]);

    await expect.poll(() => server.server.stats().connections).toBe(1);
    expect(server.server.stats()).toMatchObject({ sessions: 1, outboxBytes: 0 });
    expect((heapBytes() - before) / mebibyte).toBeLessThan(8);
    await neighbour.isServed();
    expect(neighbour.complaints()).toEqual([]);
    expect(Object.prototype).not.toHaveProperty("polluted");
  });
});
