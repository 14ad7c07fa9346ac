import { TuttiError } from "@tutti/protocol";
import type { Log, LogFields } from "./log.js";

/** The error as the client may see it: what is no `TuttiError` is logged and becomes `INTERNAL`, without a detail. */
export function tuttiError(error: unknown, log: Log, where: LogFields): TuttiError {
  if (error instanceof TuttiError) return error;
  log.error("a handler failed", { ...where, error });
  return new TuttiError("INTERNAL", { message: "the server failed at this", cause: error });
}
