// durable-server.ts: the same with its log on disk
import { createServer as createHttpServer } from "node:http";
import { lmdbBroker } from "@tutti/lmdb";
import { createServer } from "tutti/server";
import { contract } from "./contract.js";

const broker = await lmdbBroker({ directory: "data" }); // a directory of its own; one process holds it
createServer({ contract, broker }).attach(createHttpServer().listen(8080));
