import { existsSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { makeCertificates } from "../src/certificates.js";
import { hasOpenssl, hasRedisTls } from "../src/found-programs.js";
import { redisCommand } from "../src/redis-cli.js";
import { startRedis } from "../src/redis-server.js";

describe.skipIf(!hasRedisTls() || !hasOpenssl())("a Redis of its own with TLS (needs redis, needs openssl)", { timeout: 30_000 }, () => {
  test("answers those who trust its authority, and nobody without TLS", async () => {
    const [certificates, others] = await Promise.all([makeCertificates(), makeCertificates()]);
    const server = await startRedis({ tls: certificates });
    onTestFinished(async () => {
      await server.remove();
      await Promise.all([certificates.remove(), others.remove()]);
    });
    expect(server.url).toMatch(/^rediss:/);
    expect(await server.command("PING")).toBe("PONG");
    await expect(redisCommand({ port: server.port, tls: others }, "PING")).rejects.toThrow("certificate verify failed");
    await expect(redisCommand({ port: server.port, tls: undefined }, "PING")).rejects.toThrow();
  });

  test("leaves no keys behind", async () => {
    const certificates = await makeCertificates();
    expect(certificates.authority).toContain("BEGIN CERTIFICATE");
    expect(existsSync(certificates.keyFile)).toBe(true);
    await certificates.remove();
    expect(existsSync(certificates.keyFile)).toBe(false);
  });
});
