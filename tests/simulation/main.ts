import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { planOf, readCommand, replayCommand, type Choice, type Command } from "./command-line.js";
import type { Violation } from "./violation.js";
import { listOf, type Selection } from "./parts.js";
import { breaks } from "./profiles.js";
import { runSeed } from "./run-seed.js";
import { shrink } from "./shrink.js";
import type { Batch, BatchResult, Failure } from "./worker.js";

const BATCH_SEEDS = 25;
/** A seed's garbage dies with the seed: in a large nursery it is never copied. */
const YOUNG_GENERATION_MB = 192;
const SHOWN_MAX = 5;
const SHOWN_VIOLATIONS_MAX = 8;

/** Where a failure was seen; a seed means nothing without it. */
function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}

async function replay(seed: number, selection: Selection, choice: Choice): Promise<number> {
  const { hash, count, faults, violations, lines } = await runSeed(seed, { ...planOf(choice), selection, keepLines: true });
  console.log(lines.join("\n"));
  console.log(`faults: ${faults.join(", ") || "none"}`);
  showViolations(violations, "");
  console.log(`seed=${seed} events=${count} hash=${hash} violations=${violations.length}`);
  return violations.length;
}

/** Looks for the least of a seed that still fails, and says how to replay it. */
async function shrinkSeed(seed: number, choice: Choice): Promise<number> {
  const plan = planOf(choice);
  const shrunk = await shrink((selection) => runSeed(seed, { ...plan, selection }));
  if (shrunk === undefined) {
    console.log(`seed ${seed} breaks no promise`);
    return 0;
  }
  const { selection, violations, trials } = shrunk;
  console.log(`seed ${seed} shrunk in ${trials} runs to ${selection.untilMs} ms of ${listOf(selection.only).replaceAll(",", ", ")}:`);
  console.log(`  ${replayCommand(seed, choice, selection)}`);
  showViolations(violations, "  ");
  return violations.length;
}

function showViolations(violations: readonly Violation[], indent: string): void {
  for (const { rule, what } of violations.slice(0, SHOWN_VIOLATIONS_MAX)) console.log(`${indent}${rule}: ${what}`);
  if (violations.length > SHOWN_VIOLATIONS_MAX) console.log(`${indent}and ${violations.length - SHOWN_VIOLATIONS_MAX} more`);
}

/** Hands out seeds to one worker on each core, until none are left. */
async function runAll({ from, seeds, ...choice }: Omit<Extract<Command, { kind: "run" }>, "shrink">): Promise<Failure[]> {
  const end = from + seeds;
  const failures: Failure[] = [];
  let next = from;
  const takeBatch = (): Batch | undefined => {
    if (next >= end) return undefined;
    const batch: Batch = { from: next, count: Math.min(BATCH_SEEDS, end - next), choice };
    next += batch.count;
    return batch;
  };
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL("./worker.js", import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } });
      const go = (): void => {
        const batch = takeBatch();
        if (batch === undefined) void worker.terminate().then(() => resolve());
        else worker.postMessage(batch);
      };
      worker.on("message", (result: BatchResult) => {
        failures.push(...result.failures);
        go();
      });
      worker.on("error", reject);
      go();
    });
  await Promise.all(Array.from({ length: Math.max(1, availableParallelism()) }, work));
  return failures.toSorted((a, b) => a.seed - b.seed);
}

function show(failures: readonly Failure[], choice: Choice): void {
  for (const { seed, violations } of failures.slice(0, SHOWN_MAX)) {
    console.log(`seed ${seed} at ${commit()}: ${replayCommand(seed, choice)}`);
    showViolations(violations, "  ");
  }
  if (failures.length > SHOWN_MAX) console.log(`and ${failures.length - SHOWN_MAX} more seeds: ${failures.slice(SHOWN_MAX, 40).map(({ seed }) => seed).join(" ")}`);
}

async function main(command: Command): Promise<number> {
  switch (command.kind) {
    case "list-breaks":
      console.log(Object.keys(breaks).join("\n"));
      return 0;
    case "replay":
      return replay(command.seed, command.selection, command);
    case "shrink":
      return shrinkSeed(command.seed, command);
    case "run": {
      const startedAt = performance.now();
      const failures = await runAll(command);
      const seconds = (performance.now() - startedAt) / 1000;
      show(failures, command);
      const [first] = failures;
      if (command.shrink && first !== undefined) await shrinkSeed(first.seed, command);
      const violations = failures.reduce((sum, failure) => sum + failure.violations.length, 0);
      console.log(`${(command.seeds / seconds).toFixed(0)} seeds a second`);
      console.log(`seeds=${command.seeds} violations=${violations}`);
      return violations;
    }
    default:
      return command satisfies never;
  }
}

try {
  process.exitCode = (await main(readCommand(process.argv.slice(2)))) === 0 ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
