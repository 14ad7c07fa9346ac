// Runs everything that a change has to pass, in order, and goes on after a failure so that all of them are reported.
// `npm test` runs all steps, `npm test -- unit lint` only these. The last line counts what passed, failed and was skipped.
//
// What this machine lacks the machinery for is skipped by name; TUTTI_REQUIRE=redis,nginx,chromium,tmpfs makes its lack a failure.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findChromium } from "./machine.mjs";
import { root } from "./workspaces.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */
/** @typedef {{ name: string, run: () => Promise<Counts> }} Step */

const stepMinutesMax = 10;
const skippedExitCode = 77;
const simulation = "tests/dist/simulation/main.js";
const simulationSeeds = 10_000;
const benchmark = "bench/dist/main.js";
/** So many first, and all of them only where those show nothing. */
const guardSeeds = [50, 500];

const passed = { passed: 1, failed: 0, skipped: 0 };
const failed = { passed: 0, failed: 1, skipped: 0 };
const skipped = { passed: 0, failed: 0, skipped: 1 };
/** What may not be missing here. */
const required = (process.env["TUTTI_REQUIRE"] ?? "").split(",").filter(Boolean);

/**
 * Runs a program on this Node. Its output is shown, and returned as well when `capture` is set; `quiet` hides it.
 * @param {string[]} args @param {{ capture?: boolean, quiet?: boolean }} [options]
 * @returns {Promise<{ exitCode: number, output: string }>}
 */
const node = (args, { capture = false, quiet = false } = {}) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ["ignore", capture || quiet ? "pipe" : "inherit", quiet ? "ignore" : "inherit"],
    });
    const deadline = setTimeout(() => {
      console.error(`${args[0]} did not end within ${stepMinutesMax} minutes`);
      child.kill("SIGKILL");
    }, stepMinutesMax * 60_000);
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      output += text;
      if (!quiet) process.stdout.write(text);
    });
    child.on("error", (error) => console.error(error.message));
    child.on("close", (code) => {
      clearTimeout(deadline);
      resolve({ exitCode: code ?? 1, output });
    });
  });

/** A program that passes or fails as a whole. @param {string[]} args @returns {Promise<Counts>} */
const whole = async (...args) => {
  const { exitCode } = await node(args);
  if (exitCode === skippedExitCode) return skipped;
  return exitCode === 0 ? passed : failed;
};

const tool = {
  tsc: "node_modules/typescript/bin/tsc",
  vite: "node_modules/vite/bin/vite.js",
  vitest: "node_modules/vitest/vitest.mjs",
  oxlint: "node_modules/oxlint/bin/oxlint",
  knip: "node_modules/knip/bin/knip.js",
};

/** @typedef {{ status: string, fullName: string }} Test */

/** What a test needs beside Node, as its title says. @param {Test} test */
const needsOf = ({ fullName }) => Array.from(fullName.matchAll(/\bneeds (\w+)/g), ([, needed = ""]) => needed);

/**
 * Says what was skipped for want of something, by its name.
 * @param {{ testResults: { assertionResults: Test[] }[] }} results
 * @returns how many tests were skipped for want of something that may not be missing
 */
const reportLacking = ({ testResults }) => {
  const lacking = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter((test) => test.status !== "passed" && test.status !== "failed" && needsOf(test).length > 0);
  const failures = lacking.filter((test) => needsOf(test).some((needed) => required.includes(needed)));
  for (const { fullName } of failures) console.error(`FAILED: "${fullName}", which is required and not on this machine`);
  const counts = new Map();
  for (const needs of lacking.filter((test) => !failures.includes(test)).map((test) => needsOf(test).join(" and "))) counts.set(needs, (counts.get(needs) ?? 0) + 1);
  for (const [needs, count] of counts) console.warn(`SKIPPED: ${count} tests need ${needs}, which this machine does not have`);
  return failures.length;
};

