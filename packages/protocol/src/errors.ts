import { retryOf, type RetryPolicy } from "./error-policies.js";
import type { ErrorCode } from "./error-registry.js";

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

  /** What the client does about it by itself. How people are told is a matter of its category: `errorEntry(code).category`. */
  get retry(): RetryPolicy {
    return retryOf(this.code);
  }

  static fromWire(error: WireError): TuttiError {
    return new TuttiError(error.code, error);
  }
}
