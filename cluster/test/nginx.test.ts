import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { hasNginx } from "../src/found-programs.js";
import { freePort } from "../src/free-port.js";
import { startNginx, type Nginx } from "../src/nginx.js";

interface Upstream {
  readonly port: number;
  stop(): Promise<void>;
}

/** A node that answers with its name, and upgrades connections to an echo that names it first. */
async function upstream(name: string): Promise<Upstream> {
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => void response.writeHead(request.url === "/refused" ? 503 : 200).end(name));
  server.on("connection", (socket) => sockets.add(socket));
  server.on("upgrade", (_request, socket) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n${name};`);
    socket.pipe(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(stop);
  return { port: (server.address() as AddressInfo).port, stop };
}

async function nginx(upstreams: readonly number[]): Promise<Nginx> {
  const started = await startNginx({ upstreams });
  onTestFinished(() => started.remove());
  return started;
}

async function answers(server: Nginx, count: number, path = "/"): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let index = 0; index < count; index++) texts.push(await (await fetch(`${server.url}${path}`)).text());
  return texts;
}

/** Says something over an upgraded connection. @returns what came back, the head left out */
async function upgraded(server: Nginx) {
  const socket = connect(server.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  const body = (): string => text.split("\r\n\r\n")[1] ?? "";
  const has = async (expected: string) => expect.poll(body, { timeout: 5_000 }).toBe(expected);
  /** The node's, which it says first. */
  const name = async (): Promise<string> => {
    await expect.poll(body, { timeout: 5_000 }).toContain(";");
    return body().split(";")[0] ?? "";
  };
  return { socket, has, name };
}

describe.skipIf(!hasNginx())("an nginx of its own (needs nginx)", { timeout: 30_000 }, () => {
  test("spreads requests over the nodes in turn", async () => {
    const nodes = await Promise.all(["a", "b", "c"].map(upstream));
    const server = await nginx(nodes.map(({ port }) => port));
    expect((await answers(server, 9)).toSorted()).toEqual(["a", "a", "a", "b", "b", "b", "c", "c", "c"]);
  });

  test("gives connections that last to the node that has the fewest", async () => {
    const nodes = await Promise.all(["a", "b", "c"].map(upstream));
    const server = await nginx(nodes.map(({ port }) => port));
    const names: string[] = [];
    for (let index = 0; index < 6; index++) {
      const { name } = await upgraded(server);
      names.push(await name());
      // What ends at once changes nothing.
      await answers(server, 1);
    }
    expect(names.toSorted()).toEqual(["a", "a", "b", "b", "c", "c"]);
  });

  test("hands on what a node that is gone did not answer", async () => {
    const [first, second] = await Promise.all([upstream("a"), upstream("b")]);
    const server = await nginx([first.port, second.port]);
    await first.stop();
    expect(await answers(server, 6)).toEqual(Array(6).fill("b"));
  });

  test("is there before the nodes are, and says so", async () => {
    const server = await nginx([await freePort()]);
    expect((await fetch(server.url)).status).toBe(502);
  });

  test("upgrades connections, and leaves them where they are when new ones go elsewhere", async () => {
    const [first, second] = await Promise.all([upstream("a"), upstream("b")]);
    const server = await nginx([first.port]);
    const before = await upgraded(server);
    await before.has("a;");
    await server.reload([second.port]);
    expect(new Set(await answers(server, 4))).toEqual(new Set(["b"]));
    before.socket.write("still here");
    await before.has("a;still here");
    await (await upgraded(server)).has("b;");
  });

  test("cuts all connections when it goes", async () => {
    const { port } = await upstream("a");
    const server = await nginx([port]);
    const { socket, has } = await upgraded(server);
    await has("a;");
    const closed = once(socket, "close");
    await server.remove();
    await closed;
    await expect(fetch(server.url)).rejects.toThrow("fetch failed");
  });
});
