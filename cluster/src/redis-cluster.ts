import type { Certificates } from "./certificates.js";
import { freePort } from "./free-port.js";
import { startRedis, type RedisServer } from "./redis-server.js";
import { until } from "./until.js";

export interface RedisClusterOptions {
  /** 3 unless given, which is the least that can elect a master. */
  readonly shards?: number;
  /** Of each shard: 1 unless given. */
  readonly replicas?: number;
  /** Lines of the configuration of every server. */
  readonly config?: readonly string[];
  /** How long one is silent before the others take it for dead: 1,000 unless given. */
  readonly nodeTimeoutMs?: number;
  /** Each server speaks TLS alone, with all others too. */
  readonly tls?: Certificates;
}

export interface FailOver {
  /** Runs while the shard's replicas hear nothing of their master: what is written to the shard meanwhile is acknowledged, and lost. */
  readonly unreplicated?: () => Promise<void>;
}

/** A Redis Cluster on the loopback address. It does not outlive this process. */
export interface RedisCluster {
  /** One for each server, of which a client may take any to find the others. */
  readonly urls: readonly string[];
  /** All servers, those that were killed included. */
  readonly nodes: readonly RedisServer[];
  /** The one that serves a shard now. @param shard from 0 */
  masterOf(shard: number): Promise<RedisServer>;
  /** The shard that a key belongs to. */
  shardOf(key: string): Promise<number>;
  /** Kills the master of a shard; resolves once a replica was elected and all slots are served. The old one stays dead until `heal`. */
  failOver(shard: number, options?: FailOver): Promise<void>;
  /** Starts those that were killed, as replicas; resolves once they have what their masters have. */
  heal(): Promise<void>;
  /** Stops all, and removes what they kept. */
  remove(): Promise<void>;
}

const slotCount = 16_384;
const startsMax = 5;

/** Starts a Redis Cluster; resolves once it serves every slot and each replica follows its master. */
export async function startRedisCluster({ shards = 3, replicas = 1, config = [], nodeTimeoutMs = 1_000, tls }: RedisClusterOptions = {}): Promise<RedisCluster> {
  const members = await startMembers(shards * (1 + replicas), tls, [
    "cluster-enabled yes",
    `cluster-node-timeout ${nodeTimeoutMs}`,
    // A replica that missed something is elected all the same, as happens where nobody is there who missed less.
    "cluster-replica-validity-factor 0",
    "cluster-allow-replica-migration no",
    "repl-diskless-sync-delay 0",
    ...config,
  ]);
  const cluster = new LocalRedisCluster(members, shards);
  try {
    await cluster.join();
    return cluster;
  } catch (error) {
    await cluster.remove();
    throw error;
  }
}

interface Member {
  readonly server: RedisServer;
  readonly busPort: number;
  /** As the cluster knows it. */
  readonly id: string;
}

async function startMembers(count: number, tls: Certificates | undefined, config: readonly string[]): Promise<readonly Member[]> {
  const results = await Promise.allSettled(Array.from({ length: count }, () => startMember(tls, config)));
  const members = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failed = results.find((result) => result.status === "rejected");
  if (failed === undefined) return members;
  await Promise.all(members.map(({ server }) => server.remove()));
  throw failed.reason;
}

async function startMember(tls: Certificates | undefined, config: readonly string[]): Promise<Member> {
  for (let attempt = 1; ; attempt++) {
    const busPort = await freePort();
    try {
      const server = await startRedis({ config: [...config, `cluster-port ${busPort}`], ...(tls !== undefined && { tls }) });
      return { server, busPort, id: await server.command("CLUSTER", "MYID") };
    } catch (error) {
      // Somebody else took the port of the cluster's bus since it was free.
      if (attempt === startsMax || !String(error).includes("Address already in use")) throw error;
    }
  }
}

class LocalRedisCluster implements RedisCluster {
  readonly #members: readonly Member[];
  readonly #shards: number;
  readonly #dead = new Set<Member>();

  constructor(members: readonly Member[], shards: number) {
    this.#members = members;
    this.#shards = shards;
  }

  get urls(): readonly string[] {
    return this.#members.map(({ server }) => server.url);
  }

  get nodes(): readonly RedisServer[] {
    return this.#members.map(({ server }) => server);
  }

