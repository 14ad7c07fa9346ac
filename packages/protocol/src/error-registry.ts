import { closeCodeOf, retryOf, type ErrorPolicy, type RetryPolicy } from "./error-policies.js";
import { present } from "./present.js";

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

export interface ErrorEntry extends ErrorPolicy {
  readonly category: ErrorCategory;
  readonly retry: RetryPolicy;
}

/** Every code that Tutti itself uses. */
const categories = {
  CONNECTION_LOST: "connection",
  CONNECT_TIMEOUT: "connection",
  HEARTBEAT_TIMEOUT: "connection",
  SLOW_CONSUMER: "connection",
  SERVER_DRAINING: "connection",
  SESSION_REPLACED: "connection",
  SESSION_MOVED: "connection",
  RETRIES_EXHAUSTED: "connection",
  CLIENT_CLOSED: "connection",
  NOT_CONNECTED: "connection",

  MESSAGE_MALFORMED: "protocol",
  MESSAGE_TOO_LARGE: "protocol",
  MESSAGE_TOO_DEEP: "protocol",
  FRAME_INVALID: "protocol",
  FRAME_UNKNOWN: "protocol",
  HELLO_REQUIRED: "protocol",
  HELLO_TIMEOUT: "protocol",
  VERSION_UNSUPPORTED: "protocol",

  AUTHENTICATION_REQUIRED: "authentication",
  TOKEN_INVALID: "authentication",
  TOKEN_EXPIRED: "authentication",
  USER_CHANGED: "authentication",

  FORBIDDEN: "authorisation",
  ORIGIN_FORBIDDEN: "authorisation",
  SUBSCRIPTION_REVOKED: "authorisation",
  KICKED: "authorisation",

  PAYLOAD_INVALID: "validation",
  TYPE_UNKNOWN: "validation",
  CHANNEL_INVALID: "validation",
  CONTRACT_INVALID: "validation",

  RATE_LIMITED: "rate-limit",
  LIMIT_EXCEEDED: "rate-limit",

  ROOM_NOT_FOUND: "room",
  NOT_SUBSCRIBED: "room",

  OUT_OF_ORDER: "delivery",
  OUTCOME_UNKNOWN: "delivery",
  CONDITION_FAILED: "delivery",
  QUEUE_FULL: "delivery",
  QUEUE_EXPIRED: "delivery",
  STORAGE_FAILED: "delivery",
  REWIND_UNSUPPORTED: "validation",
  TIMEOUT: "delivery",

  UNAVAILABLE: "server",
  STORAGE_IN_USE: "server",
  INTERNAL: "server",
} as const satisfies Record<string, ErrorCategory>;

/** A code of the registry. */
export type ErrorCode = keyof typeof categories;

/**
 * Policies that a client follows without knowing the code: a close code that it does not know is a lost connection to it. They stand here, so that
 * no page loads them.
 */
const unlisted: ReadonlyMap<string, ErrorPolicy> = new Map([["SESSION_MOVED", { retry: "reconnect", closeCode: 4104 }]]);

function entryOf([code, category]: readonly [string, ErrorCategory]): readonly [string, ErrorEntry] {
  const { retry = retryOf(code), closeCode = closeCodeOf(code) }: ErrorPolicy = unlisted.get(code) ?? {};
  return [code, { category, retry, ...present({ closeCode }) }];
}

const entries: ReadonlyMap<string, ErrorEntry> = new Map(Object.entries(categories).map(entryOf));

/** Every code that Tutti itself uses, with what is known of it. What to do about each is in `remedies`. */
export const errorRegistry = Object.fromEntries(entries) as Readonly<Record<ErrorCode, ErrorEntry>>;

/** What a code of the application's own, or of a newer protocol, is taken for. */
const foreign: ErrorEntry = { category: "application", retry: "never" };

/** The registry's entry for a code; codes that it does not have are the application's, and are not retried. */
export function errorEntry(code: string): ErrorEntry {
  return entries.get(code) ?? foreign;
}
