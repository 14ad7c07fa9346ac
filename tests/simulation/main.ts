import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { planOf, readCommand, replayCommand, type Choice, type Command } from "./command-line.js";
import { breaks } from "./profiles.js";
import { runSeed } from "./run-seed.js";
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

async function replay(seed: number, choice: Choice): Promise<number> {
  const { hash, count, faults, violations, lines } = await runSeed(seed, { ...planOf(choice), keepLines: true });
  console.log(lines.join("\n"));
  console.log(`faults: ${faults.join(", ") || "none"}`);
  for (const { rule, what } of violations) console.log(`${rule}: ${what}`);
  console.log(`seed=${seed} events=${count} hash=${hash} violations=${violations.length}`);
  return violations.length;
}

/** Hands out seeds to one worker on each core, until none are left. */
async function runAll({ from, seeds, ...choice }: Extract<Command, { kind: "run" }>): Promise<Failure[]> {
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
    for (const { rule, what } of violations.slice(0, SHOWN_VIOLATIONS_MAX)) console.log(`  ${rule}: ${what}`);
    if (violations.length > SHOWN_VIOLATIONS_MAX) console.log(`  and ${violations.length - SHOWN_VIOLATIONS_MAX} more`);
  }
  if (failures.length > SHOWN_MAX) console.log(`and ${failures.length - SHOWN_MAX} more seeds: ${failures.slice(SHOWN_MAX, 40).map(({ seed }) => seed).join(" ")}`);
}

async function main(command: Command): Promise<number> {
  switch (command.kind) {
    case "list-breaks":
      console.log(Object.keys(breaks).join("\n"));
      return 0;
    case "replay":
      return replay(command.seed, command);
    case "run": {
      const startedAt = performance.now();
      const failures = await runAll(command);
      show(failures, command);
      const seconds = (performance.now() - startedAt) / 1000;
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
