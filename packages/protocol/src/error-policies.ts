import type { ErrorCode } from "./error-registry.js";

/**
 * - `never`: the same again gives the same answer.
 * - `reconnect`: the client reconnects by its backoff.
 * - `refresh`: the client fetches a new token and reconnects.
 * - `backoff`: the client sends the same request again after a pause.
 * - `resend`: the client sends again at once, in order.
 * - `once`: the application may try once more; the client does not by itself.
 */
export type RetryPolicy = "never" | "reconnect" | "refresh" | "backoff" | "resend" | "once";

export interface ErrorPolicy {
  /** `never`, unless given. */
  readonly retry?: RetryPolicy;
  /** The WebSocket close code that ends the connection; without one the connection goes on. */
  readonly closeCode?: number;
}

/**
 * What a client acts on by itself. A code that is not here is not retried, and leaves the connection open: a page loads this much of the
 * registry, and no more.
 */
export const errorPolicies = {
  CONNECTION_LOST: { retry: "reconnect" },
  CONNECT_TIMEOUT: { retry: "reconnect" },
  HEARTBEAT_TIMEOUT: { retry: "reconnect", closeCode: 4100 },
  SLOW_CONSUMER: { retry: "reconnect", closeCode: 4101 },
  SERVER_DRAINING: { retry: "reconnect", closeCode: 4102 },
  SESSION_REPLACED: { closeCode: 4103 },

  MESSAGE_MALFORMED: { closeCode: 4200 },
  MESSAGE_TOO_LARGE: { closeCode: 1009 },
  MESSAGE_TOO_DEEP: { closeCode: 4201 },
  HELLO_REQUIRED: { closeCode: 4202 },
  HELLO_TIMEOUT: { retry: "reconnect", closeCode: 4203 },
  VERSION_UNSUPPORTED: { closeCode: 4204 },

  AUTHENTICATION_REQUIRED: { closeCode: 4300 },
  TOKEN_INVALID: { closeCode: 4301 },
  TOKEN_EXPIRED: { retry: "refresh", closeCode: 4302 },
  USER_CHANGED: { closeCode: 4303 },

  KICKED: { closeCode: 4400 },

  RATE_LIMITED: { retry: "backoff" },
  OUT_OF_ORDER: { retry: "resend" },
  TIMEOUT: { retry: "once" },
  UNAVAILABLE: { retry: "backoff" },
  INTERNAL: { retry: "once" },
} as const satisfies { readonly [Code in ErrorCode]?: ErrorPolicy };

const policies: ReadonlyMap<string, ErrorPolicy> = new Map(Object.entries(errorPolicies));

/** What a client does about a code, also one of the application's own. */
export function retryOf(code: string): RetryPolicy {
  return policies.get(code)?.retry ?? "never";
}

/** The WebSocket close code of a code that ends the connection. */
export function closeCodeOf(code: string): number | undefined {
  return policies.get(code)?.closeCode;
}

/** The code that a WebSocket close code stands for, or `CONNECTION_LOST`. */
export function codeOfClose(closeCode: number): ErrorCode {
  for (const [code, policy] of policies) if (policy.closeCode === closeCode) return code as ErrorCode;
  return "CONNECTION_LOST";
}

/** Whether a publish that was answered with this code is settled: it did not land, and the client does not send it again. */
export function isFinal(code: string): boolean {
  return ["never", "once"].includes(retryOf(code));
}
