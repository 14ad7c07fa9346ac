import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);

/** The folder of the canvas, found by its package: these files run as they are and compiled, from two places. */
export const canvasFolder = dirname(require.resolve("@tutti/canvas/package.json"));
const program = join(canvasFolder, "dist/server/main.js");
const page = join(canvasFolder, "dist/page/index.html");

/** A canvas server as a person starts it: a process of its own. */
export interface CanvasProcess {
  readonly port: number;
  /** What it printed, by line. */
  readonly lines: readonly string[];
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  /** Asks it to stop, and returns its exit code. */
  stop(): Promise<number | null>;
}

const running = new Set<ChildProcess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Starts the server; on a port of the machine's choice unless told which. */
export async function startCanvas(port = 0): Promise<CanvasProcess> {
  if (!existsSync(program) || !existsSync(page)) throw new Error("the canvas is not built: run `npm run build`");
  const child = spawn(process.execPath, [program], { env: { ...process.env, PORT: String(port) }, stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  const exited = once(child, "exit").then(([code]: (number | null)[]) => {
    running.delete(child);
    return code ?? null;
  });
  const lines: string[] = [];
  const ready = new Promise<number>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      lines.push(line);
      const shown = /http:\/\/localhost:(\d+)/.exec(line)?.[1];
      if (shown !== undefined) resolve(Number(shown));
    });
    void exited.then((code) => reject(new Error(`the canvas ended with ${code} before it was ready`)));
  });
  return {
    port: await ready,
    lines,
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
    stop() {
      child.kill("SIGTERM");
      return exited;
    },
  };
}
