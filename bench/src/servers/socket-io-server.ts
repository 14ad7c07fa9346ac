// Socket.IO as its documentation sets it up: rooms, acknowledgements, and where it is asked for connection state recovery.
import { createShardedAdapter } from "@socket.io/redis-adapter";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { serve } from "./serve.js";
import { trustToken, verifyToken } from "./tokens.js";

const RECOVERY_MS = 2 * 60_000;

/** What several nodes share, as the documentation has it: sharded pub/sub, or one stream that all of them read. */
async function adapterOn(url: string, kind: unknown): Promise<ReturnType<typeof createAdapter> | ReturnType<typeof createShardedAdapter>> {
  const client = createClient({ url });
  await client.connect();
  if (kind === "streams") return createAdapter(client);
  const subscriber = client.duplicate();
  await subscriber.connect();
  return createShardedAdapter(client, subscriber);
}

await serve(async (http, { setup, options }) => {
  const io = new Server(http, {
    transports: ["websocket"],
    perMessageDeflate: false,
    serveClient: false,
    ...(setup.redisUrl !== undefined && { adapter: await adapterOn(setup.redisUrl, options["adapter"]) }),
    ...(options["recovers"] === true && { connectionStateRecovery: { maxDisconnectionDuration: RECOVERY_MS, skipMiddlewares: false } }),
  });
  io.use((socket, next) => {
    const token = String(socket.handshake.auth["token"]);
    if (!setup.checksTokens) trustToken(token);
    (setup.checksTokens ? verifyToken(token) : Promise.resolve()).then(() => next(), next);
  });
  io.on("connection", (socket) => {
    socket.on("join", (channels: string[], acknowledge: () => void) => {
      void socket.join(channels);
      acknowledge();
    });
    socket.on("publish", (channel: string, payload: unknown, acknowledge: () => void) => {
      io.to(channel).emit("event", payload);
      acknowledge();
    });
    socket.on("signal", (channel: string, payload: unknown) => {
      io.to(channel).volatile.emit("event", payload);
    });
  });
});