  /** By hand: `redis-cli --cluster create` sleeps, and places replicas as it likes. The first members are masters, each with every n-th after it. */
  async join(): Promise<void> {
    const [first, ...others] = this.#members;
    if (first === undefined) throw new Error("a cluster has at least one server");
    await Promise.all(
      this.#members.slice(0, this.#shards).map(async ({ server }, shard) => {
        await server.command("CLUSTER", "SET-CONFIG-EPOCH", String(shard + 1));
        await server.command("CLUSTER", "ADDSLOTSRANGE", String(this.#firstSlot(shard)), String(this.#firstSlot(shard + 1) - 1));
      }),
    );
    for (const { server, busPort } of others) await first.server.command("CLUSTER", "MEET", "127.0.0.1", String(server.port), String(busPort));
    const all = String(this.#members.length);
    await this.#all("knows all others", async ({ server }) => (await fieldOf(server, ["CLUSTER", "INFO"], "cluster_known_nodes")) === all);
    await Promise.all(
      this.#members.slice(this.#shards).map(async ({ server }, index) => {
        const master = this.#members[index % this.#shards];
        // It may have heard of its master and not yet that it is one.
        await until(() => server.command("CLUSTER", "REPLICATE", master?.id ?? "").then(() => true, () => false), () => `${server.url} replicates`);
      }),
    );
    await this.#isWhole();
  }

  async masterOf(shard: number): Promise<RedisServer> {
    for (const member of this.#living()) {
      if (this.#shardOfMember(member) === shard && (await roleOf(member.server)) === "master") return member.server;
    }
    throw new Error(`shard ${shard} has no master`);
  }

  async shardOf(key: string): Promise<number> {
    const [living] = this.#living();
    const slot = Number(await living?.server.command("CLUSTER", "KEYSLOT", key));
    for (let shard = 0; shard < this.#shards; shard++) if (slot < this.#firstSlot(shard + 1)) return shard;
    throw new Error(`no shard has the slot ${slot} of ${key}`);
  }

  async failOver(shard: number, { unreplicated }: FailOver = {}): Promise<void> {
    const master = await this.masterOf(shard);
    const replicas = this.#living().filter((member) => this.#shardOfMember(member) === shard && member.server !== master);
    if (unreplicated !== undefined) {
      await Promise.all(replicas.map(({ server }) => cutOff(server)));
      await unreplicated();
    }
    await master.stop("SIGKILL");
    for (const member of this.#members) if (member.server === master) this.#dead.add(member);
    await until(() => this.masterOf(shard).then(() => true, () => false), () => `a replica of shard ${shard} was elected`);
    await Promise.all(replicas.map(({ server }) => server.command("CONFIG", "SET", "masterauth", "")));
    await this.#all("serves all slots", async ({ server }) => (await fieldOf(server, ["CLUSTER", "INFO"], "cluster_state")) === "ok");
  }

  async heal(): Promise<void> {
    await Promise.all(Array.from(this.#dead, ({ server }) => server.start()));
    const revived = [...this.#dead];
    this.#dead.clear();
    // It comes back as the master that it was, until it hears of the other one.
    const areReplicas = async (): Promise<boolean> => (await Promise.all(revived.map(({ server }) => roleOf(server)))).every((role) => role === "slave");
    await until(areReplicas, () => "those that were killed are replicas");
    await this.#isWhole();
  }

  async remove(): Promise<void> {
    await Promise.all(this.#members.map(({ server }) => server.remove()));
  }

  #firstSlot(shard: number): number {
    return Math.floor((shard * slotCount) / this.#shards);
  }

  #shardOfMember(member: Member): number {
    return this.#members.indexOf(member) % this.#shards;
  }

  #living(): readonly Member[] {
    return this.#members.filter((member) => !this.#dead.has(member));
  }

  #all(what: string, isSo: (member: Member) => Promise<boolean>): Promise<void> {
    return until(async () => (await Promise.all(this.#living().map(isSo))).every(Boolean), () => `every server of the cluster ${what}`);
  }

  async #isWhole(): Promise<void> {
    await this.#all("serves all slots", async ({ server }) => (await fieldOf(server, ["CLUSTER", "INFO"], "cluster_state")) === "ok");
    await this.#all("follows its master", async ({ server }) => {
      const status = await fieldOf(server, ["INFO", "replication"], "master_link_status");
      return status === undefined || status === "up";
    });
  }
}

/** Ends the replication of a server, while its cluster goes on to talk with it: it comes with a password that its master does not know. */
async function cutOff(replica: RedisServer): Promise<void> {
  await replica.command("CONFIG", "SET", "masterauth", "not-the-password");
  await replica.command("CLIENT", "KILL", "TYPE", "master");
  await until(async () => (await fieldOf(replica, ["INFO", "replication"], "master_link_status")) === "down", () => `${replica.url} is cut off`);
}

const roleOf = (server: RedisServer): Promise<string | undefined> => fieldOf(server, ["INFO", "replication"], "role");

/** A line `field:value` of an answer. */
async function fieldOf(server: RedisServer, command: readonly string[], field: string): Promise<string | undefined> {
  const answer = await server.command(...command);
  return answer.split(/\r?\n/).find((line) => line.startsWith(`${field}:`))?.slice(field.length + 1);
}
