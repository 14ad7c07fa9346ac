// A server of rooms and feeds, as small as an application's can be. It stops when the process is told to, and then the process ends by itself.
import { createServer as createHttpServer } from "node:http";
import { closeOnSignals, createServer, silentLog } from "@tutti/server";
import { listen, stopListening } from "../loopback.js";
import { roomContract } from "../room-contract.js";
import { answerQuestions } from "./commands.js";

const server = createServer({
  contract: roomContract,
  log: silentLog,
  // A flood keeps next to nothing, so that what a test publishes is not what it measures.
  namespaces: { flood: { history: { countMin: 10, ageMsMin: 0 } } },
  presenceGraceMs: 50,
  channelIdleMs: 500,
});
const http = createHttpServer((_request, response) => void response.writeHead(404).end());
server.attach(http);

closeOnSignals(server, () => void stopListening(http));

let peak = 0;
const watchOutboxes = (): void => {
  peak = Math.max(peak, server.stats().outboxBytes);
};

async function publish(name: string, count: number, bytes: number): Promise<number> {
  const [namespace, id = ""] = name.split(":");
  const channel = server.channel(namespace === "flood" ? "flood:{id}" : "feed:{id}", { id });
  const text = "x".repeat(bytes);
  const published = Array.from({ length: count }, () => channel.publish("item:add", { text }));
  const turn = new Promise<void>((resolve) => {
    // Twice: once before the turn's own end, once after it.
    setImmediate(() => {
      watchOutboxes();
      setImmediate(() => {
        watchOutboxes();
        resolve();
      });
    });
  });
  const last = (await Promise.all(published)).at(-1);
  watchOutboxes();
  await turn;
  return last?.position.seq ?? 0;
}

answerQuestions({
  listen: (port) => listen(http, port),
  stats: () => server.stats(),
  memory() {
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    return { rssBytes: rss, heapBytes: heapUsed, externalBytes: external };
  },
  outboxPeak() {
    const seen = peak;
    peak = 0;
    return seen;
  },
  publish,
  async room(id) {
    const { position, state } = await server.channel("room:{id}", { id }).state();
    return { epoch: position.epoch, ids: state };
  },
  async close() {
    await server.close();
    await stopListening(http);
  },
});
