// What is too long for CI: many seeds of every profile, in slices, many kills of real processes, and rounds of a real cluster with faults. The last
// line is the summary.
//
//   npm run soak -- [--minutes N] [--profile NAME] [--from SEED] [--seeds N] [--rounds N] [--cluster N] [--progress FILE]
//
// --minutes   begins nothing more after so long
// --profile   only the seeds of this one, no kills and no cluster
// --from      the first seed (1)
// --seeds     how many of each profile (20,000); 0 for none
// --rounds    how many kills in each test of them (50); 0 for none
// --cluster   how many rounds of three nodes on Redis behind nginx, of two minutes each (20); 0 for none
// --progress  where it writes what is done, so that the same command goes on where it was interrupted
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./workspaces.mjs";

const sliceSeeds = 5_000;
const simulation = "tests/dist/simulation/main.js";
const killTests = "tests/integration/durable";
const chaos = "tests/dist/integration/chaos/main.js";

/**
 * What a run was asked for, and what of it is done.
 * @typedef {{ from: number, seeds: number, rounds: number, cluster: number }} Wanted
 * @typedef {Wanted & { commits: string[], next: Record<string, number>, violations: number, failures: string[], kills: "to do" | "passed" | "failed", clusterRows: string[] }} Progress
 */

/** @param {string} message @returns {never} */
const refuse = (message) => {
  console.error(message);
  process.exit(2);
};

/** @param {string} name @param {string | undefined} text @param {number} usual */
const wholeNumber = (name, text, usual) => {
  if (text === undefined) return usual;
  return /^\d{1,12}$/.test(text) ? Number(text) : refuse(`--${name} is a whole number, not "${text}"`);
};

