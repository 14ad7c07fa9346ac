// Socket.IO as its documentation sets it up: rooms, acknowledgements, and where it is asked for connection state recovery.
import { Server } from "socket.io";
import { serve } from "./serve.js";
import { trustToken, verifyToken } from "./tokens.js";

const RECOVERY_MS = 2 * 60_000;

await serve((http, { setup, options }) => {
  const io = new Server(http, {
    transports: ["websocket"],
    perMessageDeflate: false,
    serveClient: false,
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
