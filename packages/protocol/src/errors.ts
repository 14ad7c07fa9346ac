
/** What the client's application does about an error, by category (requirement E1). */
export type ErrorCategory =
  | "connection"
  | "protocol"
  | "authentication"
  | "authorisation"
  | "validation"
  | "rate-limit"
  | "room"
  | "delivery"
  | "server"
  | "application";

/**
 * - `never`: the same again gives the same answer.
 * - `reconnect`: the client reconnects by its backoff.
 * - `refresh`: the client fetches a new token and reconnects.
 * - `backoff`: the client sends the same request again after a pause.
 * - `resend`: the client sends again at once, in order.
 * - `once`: the application may try once more; the client does not by itself.
 */
export type RetryPolicy = "never" | "reconnect" | "refresh" | "backoff" | "resend" | "once";

export interface ErrorEntry {
  readonly category: ErrorCategory;
  readonly retry: RetryPolicy;
  /** The WebSocket close code that ends the connection; without one the connection goes on. */
  readonly closeCode?: number;
}

/** Every code that Tutti itself uses. What to do about each is in `remedies`. */
export const errorRegistry = {
  CONNECTION_LOST: { category: "connection", retry: "reconnect" },
  CONNECT_TIMEOUT: { category: "connection", retry: "reconnect" },
  HEARTBEAT_TIMEOUT: { category: "connection", retry: "reconnect", closeCode: 4100 },
  SLOW_CONSUMER: { category: "connection", retry: "reconnect", closeCode: 4101 },
  SERVER_DRAINING: { category: "connection", retry: "reconnect", closeCode: 4102 },
  SESSION_REPLACED: { category: "connection", retry: "never", closeCode: 4103 },
  RETRIES_EXHAUSTED: { category: "connection", retry: "never" },
  CLIENT_CLOSED: { category: "connection", retry: "never" },
  NOT_CONNECTED: { category: "connection", retry: "never" },

  MESSAGE_MALFORMED: { category: "protocol", retry: "never", closeCode: 4200 },
  MESSAGE_TOO_LARGE: { category: "protocol", retry: "never", closeCode: 1009 },
  MESSAGE_TOO_DEEP: { category: "protocol", retry: "never", closeCode: 4201 },
  FRAME_INVALID: { category: "protocol", retry: "never" },
  FRAME_UNKNOWN: { category: "protocol", retry: "never" },
  HELLO_REQUIRED: { category: "protocol", retry: "never", closeCode: 4202 },
  HELLO_TIMEOUT: { category: "protocol", retry: "reconnect", closeCode: 4203 },
  VERSION_UNSUPPORTED: { category: "protocol", retry: "never", closeCode: 4204 },

  AUTHENTICATION_REQUIRED: { category: "authentication", retry: "never", closeCode: 4300 },
  TOKEN_INVALID: { category: "authentication", retry: "never", closeCode: 4301 },
  TOKEN_EXPIRED: { category: "authentication", retry: "refresh", closeCode: 4302 },
  USER_CHANGED: { category: "authentication", retry: "never", closeCode: 4303 },

  FORBIDDEN: { category: "authorisation", retry: "never" },
  ORIGIN_FORBIDDEN: { category: "authorisation", retry: "never" },
  SUBSCRIPTION_REVOKED: { category: "authorisation", retry: "never" },
  KICKED: { category: "authorisation", retry: "never", closeCode: 4400 },

  PAYLOAD_INVALID: { category: "validation", retry: "never" },
  TYPE_UNKNOWN: { category: "validation", retry: "never" },
  CHANNEL_INVALID: { category: "validation", retry: "never" },
  CONTRACT_INVALID: { category: "validation", retry: "never" },

  RATE_LIMITED: { category: "rate-limit", retry: "backoff" },
  LIMIT_EXCEEDED: { category: "rate-limit", retry: "never" },

  ROOM_NOT_FOUND: { category: "room", retry: "never" },
  NOT_SUBSCRIBED: { category: "room", retry: "never" },

  OUT_OF_ORDER: { category: "delivery", retry: "resend" },
  OUTCOME_UNKNOWN: { category: "delivery", retry: "never" },
  CONDITION_FAILED: { category: "delivery", retry: "never" },
  QUEUE_FULL: { category: "delivery", retry: "never" },
  QUEUE_EXPIRED: { category: "delivery", retry: "never" },
  STORAGE_FAILED: { category: "delivery", retry: "never" },
  REWIND_UNSUPPORTED: { category: "validation", retry: "never" },
  TIMEOUT: { category: "delivery", retry: "once" },

  UNAVAILABLE: { category: "server", retry: "backoff" },
  STORAGE_IN_USE: { category: "server", retry: "never" },
  INTERNAL: { category: "server", retry: "once" },
} as const satisfies Record<string, ErrorEntry>;

/** A code of the registry. */
export type ErrorCode = keyof typeof errorRegistry;

const entries: ReadonlyMap<string, ErrorEntry> = new Map(Object.entries(errorRegistry));

/** What a code of the application's own, or of a newer protocol, is taken for. */
const foreign: ErrorEntry = { category: "application", retry: "never" };

/** The registry's entry for a code; codes that it does not have are the application's, and are not retried. */
export function errorEntry(code: string): ErrorEntry {
  return entries.get(code) ?? foreign;
}

/** The code that a WebSocket close code stands for, or `CONNECTION_LOST`. */
export function codeOfClose(closeCode: number): ErrorCode {
  for (const [code, entry] of entries) if (entry.closeCode === closeCode) return code as ErrorCode;
  return "CONNECTION_LOST";
}

/** Whether a publish that was answered with this code is settled: it did not land, and the client does not send it again. */
export function isFinal(code: string): boolean {
  const { retry } = errorEntry(code);
  return retry === "never" || retry === "once";
}

/** An error as it travels. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  /** The path of the field that is wrong, for example `payload.title`. */
  readonly field?: string;
  /** When to try again, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** What the application added. */
  readonly data?: unknown;
}

export interface TuttiErrorOptions {
  readonly message?: string;
  readonly field?: string;
  readonly retryAfterMs?: number;
  readonly data?: unknown;
  readonly cause?: unknown;
}

/**
 * The one error of Tutti. Branch on `code`, never on `message`.
 *
 * An application throws it from its handlers, with a code of the registry or one of its own:
 * `throw new TuttiError("CANVAS_LOCKED", { message: "Somebody is presenting." })`.
 */
export class TuttiError extends Error {
  override readonly name = "TuttiError";
  readonly code: ErrorCode | (string & {});
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly data: unknown;

  constructor(code: ErrorCode | (string & {}), options: TuttiErrorOptions = {}) {
    super(options.message ?? code, options);
    this.code = code;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
    this.data = options.data;
  }

  get category(): ErrorCategory {
    return errorEntry(this.code).category;
  }

  get retry(): RetryPolicy {
    return errorEntry(this.code).retry;
  }

  static fromWire(error: WireError): TuttiError {
    return new TuttiError(error.code, error);
  }
}
