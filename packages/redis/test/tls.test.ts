import { copyFile } from "node:fs/promises";
import { hasOpenssl, hasRedisTls, makeCertificates, startRedis, startRedisCluster, type Certificates, type RedisCluster, type RedisServer } from "@tutti/cluster";
import { brokerContractSuite } from "@tutti/testkit";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, test } from "vitest";
import { redisBroker, type RedisBrokerOptions, type RedisPlace } from "../src/index.js";
import { documentedAcl, documentedPrefix, documentedUser } from "./support/documented-user.js";
import { append } from "./support/redis-nodes.js";

const isMissing = !hasRedisTls() || !hasOpenssl();
/** A message that Redis has taken is with all subscribers of this machine long before. */
const deliveryMs = 100;
const room = "room:1";

let serial = 0;

/** What a node would be given that trusts this authority. */
const clientOf = ({ authority }: Pick<Certificates, "authority">): NonNullable<RedisBrokerOptions["client"]> => ({ ...documentedUser, socket: { tls: true, ca: authority } });

/** An empty broker of the documented user, whose log's clock can be put forward. */
async function brokerUnderTest(place: RedisPlace, certificates: Certificates) {
  let aheadMs = 0;
  const prefix = `${documentedPrefix}:${++serial}`;
  const broker = await redisBroker({ ...place, client: clientOf(certificates), prefix, clockAheadMs: () => aheadMs });
  const elapse = async (ms: number): Promise<void> => {
    aheadMs += ms;
    await pause(deliveryMs);
  };
  return { broker, elapse, dispose: () => broker.close() };
}

async function certificatesFor(names?: string): Promise<Certificates> {
  const certificates = await makeCertificates(names === undefined ? {} : { names });
  onTestFinished(() => certificates.remove());
  return certificates;
}

describe.skipIf(isMissing)("RDS-15 over TLS, with the rights of the README alone (needs redis, needs openssl)", { timeout: 60_000 }, () => {
  let certificates: Certificates;
  let server: RedisServer;
  let cluster: RedisCluster;

  beforeAll(async () => {
    certificates = await makeCertificates();
    const config = ["appendfsync no", await documentedAcl()];
    [server, cluster] = await Promise.all([startRedis({ tls: certificates, config }), startRedisCluster({ shards: 3, replicas: 0, tls: certificates, config })]);
  }, 60_000);

  afterAll(async () => {
    await Promise.all([server?.remove(), cluster?.remove()]);
    await certificates?.remove();
  });

  brokerContractSuite("a Redis over TLS", () => brokerUnderTest({ url: server.url }, certificates), { describe, it, expect });
  brokerContractSuite("a Redis Cluster over TLS", () => brokerUnderTest({ cluster: cluster.urls.slice(0, 2) }, certificates), { describe, it, expect });

  test("a certificate that cannot be trusted is named at the start, with what to do about it", async () => {
    const other = await certificatesFor();
    for (const place of [{ url: server.url }, { cluster: cluster.urls }]) {
      for (const client of [documentedUser, clientOf(other)]) {
        await expect(redisBroker({ ...place, client })).rejects.toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("client.socket.ca") });
      }
    }
  });

  test("a certificate for another host is named too", async () => {
    const elsewhere = await certificatesFor("DNS:redis.example");
    const there = await startRedis({ tls: elsewhere, config: [await documentedAcl()] });
    onTestFinished(() => there.remove());
    await expect(redisBroker({ url: there.url, client: clientOf(elsewhere) })).rejects.toMatchObject({ code: "UNAVAILABLE", message: expect.stringContaining("another host") });
    const client = { ...documentedUser, socket: { tls: true as const, ca: elsewhere.authority, servername: "redis.example" } };
    const broker = await redisBroker({ url: there.url, client, prefix: documentedPrefix });
    await append(broker, room);
    await broker.close();
  });

  test("who speaks TLS to a server that does not, or does not to one that does, is told so in time", async () => {
    const plain = await startRedis();
    onTestFinished(() => plain.remove());
    const connectTimeoutMs = 500;
    await expect(redisBroker({ url: plain.url.replace("redis:", "rediss:"), connectTimeoutMs })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(redisBroker({ url: server.url.replace("rediss:", "redis:"), connectTimeoutMs })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("a certificate that is replaced by one that cannot be trusted is why the broker is not ready", async () => {
    const [first, other] = await Promise.all([certificatesFor(), certificatesFor()]);
    const renewed = await startRedis({ tls: first, config: [await documentedAcl()] });
    onTestFinished(() => renewed.remove());
    const broker = await redisBroker({ url: renewed.url, client: clientOf(first), prefix: documentedPrefix });
    onTestFinished(() => broker.close());
    await renewed.stop();
    const files = ["authorityFile", "certificateFile", "keyFile"] as const;
    await Promise.all(files.map((file) => copyFile(other[file], first[file])));
    await renewed.start();
    await expect.poll(() => broker.health?.(), { timeout: 10_000 }).toMatchObject({ status: "unavailable", reason: expect.stringContaining("client.socket.ca") });
  });
});
