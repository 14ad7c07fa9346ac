import type { Encoded, Received } from "@tutti/protocol";

/** What the client hears of a link. After `closed` nothing more is called. */
export interface LinkEvents {
  opened(): void;
  message(data: Received): void;
  closed(closeCode: number, reason: string): void;
}

/** One open, or opening, connection of a transport. */
export interface Link {
  /** Sends a message; what cannot be sent is lost with the link. */
  send(data: Encoded): void;
  /** Ends the link. What it still says is not listened to. */
  close(closeCode: number, reason: string): void;
}

/** Moves messages between the client and a server. */
export interface Transport {
  readonly name: string;
  open(url: string, subprotocol: string, events: LinkEvents): Link;
}
