import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { AttachOptions, Server } from "@tutti/server";
import type { Contract } from "@tutti/protocol";

/** A server of Tutti behind an HTTP server of its own, on the loopback address. */
export interface Loopback {
  readonly port: number;
  readonly url: string;
  /** Closes both, as a process that ends does. */
  stop(): Promise<void>;
}

export const urlOf = (port: number): string => `ws://127.0.0.1:${port}/v1/connect`;

/** Listens on a free port unless one is given. @returns the port */
export function listen(http: HttpServer, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once("error", reject);
    http.listen(port, "127.0.0.1", () => resolve((http.address() as AddressInfo).port));
  });
}

export function stopListening(http: HttpServer): Promise<void> {
  http.closeAllConnections();
  return new Promise((resolve) => void http.close(() => resolve()));
}

/** @param port a free one unless given, so that a server can come back where it was */
export async function serve<C extends Contract>(server: Server<C>, { port, ...attach }: AttachOptions & { readonly port?: number } = {}): Promise<Loopback> {
  const http = createHttpServer((_request, response) => void response.writeHead(404).end("not found"));
  server.attach(http, attach);
  const bound = await listen(http, port);
  return {
    port: bound,
    url: urlOf(bound),
    async stop() {
      await server.close();
      await stopListening(http);
    },
  };
}
