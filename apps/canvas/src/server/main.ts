import { createServer } from "node:http";
import { closeOnSignals, memoryBroker } from "tutti/server";
import { createCanvasServer } from "./canvas-server.js";
import { servePage } from "./page.js";
import { putWelcomeCanvas } from "./welcome.js";

const port = Number(process.env["PORT"] ?? 8080);
const page = new URL("../page/", import.meta.url);

const http = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, await servePage(page));
const server = createCanvasServer(memoryBroker());
server.attach(http);
await putWelcomeCanvas(server);

http.on("error", (error) => {
  console.error(`Tutti canvas could not be served on port ${port}: ${error.message}`);
  process.exit(1);
});
http.listen(port, () => {
  const address = http.address();
  console.log(`Tutti canvas: http://localhost:${typeof address === "object" && address !== null ? address.port : port}`);
});
closeOnSignals(server, () => process.exit(0));
