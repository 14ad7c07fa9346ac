import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { channel, defineContract, TuttiError } from "@tutti/protocol";
import { createServer, silentLog } from "@tutti/server";
import { z } from "zod";

const contract = defineContract({
  channels: {
    "canvas:{id}": channel({
      events: {
        "concept:create": z.object({
          id: z.string(),
          title: z.string().max(200),
          tags: z.array(z.string()).optional(),
          sizes: z.record(z.string(), z.number()).optional(),
        }),
      },
      signals: { "cursor:move": z.object({ x: z.number(), y: z.number() }) },
      calls: { "canvas:echo": { input: z.string(), output: z.string() } },
      presence: z.object({ name: z.string() }),
      state: { version: 1, initial: { count: 0 }, reduce: ({ count }) => ({ count: count + 1 }) },
    }),
    "lobby:main": channel({ events: { "lobby:say": z.string() } }),
  },
});

const tokens = new Map<string | undefined, () => { id: string }>([
  ["ada", () => ({ id: "ada" })],
  ["bob", () => ({ id: "bob" })],
  [
    undefined,
    () => {
      throw new TuttiError("AUTHENTICATION_REQUIRED");
    },
  ],
  [
    "expired",
    () => {
      throw new TuttiError("TOKEN_EXPIRED");
    },
  ],
  [
    "locked",
    () => {
      throw new TuttiError("CANVAS_LOCKED");
    },
  ],
  [
    "crashes",
    () => {
      throw new TypeError("cannot read properties of undefined");
    },
  ],
]);

function userOf(token: string | undefined): { id: string } | Promise<{ id: string }> {
  if (token === "rejects") return Promise.reject(new Error("the database is gone"));
  const user = tokens.get(token);
  if (user === undefined) throw new TuttiError("TOKEN_INVALID");
  return user();
}

/** A server to send bad input to, over real sockets. */
export async function startBadServer({ authenticates = false } = {}) {
  const server = createServer({
    contract,
    log: silentLog,
    ...(authenticates && { authenticate: ({ token }: { readonly token: string | undefined }) => userOf(token) }),
    channels: {
      "canvas:{id}": {
        exists: ({ params }) => Promise.resolve(params.id !== "gone"),
        // Asynchronous, and no to some: a refusal that nobody waits for would end the process.
        authorize: ({ action, params }) => Promise.resolve(action === "subscribe" || params.id !== "locked"),
        calls: {
          "canvas:echo": ({ payload }) => {
            if (payload === "throw") throw new TuttiError("CANVAS_LOCKED", { data: new Map([["by", "ada"]]) });
            return payload;
          },
        },
      },
    },
  });
  const http = createHttpServer((_request, response) => void response.writeHead(404).end("not found"));
  server.attach(http);
  await new Promise<void>((resolve) => void http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address() as AddressInfo;
  return {
    server,
    port,
    url: `ws://127.0.0.1:${port}/v1/connect`,
    async stop() {
      await server.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

export type BadServer = Awaited<ReturnType<typeof startBadServer>>;
