import type { Encoded, Received } from "@tutti/protocol";
import type { TransportWarning } from "./choose-transport.js";

/** What the client hears of a link. Nothing is called before `open` has returned, and nothing after `closed`. */
export interface LinkEvents {
  /** The hello may be sent. */
  opened(): void;
  message(data: Received): void;
  /**
   * The link has ended. From 4000 on, `closeCode` is the server's word; 1006 says that nobody said why: what stands in between refused the link,
   * or broke it.
   */
  closed(closeCode: number, reason: string): void;
  /**
   * A better link can be had: the client closes this one and opens another, at once and without counting a failure; unless an answer is awaited
   * over this one, then nothing happens.
   */
  renew?(): void;
}

/** One open, or opening, connection of a transport. */
export interface Link {
  /** Sends a message; what cannot be sent is lost with the link. */
  send(data: Encoded): void;
  /** Ends the link. What it still says is not listened to. */
  close(closeCode: number, reason: string): void;
}

/** A transport that was not used, and what it was found to be: `refused`, `slow` to open, `silent` after the hello, or `unsteady`. */
export interface PassedOver {
  readonly name: string;
  readonly outcome: "refused" | "slow" | "silent" | "unsteady";
}

/** Which transport is in use, and why. */
export interface TransportInfo {
  /** Of the one in use, or that was used last; `none` before the first. */
  readonly name: string;
  /** Why this one, for people; a transport that has no choice says nothing. */
  readonly reason?: string | undefined;
  /** Those that would have been better, and were tried. */
  readonly passedOver?: readonly PassedOver[] | undefined;
  /** What this transport is not good enough for. */
  readonly warning?: TransportWarning | undefined;
}

/** Moves messages between the client and a server. */
export interface Transport extends TransportInfo {
  /** Begins to open a link. @throws where it cannot even be begun, which is as if it had been refused */
  open(url: string, subprotocol: string, events: LinkEvents): Link;
}
