import type { Received } from "@tutti/protocol";
import type { Link, LinkEvents, Transport } from "../transport.js";

/** What is read of the events that are listened to. */
interface WebSocketEvent {
  readonly data: Received;
  readonly code: number;
  readonly reason: string;
}

/** The part of a `WebSocket` that is used; the browser's has it, and that of `ws`. */
export interface WebSocketLike {
  binaryType: string;
  addEventListener(type: string, listener: (event: WebSocketEvent) => void): void;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
}

type WebSocketConstructor = new (url: string, subprotocol: string) => WebSocketLike;

export interface WebSocketTransportOptions {
  /** The constructor; the platform's by default. On Node before 22 pass that of `ws`. */
  readonly WebSocket?: unknown;
}

/** In a page `/v1/connect` is enough of a URL. */
function absolute(url: string): string {
  return typeof location === "undefined" ? url : new URL(url, location.href).href.replace(/^http/, "ws");
}

/** @throws TypeError where the platform has no `WebSocket` and none is given */
export function webSocketTransport({ WebSocket: Socket = globalThis.WebSocket }: WebSocketTransportOptions = {}): Transport {
  if (typeof Socket !== "function") throw new TypeError("no WebSocket");
  return { name: "websocket", open: (url, subprotocol, events) => link(new (Socket as WebSocketConstructor)(absolute(url), subprotocol), events) };
}

function link(socket: WebSocketLike, events: LinkEvents): Link {
  const on = (type: string, listener: (event: WebSocketEvent) => void): void => socket.addEventListener(type, listener);
  // Else a page gets a `Blob`, whose bytes come later than what follows it.
  socket.binaryType = "arraybuffer";
  on("open", () => events.opened());
  on("message", ({ data }) => events.message(data));
  on("close", ({ code, reason }) => events.closed(code, reason));
  // Always followed by a close, which says more; without a listener `ws` would throw.
  on("error", () => {});
  return socket;
}
