/**
 * How the load speaks to one peer over WebSockets. Every peer's wire is used in the same way, so that the load costs each of them the same:
 * a message is told by its head, and only a sample of the messages is read.
 */

/** What of an event the load itself put into its payload. */
export interface Mark {
  /** The publisher, by its number in the load. */
  readonly p: number;
  /** The how manieth of that publisher; from 0 on. */
  readonly i: number;
  /** When it was to be sent, by the load's monotonic clock in ms; whether it was sent late is part of its latency. */
  readonly t: number;
}

/** What a message says. */
export interface Received {
  /** Deliveries of events or signals, in their order. */
  readonly marks?: readonly Mark[];
  /** Publishes that were acknowledged, by the id that {@link Wire.publish} was given. */
  readonly acks?: readonly number[];
  /** What to answer at once, for example to a ping. */
  readonly answer?: string;
  /** A publish or a subscription that was refused; ends the run. */
  readonly problem?: string;
}

/** What the head of a message tells. */
export type Identity =
  /** One event by itself. */
  | "event"
  /** A frame that bears no message. */
  | "none"
  /** For this connection alone, or not told by its head: is read. */
  | "own"
  /** Many connections get these bytes; what this key stood for once, it stands for again. */
  | { readonly key: string };

/** Who is to join. */
export interface Joining {
  /** From 0 on, unique among those who publish at the same time. */
  readonly member: number;
  readonly channels: readonly string[];
  readonly token: string;
  /** What {@link Wire.remember} returned to somebody who was here before, where the member is to recover what came since. */
  readonly resume?: unknown;
}

/** Who joins, or comes back. */
export interface Arriving extends Joining {
  /** 32 characters: the same whenever the member comes back, and nobody else's. */
  readonly session: string;
}

/**
 * What is said until a member is in: yields the messages to send, none to wait for one more, and is given the next text that arrives (not those
 * that bear deliveries alone need be expected: it looks at what concerns it). Returns when the member is subscribed.
 */
export type Conversation = Generator<readonly string[], void, string>;

export interface Wire {
  /** Where the WebSocket is opened. */
  readonly path: string;
  readonly subprotocol?: string;
  /** How many bytes of a message {@link identify} looks at, at most. */
  readonly headBytes: number;
  identify(bytes: Buffer, start: number, end: number, length: number): Identity;
  read(text: string): Received;
  join(arriving: Arriving): Conversation;
  /** The payload is JSON text with a {@link Mark} and padding. `n` counts this member's publishes to the channel, from 1 on. */
  publish(channel: string, id: number, n: number, payload: string): string;
  /** A volatile message to everybody in the channel, as the peer has it; nobody acknowledges it. */
  signal(channel: string, payload: string): string;
  /** What the client has to send every 25 s, where it is the client that has to. */
  readonly ping?: string;
  /**
   * What a member has to remember to come back with, after it read a text: called in runs that recover, for every text. Returns what
   * {@link Arriving.resume} will be.
   */
  remember?(before: unknown, text: string): unknown;
}
