import { SERVER_DEPTH_MAX, errorEntry, jsonCodec, wireErrorOf, type ErrorCategory, type TuttiError } from "@tutti/protocol";
import { tuttiError } from "../errors.js";
import type { Log, LogFields } from "../log.js";
import type { HttpAnswer, HttpExchange } from "./exchange.js";

export const PROBLEM_TYPE = "application/problem+json";

/** What a code is over HTTP, where its category does not say it. */
const STATUS_BY_CODE: ReadonlyMap<string, number> = new Map([
  ["CHANNEL_INVALID", 400],
  ["MESSAGE_TOO_LARGE", 413],
  ["SESSION_REPLACED", 409],
  ["SESSION_MOVED", 410],
  ["SERVER_DRAINING", 503],
  ["OUT_OF_ORDER", 409],
  ["CONDITION_FAILED", 412],
  ["TIMEOUT", 408],
  ["UNAVAILABLE", 503],
]);

const STATUS_BY_CATEGORY: Readonly<Record<ErrorCategory, number>> = {
  connection: 409,
  protocol: 400,
  authentication: 401,
  authorisation: 403,
  validation: 422,
  "rate-limit": 429,
  room: 404,
  delivery: 500,
  server: 500,
  application: 422,
};

/** The status that tells of an error, also to those who do not read on. */
function statusOf(code: string): number {
  return STATUS_BY_CODE.get(code) ?? STATUS_BY_CATEGORY[errorEntry(code).category];
}

/** An error as `application/problem+json` (RFC 9457), with its code as a member. @param members what else it says */
export function problemAnswer(error: TuttiError, status = statusOf(error.code), members: object = {}): HttpAnswer {
  const { message, ...rest } = wireErrorOf(error);
  const { retryAfterMs } = error;
  const problem = { type: `urn:tutti:error:${error.code}`, title: titleOf(error.code), status, detail: message, ...rest, ...members };
  return {
    status,
    headers: {
      "Content-Type": PROBLEM_TYPE,
      "Cache-Control": "no-store",
      ...(status === 401 && { "WWW-Authenticate": "Bearer" }),
      ...(retryAfterMs !== undefined && { "Retry-After": String(Math.ceil(retryAfterMs / 1000)) }),
    },
    body: jsonCodec.encode([problem], SERVER_DEPTH_MAX),
  };
}

/** Answers what went wrong, as far as the client may see it; a stream that has begun is cut. */
export function answerFailure(exchange: HttpExchange, cause: unknown, log: Log, where: LogFields): void {
  const error = tuttiError(cause, log, where);
  if (exchange.phase === "unanswered") exchange.answer(problemAnswer(error));
  else exchange.terminate();
}

/** `ROOM_NOT_FOUND` as `Room not found`. */
function titleOf(code: string): string {
  const words = code.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
