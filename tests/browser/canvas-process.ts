import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
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
  /** Where it keeps its canvases. */
  readonly directory: string;
  /** What it printed, by line. */
  readonly lines: readonly string[];
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  /** Asks it to stop, and returns its exit code. */
  stop(): Promise<number | null>;
  /** Ends it, and removes what it kept. */
  remove(): Promise<void>;
}

interface CanvasOptions {
  /** Of the machine's choice unless given. */
  readonly port?: number;
  /** A new one unless given: a server that is started again has what was kept. */
  readonly directory?: string;
}

const running = new Set<ChildProcess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Starts the server. Rejects with what it complained about where it ends before it is ready. */
export async function startCanvas({ port = 0, directory = mkdtempSync(join(tmpdir(), "tutti-canvas-")) }: CanvasOptions = {}): Promise<CanvasProcess> {
  if (!existsSync(program) || !existsSync(page)) throw new Error("the canvas is not built: run `npm run build`");
  const env = { ...process.env, PORT: String(port), TUTTI_DATA: directory };
  const child = spawn(process.execPath, [program], { env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const exited = once(child, "exit").then(([code]: (number | null)[]) => {
    running.delete(child);
    return code ?? null;
  });
  const lines: string[] = [];
  const errors: string[] = [];
  createInterface(child.stderr).on("line", (line) => errors.push(line));
  const ready = new Promise<number>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      lines.push(line);
      const shown = /http:\/\/localhost:(\d+)/.exec(line)?.[1];
      if (shown !== undefined) resolve(Number(shown));
    });
    void exited.then((code) => reject(new Error([`the canvas ended with ${code} before it was ready`, ...errors].join("\n"))));
  });
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  return {
    port: await ready,
    directory,
    lines,
    kill,
    async remove() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
    stop() {
      child.kill("SIGTERM");
      return exited;
    },
  };
}
