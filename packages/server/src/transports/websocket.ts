import { STATUS_CODES, type IncomingMessage, type Server as HttpServer } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TuttiError, errorPolicies, jsonCodec, wireErrorOf, type Codec } from "@tutti/protocol";
import { WebSocket, WebSocketServer, type RawData } from "ws";
import type { Packet } from "../connections/packet.js";
import type { ConnectionEvents, HandshakeRequest, ServerTransport } from "../connections/transport.js";
import type { Hub } from "../hub.js";
import { isAllowedOrigin, type Origins } from "../http/cross-origin.js";
import type { HealthPaths } from "../http/health.js";
import type { HttpOptions } from "../http/service.js";
import { pathOf } from "./request-path.js";
import { Subprotocols } from "./subprotocols.js";
import { websocketFrame } from "./websocket-frame.js";

/** How long a client may take to answer a close frame. */
const CLOSE_TIMEOUT_MS = 2_000;
const REASON_BYTES_MAX = 123;
const NOTHING = Buffer.alloc(0);

export interface AttachOptions {
  /** Where WebSockets are served; `/v1/connect`. Requests for other paths are left to others. */
  readonly path?: string;
  /**
   * The pages that may connect, as browsers name them in `Origin` (`https://example.com`). Without it those of the same host; `"any"` for all.
   * Clients that are no browsers send no `Origin` and are let in.
   */
  readonly origins?: Origins;
  /**
   * Where `GET` is told how this node is, ahead of who listens to the server's requests; `/healthz` and `/readyz`. `false` leaves both paths to others:
   * `server.health()` and `server.readiness()` say the same.
   */
  readonly health?: HealthPaths | false;
  /** Where channels are served over HTTP, ahead of who listens to the server's requests. `false` leaves those paths to others. */
  readonly http?: HttpOptions | false;
}

/** Serves WebSockets on an HTTP server. Returns what undoes it. */
export function attachWebSocket(http: HttpServer, hub: Hub, { path = "/v1/connect", origins }: AttachOptions): () => void {
  const subprotocols = new Subprotocols(hub.node.services.codecs);
  // Not written where it is used: the types of `ws` do not know `closeTimeout`.
  const options = {
    WebSocket: HubSocket,
    noServer: true,
    clientTracking: false,
    closeTimeout: CLOSE_TIMEOUT_MS,
    // Every message is encoded once for all; compressing it for each would undo that.
    perMessageDeflate: false,
    maxPayload: hub.node.services.bounds.messageBytesMax,
    handleProtocols: (offered: Set<string>): string | false => subprotocols.choose(offered) ?? false,
  };
  const webSockets = new WebSocketServer(options);

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const isOurs = pathOf(request) === path;
    // Somebody else may serve another path. Where nobody does, Node would leave the socket open for ever.
    if (!isOurs && http.listenerCount("upgrade") > 1) return;
    if (!isOurs) return refuse(socket, 404, "ROOM_NOT_FOUND");
    if (!isAllowedOrigin(request.headers, origins)) return refuse(socket, 403, "ORIGIN_FORBIDDEN");
    if (subprotocols.choose(offeredBy(request)) === undefined) return refuse(socket, 400, "VERSION_UNSUPPORTED");
    const refusal = hub.node.readiness.refusal();
    if (refusal !== undefined) return refuse(socket, 503, refusal.code, refusal.retryAfterMs);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const codec = subprotocols.codecOf(webSocket.protocol);
      if (codec === undefined) turnAway(webSocket, subprotocols);
      else open(hub, webSocket, new WebSocketTransport(webSocket, socket, codec), requestOf(request));
    });
  };
  http.on("upgrade", onUpgrade);
  return () => void http.removeListener("upgrade", onUpgrade);
}

/** A socket of `ws` that knows its connection, so that all sockets share their listeners: five closures for each would be more than the rest. */
class HubSocket extends WebSocket {
  events: ConnectionEvents | undefined;
}

function open(hub: Hub, webSocket: HubSocket, transport: WebSocketTransport, request: HandshakeRequest): void {
  webSocket.events = hub.accept(transport, request);
  webSocket.on("message", onMessage);
  webSocket.on("ping", onLife);
  webSocket.on("pong", onLife);
  webSocket.on("close", onClose);
  webSocket.on("error", onError);
}