/** @param {string} project @returns {Promise<Counts>} */
const vitest = async (project) => {
  const folder = mkdtempSync(join(tmpdir(), "tutti-test-"));
  const file = join(folder, "results.json");
  try {
    const { exitCode } = await node([tool.vitest, "run", "--project", project, "--allowOnly=false", "--silent=passed-only", "--reporter=default", "--reporter=json", `--outputFile.json=${file}`]);
    if (!existsSync(file)) return failed;
    const results = JSON.parse(readFileSync(file, "utf8"));
    /** A file that could not be loaded has no tests to count, and is a failure. */
    const broken = results.testResults.filter(
      (/** @type {{ status: string, assertionResults: { status: string }[] }} */ one) => one.status === "failed" && !one.assertionResults.some((test) => test.status === "failed"),
    ).length;
    const lacking = reportLacking(results);
    const failures = results.numFailedTests + broken;
    return {
      passed: results.numPassedTests,
      // An error outside of every test fails the run and no test.
      failed: (exitCode === 0 ? failures : Math.max(failures, 1)) + lacking,
      skipped: results.numPendingTests + results.numTodoTests - lacking,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/**
 * A vitest project that needs a program beside Node.
 * @param {string} project @param {string} needed @param {boolean} present @returns {Promise<Counts>}
 */
const vitestWith = async (project, needed, present) => {
  if (present) return vitest(project);
  const listing = await node([tool.vitest, "list", "--project", project, "--json"], { quiet: true });
  const count = listing.exitCode === 0 ? Math.max(JSON.parse(listing.output.slice(listing.output.indexOf("["))).length, 1) : 1;
  if (required.includes(needed)) {
    console.error(`FAILED: the ${project} tests need ${needed}, which is required and not on this machine`);
    return { passed: 0, failed: count, skipped: 0 };
  }
  console.warn(`SKIPPED: the ${project} tests need ${needed}, which is not on this machine`);
  return { passed: 0, failed: 0, skipped: count };
};

const lastLine = (/** @type {string} */ output) => output.trimEnd().split("\n").at(-1) ?? "";

/** Many seeds at so many nodes, and no promise is broken. @param {number} nodes @returns {Promise<Counts>} */
const simulateSeeds = async (nodes) => {
  if (!existsSync(join(root, simulation))) {
    console.error(`${simulation} does not exist: the simulation is not built`);
    return failed;
  }
  const { exitCode, output } = await node([simulation, "--seeds", String(simulationSeeds), "--nodes", String(nodes)], { capture: true });
  if (exitCode === 0 && lastLine(output) === `seeds=${simulationSeeds} violations=0`) return passed;
  console.error(`the simulation ended with ${exitCode} and "${lastLine(output)}"`);
  return failed;
};

/** What the simulation counts without a guard, where it sees a violation. @param {string} name */
const seenWithout = async (name) => {
  for (const seeds of guardSeeds) {
    const { exitCode, output } = await node([simulation, "--break", name, "--seeds", String(seeds)], { quiet: true });
    const line = lastLine(output);
    // A program that crashed has seen nothing: the violations must be counted.
    if (exitCode !== 0 && /^seeds=\d+ violations=[1-9]\d*$/.test(line)) return line;
  }
  return undefined;
};

/** With one guard of the product switched off, the simulation must find a violation: this shows that it can see. @returns {Promise<Counts>} */
const simulateBreaks = async () => {
  const listing = existsSync(join(root, simulation)) ? await node([simulation, "--list-breaks"], { quiet: true }) : undefined;
  const names = listing?.exitCode === 0 ? listing.output.split("\n").filter((line) => line !== "") : [];
  if (names.length === 0) {
    console.error(`${simulation} --list-breaks names no guard`);
    return failed;
  }
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const name of names) {
    const line = await seenWithout(name);
    console.log(`${line === undefined ? "NOT SEEN" : "seen"}: without ${name}, ${line ?? `in ${guardSeeds.at(-1)} seeds`}`);
    if (line === undefined) counts.failed += 1;
    else counts.passed += 1;
  }
  return counts;
};

/** Each benchmark runs, with next to nothing to do: nothing is said about time. @returns {Promise<Counts>} */
const runBenchmarks = async () => {
  const listing = existsSync(join(root, benchmark)) ? await node([benchmark, "--list"], { quiet: true }) : undefined;
  const names = listing?.exitCode === 0 ? listing.output.split("\n").filter((line) => line !== "") : [];
  if (names.length === 0) {
    console.error(`${benchmark} --list names no benchmark`);
    return failed;
  }
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const name of names) {
    const { exitCode } = await node([benchmark, name, "--tiny", "--rounds", "1"]);
    console.log(`${exitCode === 0 ? "runs" : "DOES NOT RUN"}: ${name}`);
    if (exitCode === 0) counts.passed += 1;
    else counts.failed += 1;
  }
  return counts;
};

/** @type {Step[]} */
const steps = [
  { name: "build: types and code", run: () => whole(tool.tsc, "-b") },
  { name: "build: page of the canvas", run: () => whole(tool.vite, "build", "--config", "apps/canvas/vite.config.ts", "--logLevel", "warn") },
  { name: "lint", run: () => whole(tool.oxlint, "--type-aware") },
  { name: "check: layers", run: () => whole("scripts/check-layers.mjs") },
  { name: "check: rules", run: () => whole("scripts/check-rules.mjs") },
  { name: "check: errors doc", run: () => whole("scripts/write-errors-doc.mjs", "--check") },
  { name: "check: tracked files", run: () => whole("scripts/check-tracked.mjs") },
  { name: "check: unused code", run: () => whole(tool.knip, "--no-progress") },
  { name: "check: packages", run: () => whole("scripts/check-packages.mjs") },
  { name: "check: bundle size", run: () => whole("scripts/bundle-size.mjs") },
  { name: "unit", run: () => vitest("unit") },
  { name: "integration", run: () => vitest("integration") },
  { name: "simulation", run: () => vitest("simulation") },
  { name: "seeds: promises hold", run: () => simulateSeeds(1) },
  { name: "seeds: promises hold over nodes", run: () => simulateSeeds(3) },
  { name: "seeds: guards are needed", run: simulateBreaks },
  { name: "bench: benchmarks run", run: runBenchmarks },
  { name: "browser", run: () => vitestWith("browser", "chromium", findChromium() !== undefined) },
];

const group = (/** @type {Step} */ step) => step.name.split(":")[0] ?? step.name;
const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !steps.some((step) => group(step) === name));
if (unknown.length > 0) {
  console.error(`no such step: ${unknown.join(", ")}; there are ${[...new Set(steps.map(group))].join(", ")}`);
  process.exit(2);
}

const total = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const summary = [];
for (const step of steps) {
  if (chosen.length > 0 && !chosen.includes(group(step))) continue;
  console.log(`\n── ${step.name}`);
  const startedAt = performance.now();
  let counts = failed;
  try {
    counts = await step.run();
  } catch (error) {
    console.error(error);
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  const parts = [counts.passed && `${counts.passed} passed`, counts.failed && `${counts.failed} FAILED`, counts.skipped && `${counts.skipped} SKIPPED`];
  summary.push(`${step.name.padEnd(28)} ${seconds.padStart(6)} s  ${parts.filter(Boolean).join(", ")}`);
}

console.log(`\n${summary.join("\n")}\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
