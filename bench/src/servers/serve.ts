import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { ServerSetup } from "../peers/peer.js";

/** What the process of a server is told. */
export type ToServer = "heap" | "stop";

/** What it tells: its port first, then what it is asked for. */
export interface FromServer {
  readonly port?: number;
  readonly heapUsed?: number;
}

export interface ServerTask {
  readonly setup: ServerSetup;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Runs a server until it is told to stop: `attach` puts it on an HTTP server. */
export async function serve(attach: (http: Server, task: ServerTask) => void | Promise<void>): Promise<void> {
  const task = JSON.parse(process.argv[2] ?? "") as ServerTask;
  const http = createServer();
  await attach(http, task);
  http.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 });
  await once(http, "listening");
  process.on("message", (message: ToServer) => {
    if (message === "stop") process.exit();
    tell({ heapUsed: heapUsed() });
  });
  process.on("disconnect", () => process.exit());
  tell({ port: (http.address() as AddressInfo).port });
}

function tell(what: FromServer): void {
  process.send?.(what);
}

function heapUsed(): number {
  for (let times = 0; times < 3; times++) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
