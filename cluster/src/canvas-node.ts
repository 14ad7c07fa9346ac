import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Program, type End } from "./program.js";

const script = fileURLToPath(new URL("../../apps/canvas/dist/server/main.js", import.meta.url));
const startMsMax = 20_000;

export interface CanvasNodeOptions {
  readonly port: number;
  readonly redisUrl: string;
}

/** A node of the canvas: a process of its own, which is one of several on the same Redis. */
export class CanvasNode {
  readonly port: number;
  readonly #redisUrl: string;
  #program: Program | undefined;

  constructor({ port, redisUrl }: CanvasNodeOptions) {
    this.port = port;
    this.#redisUrl = redisUrl;
  }

  get pid(): number {
    return this.#started().pid;
  }

  get ended(): Promise<End> {
    return this.#started().ended;
  }

  /** What it complained about last. */
  get output(): string {
    return this.#program?.output ?? "";
  }

  /** How many are connected to it, as it said last. */
  get connections(): number {
    if (this.#program?.isRunning !== true) return 0;
    return Number(/.*\b(\d+) connected/s.exec(this.output)?.[1] ?? 0);
  }

  /** Resolves once it serves. */
  async start(): Promise<void> {
    if (!existsSync(script)) throw new Error('the canvas is not built; run "npm run build" first');
    const env = { ...process.env, PORT: String(this.port), TUTTI_REDIS_URL: this.#redisUrl };
    this.#program = await Program.start(process.execPath, ["--enable-source-maps", script], { env });
    await this.#program.printed(/http:\/\//, startMsMax);
  }

  /** At once: who is connected is not handed on. */
  async kill(): Promise<void> {
    await this.#program?.stop("SIGKILL");
  }

  #started(): Program {
    if (this.#program === undefined) throw new Error("the node was not started");
    return this.#program;
  }
}
