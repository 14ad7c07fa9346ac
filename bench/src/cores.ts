import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** The cores that this process may use, where they can be chosen: with `taskset`, on Linux. */
export function choosableCores(): readonly number[] {
  if (spawnSync("taskset", ["--version"]).status !== 0) return [];
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  return list.split(",").flatMap((range) => {
    const [first = NaN, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
}

/** The command that runs a program on one core, or anywhere. */
export function onCore(core: number | undefined, command: string, args: readonly string[]): CommandLine {
  if (core === undefined) return { command, args };
  return { command: "taskset", args: ["--cpu-list", String(core), command, ...args] };
}

/** The command that runs a script of Node's on one core, or anywhere. */
export const nodeOn = (core: number | undefined, args: readonly string[]): CommandLine => onCore(core, process.execPath, args);

/** Moves a process that runs already, with all its threads, to a core. */
export function pin(pid: number, core: number | undefined): void {
  if (core !== undefined) execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", String(core), String(pid)], { stdio: "ignore" });
}
