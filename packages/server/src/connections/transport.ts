import type { Codec } from "@tutti/protocol";
import type { Packet } from "./packet.js";

/** What a transport offers the hub for one connection. */
export interface ServerTransport {
  /** `websocket`, `sse`, … */
  readonly name: string;
  /** Of the other end; empty where it is not known, or not any more. */
  readonly remoteAddress: string;
  /** What both ends agreed to speak; JSON, where they were not asked. */
  readonly codec?: Codec;
  /** How long its client may let pass between two signs of life because it only polls, in milliseconds; without it, heartbeats say. */
  readonly pollIntervalMs?: number;
  /**
   * The hello came with what opened it, and so may be read long after its client has given it up, by a node that stood still: that such a connection came
   * after another one proves nothing. A WebSocket says hello when it has heard that it is open.
   */
  readonly carriesHello?: boolean;
  /** What was sent and has not left this process yet, in bytes. */
  readonly bufferedBytes: number;
  /** Sends messages, in order, with as few system calls as it can. Never throws; what cannot be sent is lost with the connection. */
  send(packets: readonly Packet[]): void;
  /** Says goodbye properly, then ends. */
  close(closeCode: number, reason: string): void;
  /** Ends at once. */
  terminate(): void;
}

/** What the hub wants to hear of a connection; the transport calls it. */
export interface ConnectionEvents {
  /** A whole message arrived. */
  message(data: string | Uint8Array): void;
  /** Bytes arrived that are no message, for example a WebSocket ping. */
  alive(): void;
  /** What a {@link ServerTransport.send} left buffered has left. Owed after each that did: until then nothing more is sent. */
  drained(): void;
  /** The transport ended, by whichever side. Called once. */
  closed(): void;
}

/** What is known of a client before its first frame. */
export interface Handshake {
  /** Empty where it is not known, or not any more. */
  readonly remoteAddress: string;
  /** What opened the connection, over HTTP. It is there while the connection says hello and is not kept: a refresh is without it. */
  readonly request?: HandshakeRequest;
}

/** The HTTP request that opened a connection. */
export interface HandshakeRequest {
  readonly url: string;
  /** Lower-case header names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}
