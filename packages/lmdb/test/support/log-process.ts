import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const script = join(import.meta.dirname, "../processes/log.mjs");
const built = join(import.meta.dirname, "../../dist/index.js");

/** A process of its own that holds a log. */
export class LogProcess {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #text = "";
  #wake = (): void => {};

  constructor(task: "hold" | "append", directory: string, round = 0) {
    if (!existsSync(built)) throw new Error(`${built} does not exist; run "npm run build" first`);
    this.#process = spawn(process.execPath, [script, task, directory, `${round}`], { stdio: ["ignore", "pipe", "inherit"] });
    this.#ended = new Promise((resolve) => void this.#process.once("close", () => resolve()));
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#text += text;
      this.#wake();
    });
    onTestFinished(() => this.kill());
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** What it has said, in whole lines. */
  get lines(): readonly string[] {
    return this.#text.split("\n").slice(0, -1);
  }

  /** Waits until it has said so many lines. */
  async says(lineCount: number): Promise<void> {
    while (this.lines.length < lineCount) await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), this.#ended.then(() => Promise.reject(new Error(`it ended: ${this.#text}`)))]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Ends it at once, also while it is stopped; all that it said has been heard then. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#ended;
  }
}
