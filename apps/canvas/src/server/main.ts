import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { lmdbBroker } from "@tutti/lmdb";
import { closeOnSignals } from "tutti/server";
import { createCanvasServer } from "./canvas-server.js";
import { servePage } from "./page.js";
import { putWelcomeCanvas } from "./welcome.js";

const port = Number(process.env["PORT"] ?? 8080);
const directory = process.env["TUTTI_DATA"] ?? fileURLToPath(new URL("../../.data", import.meta.url));
const page = new URL("../page/", import.meta.url);

/** One sentence instead of a stack: what is wrong is around the program and not in it. */
function giveUp(what: string, error: unknown, advice = ""): never {
  console.error(`Tutti canvas ${what}: ${error instanceof Error ? error.message : String(error)}${advice}`);
  process.exit(1);
}

const http = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, await servePage(page));
const broker = await lmdbBroker({ directory }).catch((error: unknown) => giveUp("cannot keep its canvases", error, ". TUTTI_DATA names another directory."));
const server = createCanvasServer(broker);
server.attach(http);
await putWelcomeCanvas(server);

http.on("error", (error) => giveUp(`could not be served on port ${port}`, error));
http.listen(port, () => {
  const address = http.address();
  console.log(`Tutti canvas: http://localhost:${typeof address === "object" && address !== null ? address.port : port}`);
});
closeOnSignals(server, () => process.exit(0));
