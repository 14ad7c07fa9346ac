import { parentPort } from "node:worker_threads";
import { planOf, type Choice } from "./command-line.js";
import type { Violation } from "./violation.js";
import { runSeed } from "./run-seed.js";

/** Seeds to run, one after the other. */
export interface Batch {
  readonly from: number;
  readonly count: number;
  readonly choice: Choice;
}

export interface Failure {
  readonly seed: number;
  readonly violations: readonly Violation[];
}

export interface BatchResult {
  readonly failures: readonly Failure[];
}

async function run({ from, count, choice }: Batch): Promise<BatchResult> {
  const plan = planOf(choice);
  const failures: Failure[] = [];
  for (let seed = from; seed < from + count; seed++) {
    const { violations } = await runSeed(seed, plan);
    if (violations.length > 0) failures.push({ seed, violations });
  }
  return { failures };
}

// A run throws thousands of errors that nobody reads; a replay, which is read, has their stacks.
Error.stackTraceLimit = 0;
parentPort?.on("message", (batch: Batch) => {
  run(batch).then(
    (result) => parentPort?.postMessage(result),
    // Ends the worker, which a rejection would not: while a seed runs, those are noted.
    (error: unknown) =>
      setImmediate(() => {
        throw error;
      }),
  );
});
