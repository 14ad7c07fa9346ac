// A cluster to try: Redis, three nodes of the canvas and nginx before them, on this machine. Ctrl-C ends all of it.
//
//   npm run cluster
//
// PORT   where it is served (8080)
import { setTimeout as pause } from "node:timers/promises";
import { CanvasNode } from "./canvas-node.js";
import { programPath } from "./found-programs.js";
import { freePort, isFree } from "./free-port.js";
import { startNginx, type Nginx } from "./nginx.js";
import type { End } from "./program.js";
import { startRedis, type RedisServer } from "./redis-server.js";

const nodeCount = 3;
const portText = process.env["PORT"] ?? "8080";
const port = Number(portText);
const restartAfterMs = 5_000;
const watchEveryMs = 200;

/** What is started again when it dies. */
interface Part {
  readonly name: string;
  readonly pid: number;
  readonly ended: Promise<End>;
  start(): Promise<void>;
}

const ending = new AbortController();
const startedAt = performance.now();
const say = (text: string): void => console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${text}`);

/** Says when it dies, and starts it again after a while, over and over. */
async function keep(part: Part): Promise<void> {
  for (;;) {
    const { code, signal } = await part.ended;
    if (ending.signal.aborted) return;
    say(`${part.name} ended (${signal ?? `exit code ${code}`}); it is started again in ${restartAfterMs / 1000} s`);
    await pause(restartAfterMs);
    if (ending.signal.aborted) return;
    try {
      await part.start();
      say(`${part.name} is back, as process ${part.pid}`);
    } catch (error) {
      say(`${part.name} does not start: ${messageOf(error)}`);
    }
  }
}

/** Says where people are, whenever that changes. */
async function watch(nodes: readonly CanvasNode[]): Promise<void> {
  let said = "";
  while (!ending.signal.aborted) {
    const text = nodes.map(({ connections }, index) => `node ${index + 1}: ${connections}`).join("   ");
    if (text !== said && nodes.some(({ connections }) => connections > 0)) say(`connected to ${text}`);
    said = text;
    await pause(watchEveryMs);
  }
}

function introduce(redis: RedisServer, nodes: readonly CanvasNode[], nginx: Nginx): void {
  const [first, second] = nodes;
  const row = (name: string, pid: number, what: string): string => `  ${name.padEnd(8)}process ${String(pid).padEnd(9)}${what}`;
  console.log(`
Tutti canvas, on ${nodes.length} nodes: http://localhost:${nginx.port}

${row("nginx", nginx.pid, "gives each connection to the node that has the fewest, whoever it comes from")}
${nodes.map((node, index) => row(`node ${index + 1}`, node.pid, `port ${node.port}`)).join("\n")}
${row("Redis", redis.pid, `port ${redis.port}: the log of all channels, and the bus between the nodes`)}

Open the address in two windows, edit in both, and then, in another terminal:

  kill -9 ${first?.pid}
      A node dies. Whoever was there is at another node in a moment, and has missed nothing.
  kill -STOP ${second?.pid}
      A node hangs. Its pages notice after half a minute of silence, and go elsewhere. kill -CONT ${second?.pid} wakes it up.
  kill -9 ${redis.pid}
      Redis dies. You may go on to edit: what you do waits in your page, and is sent once Redis is back, which has all that it had.

A node or a Redis that died is started again after ${restartAfterMs / 1000} s. Ctrl-C ends all of it, and what was drawn goes with it.
`);
}

async function main(): Promise<void> {
  for (const name of ["redis-server", "redis-cli", "nginx"] as const) programPath(name);
  if (!/^[1-9]\d{0,4}$/.test(portText) || port > 65_535) throw new Error(`PORT is a number from 1 to 65535, not "${portText}"`);
  if (!(await isFree(port))) throw new Error(`somebody listens at port ${port} already; PORT=8081 npm run cluster takes another`);
  const redis = await startRedis({ config: ["appendfsync always"] });
  const nodes = await Promise.all(Array.from({ length: nodeCount }, async () => new CanvasNode({ port: await freePort(), redisUrl: redis.url })));
  let nginx: Nginx | undefined;
  const end = async (): Promise<void> => {
    ending.abort();
    await Promise.all([nginx?.remove(), ...nodes.map((node) => node.kill()), redis.remove()]);
    process.exit();
  };
  // A second one ends this process at once, and with it whatever is left.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void end());

  await Promise.all(nodes.map((node) => node.start()));
  nginx = await startNginx({ port, upstreams: nodes.map((node) => node.port) });
  introduce(redis, nodes, nginx);
  const parts: readonly Part[] = [named("Redis", redis), ...nodes.map((node, index) => named(`node ${index + 1}`, node))];
  for (const part of parts) void keep(part);
  void watch(nodes);
}

function named(name: string, part: Omit<Part, "name">): Part {
  return {
    name,
    get pid() {
      return part.pid;
    },
    get ended() {
      return part.ended;
    },
    start: () => part.start(),
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

await main().catch((error: unknown) => {
  console.error(`The cluster cannot be started: ${messageOf(error)}`);
  process.exit(1);
});
