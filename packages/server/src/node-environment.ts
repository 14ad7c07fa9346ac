import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Environment } from "@tutti/protocol";

/** Time, timers and randomness of Node. */
export function nodeEnvironment(): Environment {
  return {
    now: Date.now,
    elapsed: () => performance.now(),
    after(delayMs, task) {
      const timer = setTimeout(task, delayMs);
      return () => clearTimeout(timer);
    },
    // After the input of this turn: `queueMicrotask` would run between two reads and collapse batches to one read's worth.
    defer: (task) => void setImmediate(task),
    random: Math.random,
    id: () => randomBytes(16).toString("base64url"),
  };
}
