import { freePort, startNginx, startRedis, type Nginx, type RedisOptions, type RedisServer } from "@tutti/cluster";
import { redisBroker } from "@tutti/redis";
import { faultProxy, type FaultProxy } from "@tutti/testkit";
import { setTimeout as pause } from "node:timers/promises";
import { Clients } from "../durable/clients.js";
import { readContents, type Contents } from "../durable/contents.js";
import type { Listening } from "../processes/log-server.js";
import { Program } from "../program.js";

const reviveAfterMs = 250;

/** A node: one port, and one process after the other. */
export interface Node {
  readonly port: number;
  /** Its way to Redis. */
  readonly link: FaultProxy;
  program: Program<Listening>;
}

/** Nodes that are processes of their own, on one Redis, behind an nginx that gives each connection to the next of them; and the clients of one test. */
export class Fleet {
  readonly clients = new Clients();
  readonly redis: RedisServer;
  readonly nodes: readonly Node[];
  readonly nginx: Nginx;

  private constructor(redis: RedisServer, nodes: readonly Node[], nginx: Nginx) {
    this.redis = redis;
    this.nodes = nodes;
    this.nginx = nginx;
  }

  /** Its Redis keeps what it acknowledged, unless it is told otherwise. */
  static async open({ nodeCount = 3, config = ["appendfsync always"] }: { readonly nodeCount?: number } & RedisOptions = {}): Promise<Fleet> {
    const redis = await startRedis({ config });
    const nodes = await Promise.all(
      Array.from({ length: nodeCount }, async () => {
        const [port, link] = await Promise.all([freePort(), faultProxy({ target: { port: redis.port } })]);
        return { port, link, program: await startNode(port, link) };
      }),
    );
    return new Fleet(redis, nodes, await startNginx({ upstreams: nodes.map(({ port }) => port) }));
  }

  /** Where clients connect to. */
  get port(): number {
    return this.nginx.port;
  }

  /** A new process in the place of one that has ended; again and again where it finds no Redis. */
  async revive(node: Node): Promise<void> {
    for (;;) {
      try {
        node.program = await startNode(node.port, node.link);
        return;
      } catch {
        await pause(reviveAfterMs);
      }
    }
  }

  /** Sends clients elsewhere, stops a node as a deploy does, and starts it again. */
  async replace(node: Node): Promise<void> {
    const ports = this.nodes.map(({ port }) => port);
    await this.nginx.reload(ports.filter((port) => port !== node.port));
    node.program.signal("SIGTERM");
    await node.program.ended;
    await this.revive(node);
    await this.nginx.reload(ports);
  }

  /** Everything that the log has of some channels. */
  async contents(...channels: readonly string[]): Promise<readonly Contents[]> {
    const broker = await redisBroker({ url: this.redis.url });
    try {
      return await Promise.all(channels.map((channel) => readContents(broker, channel)));
    } finally {
      await broker.close();
    }
  }

  async end(): Promise<void> {
    await this.clients.end();
    await Promise.all(this.nodes.map(({ program }) => program.kill()));
    await Promise.all([this.nginx.remove(), this.redis.remove(), ...this.nodes.map(({ link }) => link.close())]);
  }
}

async function startNode(port: number, link: FaultProxy): Promise<Program<Listening>> {
  const program = Program.start<Listening>("redis-node", [`redis://127.0.0.1:${link.port}`, String(port)]);
  await program.next();
  return program;
}