const readArguments = () => {
  const text = /** @type {const} */ ({ type: "string" });
  try {
    return parseArgs({ options: { minutes: text, profile: text, from: text, seeds: text, rounds: text, cluster: text, progress: text } }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
};

const commit = () => {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
};

/** @param {string | undefined} file @param {Wanted} wanted @returns {Progress} */
const readProgress = (file, wanted) => {
  const fresh = /** @type {Progress} */ ({ ...wanted, commits: [], next: {}, violations: 0, failures: [], kills: "to do", clusterRows: [] });
  if (file === undefined || !existsSync(file)) return fresh;
  /** @type {Progress} */
  const read = { ...fresh, cluster: 0, ...JSON.parse(readFileSync(file, "utf8")) };
  const differs = /** @type {const} */ (["from", "seeds", "rounds", "cluster"]).filter((name) => read[name] !== wanted[name]);
  if (differs.length > 0) refuse(`${file} is of a run with another --${differs.join(", --")}`);
  return read;
};

/** Whole or not at all: an interrupted run finds the old one. @param {string | undefined} file @param {Progress} progress */
const writeProgress = (file, progress) => {
  if (file === undefined) return;
  writeFileSync(`${file}.new`, `${JSON.stringify(progress, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
};

/** @param {string[]} args @param {Record<string, string>} env @returns {Promise<{ code: number, output: string }>} */
const node = (args, env = {}) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      process.stdout.write(text);
      output += text;
    });
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });

/** Runs a slice. @param {string} profile @param {number} from @param {number} seeds */
const simulate = async (profile, from, seeds) => {
  console.log(`\n── ${profile}: seeds ${from} to ${from + seeds - 1}`);
  const { output } = await node([simulation, "--profile", profile, "--from", String(from), "--seeds", String(seeds)]);
  const lines = output.trimEnd().split("\n");
  const counted = new RegExp(`^seeds=${seeds} violations=(\\d+)$`).exec(lines.at(-1) ?? "");
  if (counted === null) return refuse("the simulation did not come to its end");
  return { violations: Number(counted[1]), failures: lines.filter((line) => /^(seed \d+ at|and \d+ more seeds:) /.test(line)) };
};

/** @param {number} rounds */
const kill = async (rounds) => {
  console.log(`\n── ${rounds} kills`);
  const { code } = await node(["node_modules/vitest/vitest.mjs", "run", "--project", "integration", "--allowOnly=false", killTests], { TUTTI_KILLS: String(rounds) });
  return code === 0 ? "passed" : "failed";
};

/** One round of a real cluster. @param {number} seed @returns its row, and how many violations there were */
const clusterRound = async (seed) => {
  const { output } = await node([chaos, "--rounds", "1", "--from", String(seed)]);
  const lines = output.trimEnd().split("\n");
  const counted = /^rounds=1 violations=(\d+)$/.exec(lines.at(-1) ?? "");
  const row = lines.at(-2);
  if (counted === null || row === undefined) return refuse(`round ${seed} of the cluster did not come to its end`);
  return { row, violations: Number(counted[1]) };
};

if (!existsSync(join(root, simulation))) refuse(`${simulation} does not exist; run "npm run build" first`);
const { profiles } = await import(`../${simulation.replace("main.js", "profiles.js")}`);

const values = readArguments();
const wanted = {
  from: wholeNumber("from", values.from, 1),
  seeds: wholeNumber("seeds", values.seeds, 20_000),
  rounds: values.profile === undefined ? wholeNumber("rounds", values.rounds, 50) : 0,
  cluster: values.profile === undefined ? wholeNumber("cluster", values.cluster, 20) : 0,
};
const names = Object.keys(profiles).filter((name) => values.profile === undefined || name === values.profile);
if (names.length === 0) refuse(`there is no profile "${values.profile}"; there are ${Object.keys(profiles).join(", ")}`);
const endsAt = performance.now() + wholeNumber("minutes", values.minutes, Number.MAX_SAFE_INTEGER) * 60_000;
const isOver = () => performance.now() >= endsAt;
const end = wanted.from + wanted.seeds;

const progress = readProgress(values.progress, wanted);
progress.commits = [...new Set([...progress.commits, commit()])];
const nextOf = (/** @type {string} */ name) => progress.next[name] ?? wanted.from;

if (wanted.rounds > 0 && progress.kills === "to do" && !isOver()) {
  progress.kills = await kill(wanted.rounds);
  writeProgress(values.progress, progress);
}
while (!isOver() && progress.clusterRows.length < wanted.cluster) {
  const { row, violations } = await clusterRound(wanted.from + progress.clusterRows.length);
  progress.violations += violations;
  progress.clusterRows.push(row);
  writeProgress(values.progress, progress);
}
// A slice of each in turn, so that a run that is interrupted has seen something of all.
while (!isOver() && names.some((name) => nextOf(name) < end)) {
  for (const name of names) {
    const from = nextOf(name);
    const seeds = Math.min(sliceSeeds, end - from);
    if (seeds <= 0 || isOver()) continue;
    const { violations, failures } = await simulate(name, from, seeds);
    progress.violations += violations;
    progress.failures.push(...failures);
    progress.next[name] = from + seeds;
    writeProgress(values.progress, progress);
  }
}

const seedsRun = names.reduce((sum, name) => sum + nextOf(name) - wanted.from, 0);
const isComplete = (wanted.rounds === 0 || progress.kills !== "to do") && progress.clusterRows.length >= wanted.cluster && names.every((name) => nextOf(name) >= end);
const kills = wanted.rounds === 0 ? "none" : progress.kills === "to do" ? "to do" : `${wanted.rounds} in each test, ${progress.kills}`;
console.log(`\n${progress.clusterRows.map((row) => `${row}\n`).join("")}${progress.failures.map((line) => `${line}\n`).join("")}commits: ${progress.commits.join(", ")}; ${names.map((name) => `${name} ${nextOf(name) - wanted.from}`).join(", ")}`);
console.log(`soak ${isComplete ? "complete" : "interrupted"}: seeds=${seedsRun} of ${wanted.seeds * names.length} violations=${progress.violations} kills=${kills} cluster=${progress.clusterRows.length} of ${wanted.cluster} rounds`);
process.exitCode = progress.violations > 0 || progress.kills === "failed" ? 1 : 0;
