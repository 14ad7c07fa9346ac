import { execFileSync } from "node:child_process";
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
}

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  memoryBytes: totalmem(),
  system: `${platform()} ${release()} ${arch()}`,
});

/** Written by the benchmarks and about them: no source of what is measured. */
const results = ["RESULTS.md", "charts", "notes"].map((name) => `:(top,exclude)bench/${name}`);

/** The commit of the sources, with a `+` where they were changed since. */
export function commit(): string {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    return git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "--untracked-files=no", "--", ":(top)", ...results) === "" ? "" : "+");
  } catch {
    return "unknown";
  }
}

/** What wants to run on the machine, as the system counts it: processes over the last minute. */
export const loadNow = (): number => loadavg()[0] ?? 0;
