// A node whose channels are in Redis, as one of several. It says its port, serves until it is killed, and hands its clients on when it is told to stop.
import { createServer as createHttpServer } from "node:http";
import { redisBroker } from "@tutti/redis";
import { closeOnSignals, createServer, silentLog } from "@tutti/server";
import { contract } from "../durable/contract.js";
import { listen } from "../loopback.js";
import type { Listening } from "./log-server.js";

const [url = "", port = "0"] = process.argv.slice(2);

const broker = await redisBroker({ url }).catch((error: unknown) => {
  console.error(`a node does not start: ${String(error)}`);
  process.exit(1);
});
const server = createServer({
  contract,
  broker,
  log: silentLog,
  namespaces: {
    // Nothing goes, so that all of it can be looked at in the end.
    feed: { history: { countMin: 1e9, countMax: 1e9, bytesMax: Number.MAX_SAFE_INTEGER } },
    // Nearly everything goes at once, so that there is little but the snapshot.
    board: { history: { countMin: 10, ageMsMin: 0 } },
  },
  snapshotEvery: 100,
  // What a bus that lost something is found out by.
  headCheckMs: 1_000,
});
const http = createHttpServer((_request, response) => void response.writeHead(404).end());
server.attach(http);
closeOnSignals(server, () => process.exit());
process.on("disconnect", () => process.exit());
process.send?.({ port: await listen(http, Number(port)) } satisfies Listening);
