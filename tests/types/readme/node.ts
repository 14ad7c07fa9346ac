// node.ts: as many of them as you like, behind any load balancer
import { createServer as createHttpServer } from "node:http";
import { redisBroker } from "@tutti/redis";
import { closeOnSignals, createServer } from "tutti/server";
import { contract } from "./contract.js";

const server = createServer({ contract, broker: await redisBroker({ url: "redis://localhost:6379" }) });
server.attach(createHttpServer().listen(8080)); // and GET /healthz, GET /readyz
closeOnSignals(server, () => process.exit(), { noticeMs: 5_000 }); // SIGTERM: not ready; then clients go elsewhere, spread out
