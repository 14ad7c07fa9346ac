import { spawnSync } from "node:child_process";
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

/** The command that runs a script of Node's on one core, or anywhere. */
export function nodeOn(core: number | undefined, args: readonly string[]): { readonly command: string; readonly args: readonly string[] } {
  if (core === undefined) return { command: process.execPath, args };
  return { command: "taskset", args: ["--cpu-list", String(core), process.execPath, ...args] };
}
