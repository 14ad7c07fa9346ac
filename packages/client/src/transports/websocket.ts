import type { Link, LinkEvents, Transport } from "../transport.js";

/** The part of a `WebSocket` that is used; the browser's has it, and that of `ws`. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  addEventListener(type: string, listener: (event: { readonly data?: unknown; readonly code?: number; readonly reason?: string }) => void): void;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
}

export interface WebSocketTransportOptions {
  /** The constructor; the platform's by default. On Node before 22 pass that of `ws`. */
  readonly WebSocket?: unknown;
}

const OPEN = 1;
const ABNORMAL = 1006;

/** In a page `/v1/connect` is enough of a URL. */
function absolute(url: string): string {
  return typeof location === "undefined" ? url : new URL(url, location.href).href.replace(/^http/, "ws");
}

/** @throws TypeError where the platform has no `WebSocket` and none is given */
export function webSocketTransport(options: WebSocketTransportOptions = {}): Transport {
  const given = options.WebSocket ?? globalThis.WebSocket;
  if (typeof given !== "function") throw new TypeError("pass webSocketTransport({ WebSocket })");
  const Socket = given as new (url: string, subprotocol: string) => WebSocketLike;
  return { name: "websocket", open: (url, subprotocol, events) => link(new Socket(absolute(url), subprotocol), events) };
}

function link(socket: WebSocketLike, events: LinkEvents): Link {
  // After `close` nobody listens any more.
  let listener: LinkEvents | undefined = events;
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => listener?.opened());
  socket.addEventListener("message", ({ data }) => listener?.message(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer)));
  socket.addEventListener("close", ({ code, reason }) => listener?.closed(code ?? ABNORMAL, reason ?? ""));
  // Always followed by a close, which says more; without a listener `ws` would throw.
  socket.addEventListener("error", () => {});
  return {
    send: (data) => socket.readyState === OPEN && socket.send(data),
    close(code, reason) {
      listener = undefined;
      socket.close(code, reason);
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
  };
}
