import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { lmdbBroker } from "@tutti/lmdb";
import { redisBroker } from "@tutti/redis";
import { closeOnSignals, type Broker } from "tutti/server";
import { createCanvasServer, type CanvasServer } from "./canvas-server.js";
import { servePage } from "./page.js";
import { putWelcomeCanvas } from "./welcome.js";

const port = Number(process.env["PORT"] ?? 8080);
const directory = process.env["TUTTI_DATA"] ?? fileURLToPath(new URL("../../.data", import.meta.url));
/** With a Redis it is one of several nodes, which have all of their canvases there. */
const redisUrl = process.env["TUTTI_REDIS_URL"];
const page = new URL("../page/", import.meta.url);
const connectionsEveryMs = 250;

/** One sentence instead of a stack: what is wrong is around the program and not in it. */
function giveUp(what: string, error: unknown, advice = ""): never {
  console.error(`Tutti canvas ${what}: ${error instanceof Error ? error.message : String(error)}${advice}`);
  process.exit(1);
}

function openBroker(): Promise<Broker> {
  if (redisUrl !== undefined) return redisBroker({ url: redisUrl });
  return lmdbBroker({ directory }).catch((error: unknown) => giveUp("cannot keep its canvases", error, ". TUTTI_DATA names another directory."));
}

/** Who looks at several nodes wants to see where people are. */
function tellConnections(server: CanvasServer): void {
  let told = 0;
  const look = (): void => {
    const { connections } = server.stats();
    if (connections !== told) console.log(`Tutti canvas: ${connections} connected`);
    told = connections;
  };
  setInterval(look, connectionsEveryMs).unref();
}

const http = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, await servePage(page));
const server = createCanvasServer(await openBroker());
server.attach(http);
if (redisUrl !== undefined) tellConnections(server);
await putWelcomeCanvas(server);

http.on("error", (error) => giveUp(`could not be served on port ${port}`, error));
http.listen(port, () => {
  const address = http.address();
  console.log(`Tutti canvas: http://localhost:${typeof address === "object" && address !== null ? address.port : port}`);
});
closeOnSignals(server, () => process.exit(0));
