import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** What a process has used, as the operating system counts it. */
export interface Usage {
  /** Of all its threads. */
  readonly cpuMs: number;
  readonly residentBytes: number;
}

/** `stat` on Linux counts in ticks of 10 ms, whatever the machine (`getconf CLK_TCK`). */
const TICK_MS = 10;

/** @throws Error where there is no such process */
export function usageOf(pid: number): Usage {
  return existsSync("/proc/self/stat") ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): Usage {
  // The name of the program, in parentheses, may have spaces in it; what follows does not.
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user = NaN, system = NaN] = [fields[11], fields[12]].map(Number);
  const resident = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return { cpuMs: scheduledMs(pid) ?? (user + system) * TICK_MS, residentBytes: Number(resident) * 1024 };
}

/**
 * The scheduler counts in ns, where it was built to tell: a server that is nearly idle uses a few ticks in all. Of threads that are there: those of Node
 * and of Go, once started, stay.
 */
function scheduledMs(pid: number): number | undefined {
  try {
    const threads = readdirSync(`/proc/${pid}/task`).map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8").split(" ")[0]));
    const sumNs = threads.reduce((sum, ns) => sum + ns, 0);
    return sumNs > 0 ? sumNs / 1e6 : undefined;
  } catch {
    return undefined;
  }
}

/** As POSIX has it: `[[dd-]hh:]mm:ss`, on a Mac with hundredths. */
function fromPs(pid: number): Usage {
  const [time = "", resident = ""] = execFileSync("ps", ["-o", "time=,rss=", "-p", String(pid)], { encoding: "utf8" }).trim().split(/\s+/);
  const seconds = time.split(/[-:]/).reduce((sum, part, index, parts) => sum * (index === 1 && parts.length === 4 ? 24 : 60) + Number(part), 0);
  return { cpuMs: seconds * 1000, residentBytes: Number(resident) * 1024 };
}
