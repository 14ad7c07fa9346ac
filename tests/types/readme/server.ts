// server.ts: beside whatever your HTTP server serves already
import { createServer as createHttpServer } from "node:http";
import { createServer } from "tutti/server";
import { contract } from "./contract.js";

createServer({ contract }).attach(createHttpServer().listen(8080));
