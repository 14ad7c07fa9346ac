import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/** How a program ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** A directory of its own, which goes with it. */
  readonly directory?: string;
}

const outputCharactersMax = 64 * 1024;
const stopMsMax = 10_000;

/** Outlives this process, and waits for nothing but its end: then the program's group goes, and its directory. */
const guardScript = 'cat >/dev/null; kill -s KILL -- "-$1" 2>/dev/null; if [ -n "$2" ]; then rm -rf -- "$2"; fi';

/**
 * A program beside this one, in a process group of its own. What is left of it ends with this process, however this one ends:
 * `kill -9` and Ctrl-C included.
 */
export class Program {
  /** How it ended, with all that it started. */
  readonly ended: Promise<End>;
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #pid: number;
  #output = "";
  #hear = (): void => {};

  private constructor(name: string, child: ChildProcess, pid: number, directory: string) {
    this.#name = name;
    this.#process = child;
    this.#pid = pid;
    const guard = spawn("/bin/sh", ["-c", guardScript, "guard", String(pid), directory], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    guard.on("error", () => {});
    guard.stdin.on("error", () => {});
    guard.unref();
    child.once("exit", () => {
      killGroup(pid);
      guard.kill("SIGKILL");
    });
    // Later than that: when all of its output was read, which what it started had open as well.
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.#hear();
        resolve({ code, signal });
      });
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = `${this.#output}${text}`.slice(-outputCharactersMax);
        this.#hear();
      });
    }
  }

  /** Rejects where the program cannot be started. */
  static async start(command: string, args: readonly string[], { directory = "", ...options }: ProgramOptions = {}): Promise<Program> {
    const child = spawn(command, [...args], { ...options, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    await once(child, "spawn");
    if (child.pid === undefined) throw new Error(`${command} has no process id`);
    return new Program(command, child, child.pid, directory);
  }

  get pid(): number {
    return this.#pid;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** What it printed last. */
  get output(): string {
    return this.#output;
  }

  /** Waits until it has printed this. Rejects with its output where it ends before, or takes too long. */
  async printed(pattern: RegExp, msMax: number): Promise<RegExpExecArray> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#hear();
    }, msMax);
    try {
      for (;;) {
        const found = pattern.exec(this.#output);
        if (found !== null) return found;
        if (!this.isRunning) throw new Error(`${this.#name} ended before it was ready:\n${this.#output}`);
        if (isLate) throw new Error(`${this.#name} was not ready within ${msMax} ms:\n${this.#output}`);
        await new Promise<void>((resolve) => {
          this.#hear = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** To the program alone, and not to what it started. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Resolves once it has ended, by force where it does not end by itself in 10 s. One that was stopped wakes up to it. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<End> {
    this.signal(signal);
    this.signal("SIGCONT");
    const timer = setTimeout(() => killGroup(this.#pid), stopMsMax);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}
