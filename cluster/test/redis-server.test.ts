import { existsSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { hasRedis } from "../src/found-programs.js";
import { startRedis, type RedisOptions, type RedisServer } from "../src/redis-server.js";

async function redis(options: RedisOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  onTestFinished(() => server.remove());
  return server;
}

/** Where it keeps its files. */
const directoryOf = async (server: RedisServer): Promise<string> => (await server.command("CONFIG", "GET", "dir")).split("\n").at(-1) ?? "";

describe.skipIf(!hasRedis())("a Redis of its own (needs redis)", { timeout: 30_000 }, () => {
  test("answers once it is started, and obeys its configuration", async () => {
    const server = await redis({ config: ["appendfsync always", "maxmemory 12mb", "user reader on nopass ~tutti:* +get"] });
    expect(await server.command("PING")).toBe("PONG");
    expect(await server.command("CONFIG", "GET", "maxmemory")).toContain(String(12 * 1024 * 1024));
    expect(await server.command("ACL", "USERS")).toContain("reader");
    await expect(server.command("NO-SUCH-COMMAND")).rejects.toThrow("unknown command");
  });

  test("says why it cannot be started", async () => {
    await expect(startRedis({ config: ["no-such-line yes"] })).rejects.toThrow("no-such-line");
  });

  test("is started where it asks for a password", async () => {
    const server = await redis({ config: ["requirepass secret"] });
    expect(await server.command("-a", "secret", "--no-auth-warning", "PING")).toBe("PONG");
  });

  test.each(["SIGTERM", "SIGKILL"] as const)("has what it had after %s, at the same port", async (signal) => {
    const server = await redis({ config: ["appendfsync always"] });
    await server.command("SET", "key", "value");
    const { pid, url } = server;
    await server.restart({ signal });
    expect([server.url, server.pid === pid]).toEqual([url, false]);
    expect(await server.command("GET", "key")).toBe("value");
  });

  test("has nothing where its data is lost", async () => {
    const server = await redis();
    await server.command("SET", "key", "value");
    await server.restart({ data: "lost" });
    expect(await server.command("DBSIZE")).toBe("0");
  });

  test("has what it had at an earlier moment, and may be put back there again", async () => {
    const server = await redis();
    await server.command("RPUSH", "list", "kept");
    const earlier = await server.copyData();
    for (const lost of ["one", "two"]) {
      await server.command("RPUSH", "list", lost);
      await server.restart({ data: earlier, signal: "SIGKILL" });
      expect(await server.command("LRANGE", "list", "0", "-1")).toBe("kept");
    }
  });

  test("stands still while it is frozen, and answers what it was asked once it is thawed", async () => {
    const server = await redis();
    server.freeze();
    let isAnswered = false;
    const answer = server.command("PING").finally(() => {
      isAnswered = true;
    });
    // Time enough for one that runs to answer many times over: this can pass where it should not, and never fail where it should pass.
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(isAnswered).toBe(false);
    server.thaw();
    expect(await answer).toBe("PONG");
  });

  test("leaves no files behind, and does not run twice", async () => {
    const server = await redis();
    const directory = await directoryOf(server);
    await expect(server.start()).rejects.toThrow("runs already");
    await server.remove();
    expect(existsSync(directory)).toBe(false);
  });
});