/** Tells a client that there is nothing that both speak. A page hears no answer to its handshake, and would call again; and text is JSON in every codec. */
function turnAway(webSocket: WebSocket, { names }: Subprotocols): void {
  const error = wireErrorOf(new TuttiError("VERSION_UNSUPPORTED", { message: `this server speaks ${names.join(", ")}` }));
  webSocket.on("error", onError);
  webSocket.send(jsonCodec.encode([{ op: "error", error }]));
  webSocket.close(errorPolicies.VERSION_UNSUPPORTED.closeCode, error.code);
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  eventsOf(this)?.message(isBinary ? bytesOf(data) : bytesOf(data).toString());
}

function onLife(this: WebSocket): void {
  eventsOf(this)?.alive();
}

function onClose(this: WebSocket): void {
  eventsOf(this)?.closed();
}

/** `ws` closes by itself with the right code: 1009 for a message too large, 1007 for text that is not UTF-8, 1002 for a broken frame. */
function onError(): void {}

function eventsOf(webSocket: WebSocket): ConnectionEvents | undefined {
  return webSocket instanceof HubSocket ? webSocket.events : undefined;
}

/**
 * Writes frames to the socket itself: one write for all that a turn brings, of buffers that many connections share. `ws` reads, answers pings
 * and closes; nothing is written after its close frame.
 */
class WebSocketTransport implements ServerTransport {
  readonly name = "websocket";
  readonly codec: Codec;
  readonly #webSocket: HubSocket;
  readonly #socket: Duplex;
  /** Something was left over from a write: `drained` is owed. */
  #isOwing = false;

  constructor(webSocket: HubSocket, socket: Duplex, codec: Codec) {
    this.codec = codec;
    this.#webSocket = webSocket;
    this.#socket = socket;
  }

  /** Read when somebody asks: Node keeps what was read once, for as long as the socket lives. */
  get remoteAddress(): string {
    return this.#socket instanceof Socket ? (this.#socket.remoteAddress ?? "") : "";
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  send(packets: readonly Packet[]): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    this.#write(packets);
    if (this.#socket.writableLength > 0 && !this.#isOwing) this.#awaitDrain();
  }

  close(closeCode: number, reason: string): void {
    // A close frame takes no more. A code of the application's own may be longer; the error frame before it has the whole of it.
    this.#webSocket.close(closeCode, Buffer.byteLength(reason) <= REASON_BYTES_MAX ? reason : "");
  }

  terminate(): void {
    this.#webSocket.terminate();
  }

  #write(packets: readonly Packet[]): void {
    const [first] = packets;
    if (packets.length === 1 && first !== undefined) return void this.#socket.write(first.framed(websocketFrame));
    this.#socket.cork();
    for (const packet of packets) this.#socket.write(packet.framed(websocketFrame));
    this.#socket.uncork();
  }

  /**
   * Hears when what was left over is gone: most sockets take all at once. By a write of nothing behind it, since a socket tells of draining from 16 KiB on
   * alone, and half of a small outbox is less.
   */
  #awaitDrain(): void {
    this.#isOwing = true;
    this.#socket.write(NOTHING, () => {
      this.#isOwing = false;
      this.#webSocket.events?.drained();
    });
  }
}

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

function requestOf({ url = "", headers }: IncomingMessage): HandshakeRequest {
  return { url, headers };
}

function offeredBy(request: IncomingMessage): readonly string[] {
  const offered = request.headers["sec-websocket-protocol"] ?? "";
  return offered.split(",").map((name) => name.trim());
}

/** Answers a handshake that is not to be, with the code of the reason as its body. A load balancer goes on to the next node at a 503. */
function refuse(socket: Duplex, status: number, code: string, retryAfterMs?: number): void {
  // An error without a listener ends the process.
  socket.on("error", () => socket.destroy());
  const retry = retryAfterMs === undefined ? "" : `Retry-After: ${Math.ceil(retryAfterMs / 1000)}\r\n`;
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${retry}Content-Type: text/plain\r\nContent-Length: ${code.length}\r\n\r\n${code}`,
  );
}
