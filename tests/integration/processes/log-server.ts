// A server whose channels are in a log on the disk. It says its port, and serves until it is killed.
import { createServer as createHttpServer } from "node:http";
import { lmdbBroker } from "@tutti/lmdb";
import { createServer, silentLog } from "@tutti/server";
import { contract } from "../durable/contract.js";
import { listen } from "../loopback.js";

export interface Listening {
  readonly port: number;
}

const [directory = "", port = "0"] = process.argv.slice(2);

const server = createServer({
  contract,
  broker: await lmdbBroker({ directory }),
  log: silentLog,
  namespaces: {
    // Nothing goes, so that all of it can be looked at in the end.
    feed: { history: { countMin: 1e9, countMax: 1e9, bytesMax: Number.MAX_SAFE_INTEGER } },
    // Nearly everything goes at once, so that there is little but the snapshot.
    board: { history: { countMin: 10, ageMsMin: 0 } },
  },
  snapshotEvery: 100,
});
const http = createHttpServer((_request, response) => void response.writeHead(404).end());
server.attach(http);
process.on("disconnect", () => process.exit());
process.send?.({ port: await listen(http, Number(port)) } satisfies Listening);
