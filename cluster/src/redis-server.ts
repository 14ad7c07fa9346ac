import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Certificates } from "./certificates.js";
import { programPath } from "./found-programs.js";
import { freePort } from "./free-port.js";
import { Program, type End } from "./program.js";
import { redisCommand } from "./redis-cli.js";
import { until } from "./until.js";

export interface RedisOptions {
  /** Lines of its configuration, such as `appendfsync always`. Without any it keeps an append-only file, flushed every second, and no dumps. */
  readonly config?: readonly string[];
  /** Of the machine's choice unless given. */
  readonly port?: number;
  /** Speaks TLS alone, also with others of its cluster, and asks nobody for a certificate. They have to last as long as it does. */
  readonly tls?: Certificates;
}

/** What a Redis held at a moment. It lasts as long as the server's directory. */
export class RedisData {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }
}

/** What a Redis starts with: what it had, nothing, or what it had at an earlier moment, so that what came since is lost. */
export type StartData = "kept" | "lost" | RedisData;

export interface Restart {
  readonly data?: StartData;
  /** How it is stopped: `SIGTERM` unless given. */
  readonly signal?: NodeJS.Signals;
}

/** A Redis on the loopback address, with its files in a temporary directory. Neither outlives this process. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Of the process that runs, or ran last. */
  readonly pid: number;
  /** What it printed last. */
  readonly output: string;
  /** How the process that runs, or ran last, ended. */
  readonly ended: Promise<End>;
  /** Sends one command. @returns the answer as text, as `redis-cli` prints it */
  command(...command: readonly string[]): Promise<string>;
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** After `stop`, at the same port. */
  start(data?: StartData): Promise<void>;
  restart(restart?: Restart): Promise<void>;
  /** Keeps what is stored by now, to start from again. It stands still meanwhile. */
  copyData(): Promise<RedisData>;
  /** Stands still as a machine does that is out of breath: connections stay open, and nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** Stops it, and removes all that it kept. */
  remove(): Promise<void>;
}

const startsMax = 5;

/** Starts a Redis; resolves once it answers. */
export async function startRedis({ config = [], port, tls }: RedisOptions = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), "tutti-redis-"));
  for (let attempt = 1; ; attempt++) {
    const server = new LocalRedis(directory, port ?? (await freePort()), config, tls);
    try {
      await server.start();
      return server;
    } catch (error) {
      // Somebody else took the port since it was free.
      const isTaken = port === undefined && server.output.includes("Address already in use");
      if (isTaken && attempt < startsMax) continue;
      await server.remove();
      throw error;
    }
  }
}

class LocalRedis implements RedisServer {
  readonly port: number;
  readonly #directory: string;
  readonly #config: readonly string[];
  readonly #tls: Certificates | undefined;
  #program: Program | undefined;
  #copies = 0;

  constructor(directory: string, port: number, config: readonly string[], tls: Certificates | undefined) {
    this.#directory = directory;
    this.port = port;
    this.#config = config;
    this.#tls = tls;
  }

  get url(): string {
    return `${this.#tls === undefined ? "redis" : "rediss"}://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#started().pid;
  }

  get ended(): Promise<End> {
    return this.#started().ended;
  }

  get output(): string {
    return this.#program?.output ?? "";
  }

  get #data(): string {
    return join(this.#directory, "data");
  }

  command(...command: readonly string[]): Promise<string> {
    return redisCommand({ port: this.port, tls: this.#tls }, ...command);
  }

  async start(data: StartData = "kept"): Promise<void> {
    if (this.#program?.isRunning === true) throw new Error(`Redis runs already, as process ${this.#program.pid}`);
    if (data !== "kept") await rm(this.#data, { recursive: true, force: true });
    if (data instanceof RedisData) await cp(data.directory, this.#data, { recursive: true });
    await mkdir(this.#data, { recursive: true });
    const file = join(this.#directory, "redis.conf");
    const ours = ["bind 127.0.0.1", ...doorOf(this.port, this.#tls), `dir "${this.#data}"`, 'save ""', "appendonly yes", "daemonize no"];
    await writeFile(file, `${[...ours, ...this.#config].join("\n")}\n`);
    const program = await Program.start(programPath("redis-server"), [file], { directory: this.#directory });
    this.#program = program;
    await until(() => !program.isRunning || this.#answers(), () => `Redis answers\n${program.output}`);
    if (!program.isRunning) throw new Error(`Redis ended before it was ready:\n${program.output}`);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#program?.isRunning === true) await this.#program.stop(signal);
  }

  async restart({ data = "kept", signal = "SIGTERM" }: Restart = {}): Promise<void> {
    await this.stop(signal);
    await this.start(data);
  }

  async copyData(): Promise<RedisData> {
    const copy = new RedisData(join(this.#directory, `copy-${++this.#copies}`));
    const isRunning = this.#program?.isRunning === true;
    if (isRunning) this.freeze();
    try {
      await cp(this.#data, copy.directory, { recursive: true });
    } finally {
      if (isRunning) this.thaw();
    }
    return copy;
  }

  freeze(): void {
    this.#started().signal("SIGSTOP");
  }

  thaw(): void {
    this.#started().signal("SIGCONT");
  }

  async remove(): Promise<void> {
    await this.stop("SIGKILL");
    await rm(this.#directory, { recursive: true, force: true });
  }

  #started(): Program {
    if (this.#program === undefined) throw new Error("Redis was not started");
    return this.#program;
  }

  /** One that asks for a password first is there as well, and one that reads its files is not. */
  async #answers(): Promise<boolean> {
    try {
      return (await this.command("PING")) === "PONG";
    } catch (error) {
      return error instanceof Error && error.message.includes("NOAUTH");
    }
  }
}

/** The lines by which it listens. */
function doorOf(port: number, tls: Certificates | undefined): readonly string[] {
  if (tls === undefined) return [`port ${port}`];
  const files = [`tls-cert-file "${tls.certificateFile}"`, `tls-key-file "${tls.keyFile}"`, `tls-ca-cert-file "${tls.authorityFile}"`];
  return ["port 0", `tls-port ${port}`, ...files, "tls-auth-clients no", "tls-replication yes", "tls-cluster yes"];
}
