import { TuttiError, assertSendable } from "@tutti/protocol";
import type { Log, LogFields } from "./log.js";

/** The error as the client may see it: what is no `TuttiError` is logged and becomes `INTERNAL`, without a detail. It can always be sent. */
export function tuttiError(error: unknown, log: Log, where: LogFields): TuttiError {
  if (error instanceof TuttiError) return sendable(error, log, where);
  log.error("a handler failed", { ...where, error });
  return new TuttiError("INTERNAL", { message: "the server failed at this", cause: error });
}

/** The error without data that cannot travel: the client waits for an answer all the same. */
function sendable(error: TuttiError, log: Log, where: LogFields): TuttiError {
  if (error.data === undefined) return error;
  try {
    assertSendable(error.data);
    return error;
  } catch (cause) {
    log.error("the data of an error cannot be sent", { ...where, code: error.code, error: cause });
    const { data: _data, ...rest } = error.toWire();
    return TuttiError.fromWire(rest);
  }
}
