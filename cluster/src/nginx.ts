import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programPath } from "./found-programs.js";
import { freePort } from "./free-port.js";
import { workerPath, nginxConfig } from "./nginx-config.js";
import { Program } from "./program.js";
import { until } from "./until.js";

export interface NginxOptions {
  /** Ports of the loopback address, at which the nodes listen or will listen. At least one. */
  readonly upstreams: readonly number[];
  /** Of the machine's choice unless given. */
  readonly port?: number;
}

/** An nginx on the loopback address that spreads connections over nodes, whoever they come from. It does not outlive this process. */
export interface Nginx {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** What it complained about last. */
  readonly output: string;
  /** From now on new connections go to these; those that are open stay where they are. */
  reload(upstreams: readonly number[]): Promise<void>;
  /** Cuts all connections, and removes its files. */
  remove(): Promise<void>;
}

const answerMsMax = 1_000;
const reloadMsMax = 10_000;

/** Starts an nginx; resolves once it answers, whether the nodes do or not. */
export async function startNginx({ upstreams, port }: NginxOptions): Promise<Nginx> {
  const directory = await mkdtemp(join(tmpdir(), "tutti-nginx-"));
  const nginx = new LocalNginx(directory, port ?? (await freePort()));
  try {
    await nginx.start(upstreams);
    return nginx;
  } catch (error) {
    await nginx.remove();
    throw error;
  }
}

class LocalNginx implements Nginx {
  readonly port: number;
  readonly #directory: string;
  #program: Program | undefined;

  constructor(directory: string, port: number) {
    this.#directory = directory;
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#started().pid;
  }

  get output(): string {
    return this.#program?.output ?? "";
  }

  async start(upstreams: readonly number[]): Promise<void> {
    const file = await this.#configure(upstreams);
    const program = await Program.start(programPath("nginx"), ["-p", this.#directory, "-c", file], { directory: this.#directory });
    this.#program = program;
    await until(async () => !program.isRunning || (await this.#askWorker()) !== undefined, () => `nginx answers\n${program.output}`);
    if (!program.isRunning) throw new Error(`nginx ended before it was ready:\n${program.output}`);
  }

  /** The old worker goes on to take connections for a moment after the new one has begun: it says when it ceases. */
  async reload(upstreams: readonly number[]): Promise<void> {
    const program = this.#started();
    const worker = await this.#askWorker();
    await this.#configure(upstreams);
    program.signal("SIGHUP");
    await program.printed(new RegExp(`${worker}#${worker}: gracefully shutting down`), reloadMsMax);
  }

  async remove(): Promise<void> {
    await this.#program?.stop("SIGTERM");
    await rm(this.#directory, { recursive: true, force: true });
  }

  #started(): Program {
    if (this.#program === undefined) throw new Error("nginx was not started");
    return this.#program;
  }

  async #configure(upstreams: readonly number[]): Promise<string> {
    const file = join(this.#directory, "nginx.conf");
    await writeFile(file, nginxConfig({ directory: this.#directory, port: this.port, upstreams }));
    return file;
  }

  async #askWorker(): Promise<string | undefined> {
    try {
      // Over a connection of its own: one that was open before would be answered by the worker that had it.
      const answer = await fetch(`${this.url}${workerPath}`, { headers: { connection: "close" }, signal: AbortSignal.timeout(answerMsMax) });
      return await answer.text();
    } catch {
      return undefined;
    }
  }
}
