// oxlint-disable no-restricted-globals -- an edge: what the cores are given where the application gives nothing else
import { inspect } from "node:util";
import type { Log, LogFields } from "./log.js";

/** One line of JSON for each message, on the standard error, from `warn` on. */
export function consoleLog(): Log {
  const write = (level: string, message: string, fields: LogFields = {}): void => {
    process.stderr.write(`${JSON.stringify({ level, time: new Date().toISOString(), message, ...printable(fields) })}\n`);
  };
  return {
    info: () => {},
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
  };
}

/** Whatever was thrown can be written, with its stack and its cause; JSON would show nothing of an `Error`, and fail at a cycle. */
function printable(fields: LogFields): LogFields {
  const isSimple = (value: unknown): boolean => typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, isSimple(value) ? value : inspect(value)]));
}
