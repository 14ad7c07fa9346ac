import type { Log, LogFields } from "./log.js";

/** One line of JSON for each message, on the standard error, from `warn` on. */
export function consoleLog(): Log {
  const write = (level: string, message: string, fields: LogFields | undefined): void => {
    process.stderr.write(`${JSON.stringify({ level, time: new Date().toISOString(), message, ...fields }, errorsAsText)}\n`);
  };
  return {
    info: () => {},
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
  };
}

/** An `Error` has no enumerable fields, so JSON would show nothing of it. */
function errorsAsText(_key: string, value: unknown): unknown {
  return value instanceof Error ? (value.stack ?? value.message) : value;
}
