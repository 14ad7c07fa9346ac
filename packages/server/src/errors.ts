import { TuttiError, assertSendable, wireErrorOf } from "@tutti/protocol";
import type { Log, LogFields } from "./log.js";

/** The error as the client may see it: what is no `TuttiError` is logged and becomes `INTERNAL`, without a detail. It can always be sent. */
export function tuttiError(error: unknown, log: Log, where: LogFields): TuttiError {
  if (error instanceof TuttiError) return sendable(error, log, where);
  log.error("a handler failed", { ...where, error });
  return new TuttiError("INTERNAL", { message: "the server failed at this", cause: error });
}

/** The error without what cannot travel: the client waits for an answer all the same. */
function sendable(error: TuttiError, log: Log, where: LogFields): TuttiError {
  const { data, retryAfterMs } = error;
  if (data === undefined && retryAfterMs === undefined) return error;
  const { data: _data, retryAfterMs: _retryAfterMs, ...rest } = wireErrorOf(error);
  return new TuttiError(error.code, { ...rest, ...sendableData(error, log, where), ...wholeMs(retryAfterMs) });
}

function sendableData({ code, data }: TuttiError, log: Log, where: LogFields): { readonly data?: unknown } {
  try {
    assertSendable(data);
    return { data };
  } catch (cause) {
    log.error("the data of an error cannot be sent", { ...where, code, error: cause });
    return {};
  }
}

/** A pause that somebody computed: a client reads whole milliseconds, and no others. */
function wholeMs(retryAfterMs: number | undefined): { readonly retryAfterMs?: number } {
  return Number.isFinite(retryAfterMs) ? { retryAfterMs: Math.max(0, Math.ceil(Number(retryAfterMs))) } : {};
}
