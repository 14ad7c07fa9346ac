import type { Encoded } from "@tutti/protocol";
import type { Link, LinkEvents, Transport } from "../transport.js";

interface WebSocketEvent {
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

/** The part of a `WebSocket` that is used; the browser's has it, and that of `ws`. */
export interface WebSocketLike {
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
  // After `close` nobody listens any more.
  let isOver = false;
  const on = (type: string, listener: (event: WebSocketEvent) => void): void => socket.addEventListener(type, (event) => isOver || listener(event));
  on("open", () => events.opened());
  // The JSON codec is text; what is none it refuses.
  on("message", ({ data }) => events.message(data as Encoded));
  on("close", ({ code = 0, reason = "" }) => events.closed(code, reason));
  // Always followed by a close, which says more; without a listener `ws` would throw.
  on("error", () => {});
  return {
    send: (data) => socket.send(data),
    close(code, reason) {
      isOver = true;
      socket.close(code, reason);
    },
  };
}
