import { jsonCodec, present, type Codec, type Contract, type Environment } from "@tutti/protocol";
import type { Lifecycle } from "./lifecycle.js";
import type { ClientStorage } from "./session-home.js";
import type { Transport } from "./transport.js";

/**
 * Switches off one guard of the client each. For the testkit alone: a simulation that finds no violation without a guard cannot see.
 */
export interface Guards {
  /** Events at or below the last position are not dropped. */
  readonly dedupe?: false;
  /** Subscribes again without `since`, and does not look whether positions follow one another. */
  readonly recovery?: false;
  /** Sends again the newest first, and claims that everything before it is settled. */
  readonly order?: false;
  /** Takes a publish for settled when it was sent. */
  readonly ack?: false;
}

/** The numbers of a client. Each is an option. */
export interface ClientNumbers {
  /** How often the client pings. Without it, what the server's welcome says (25 s). */
  readonly heartbeatIntervalMs?: number | undefined;
  /** How long it waits for the pong. Without it, what the server's welcome says (5 s). */
  readonly heartbeatTimeoutMs?: number | undefined;
  /** From the start of an attempt to the welcome. */
  readonly connectTimeoutMs: number;
  /** The pauses before the first, second … reconnect; the last one repeats. */
  readonly reconnectDelaysMs: readonly number[];
  /** The most that is added to a pause by chance. */
  readonly reconnectJitterMs: number;
  readonly reconnectAttemptsMax: number;
  /** How long a connection has to stay up before the attempts start anew. */
  readonly stableAfterMs: number;
  /** After which the connection of an unanswered request is taken for dead. */
  readonly ackTimeoutMs: number;
  readonly callTimeoutMs: number;
  /** The least time between two signals of a type in a channel. */
  readonly signalIntervalMs: number;
  /** How many publishes of all channels may wait for their ack, and how many calls for their reply. */
  readonly queueCountMax: number;
  readonly queueBytesMax: number;
  /** For how long a publish may wait; after that it is not sent any more. Less than the server remembers its publishers (`deduplicationMs`). */
  readonly queueAgeMsMax: number;
  /** How many publishes of a channel may be under way. */
  readonly inFlightMax: number;
  /** After how long without a sign of the person the activity becomes `idle`. */
  readonly idleAfterMs: number;
}

export interface ClientOptions<C extends Contract = Contract> extends Partial<ClientNumbers> {
  /** The server's WebSocket, `wss://example.com/v1/connect`; in a page a path is enough. */
  readonly url: string;
  /** Gives types, and validation on this end. Without it nothing is validated or typed. */
  readonly contract?: C;
  /** Who the user is. A function is called at first and again whenever a new token is needed. */
  readonly token?: string | (() => string | Promise<string>);
  /** What connects, for the server's metadata. */
  readonly client?: { readonly name: string; readonly version: string };
  readonly environment?: Environment;
  readonly transport?: Transport;
  /** How messages are written: as JSON, unless given. The server has to have it too (`codecs`), else the client ends with `VERSION_UNSUPPORTED`. */
  readonly codec?: Codec;
  /**
   * Keeps the session, what waits to be published, and the last state of channels, over a reload or a closed tab: `indexedDbStorage()` in a
   * page, `fileStorage(path)` in Node.js. With it a publish is stored before it is sent, and what an earlier page left is sent by this one,
   * under the numbers that it had. Where it cannot be opened, the client surfaces `STORAGE_FAILED` and goes on in memory; a publish that cannot
   * be stored ends with `STORAGE_FAILED`, is taken back and not sent. Without a storage everything lives as long as the client.
   */
  readonly storage?: ClientStorage;
  /**
   * Any name that the application has for the person at it, before the server says who that is. What another owner left in the storage is
   * cleared before it is shown, also without a connection. Without it, that waits for the welcome, and what somebody publishes in a page that
   * is never welcomed is taken for the publishes of who had the session before.
   */
  readonly owner?: string;
  /**
   * What happens to a publish where the queue is full: it is refused, or the oldest ones of its channel that were never sent are taken back
   * to make room, where that is enough. Either ends with `QUEUE_FULL`.
   */
  readonly queueFull?: "reject" | "drop-oldest";
  readonly lifecycle?: Lifecycle;
  /** Gets a line for each frame, without payloads and tokens. In a page `localStorage.debug = "tutti"` does the same. */
  readonly debug?: (line: string) => void;
  /** @internal */
  readonly guards?: Guards;
}

const defaults = {
  connectTimeoutMs: 10_000,
  reconnectDelaysMs: [1_000, 2_000, 4_000, 8_000, 16_000, 30_000],
  reconnectJitterMs: 500,
  reconnectAttemptsMax: 12,
  stableAfterMs: 5_000,
  ackTimeoutMs: 10_000,
  callTimeoutMs: 10_000,
  signalIntervalMs: 50,
  queueCountMax: 1_000,
  queueBytesMax: 1024 * 1024,
  queueAgeMsMax: 7 * 86_400_000,
  inFlightMax: 32,
  idleAfterMs: 60_000,
  watchMs: 25_000,
  codec: jsonCodec as Codec,
  guards: {} as Guards,
};

export interface ClientConfig extends ClientNumbers {
  readonly codec: Codec;
  readonly guards: Guards;
  readonly queueFull?: ClientOptions["queueFull"];
  readonly watchMs: number;
}

export function configOf(options: ClientOptions): ClientConfig {
  return { ...defaults, ...present(options) };
}
