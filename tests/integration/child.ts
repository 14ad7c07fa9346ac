import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Answer, ChildCommands, Question } from "./processes/commands.js";
import { urlOf } from "./loopback.js";

const built = join(import.meta.dirname, "../dist/integration/processes");
const startMsMax = 10_000;

/** A server in a process of its own, which answers questions about itself. */
export class Child {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  /** How the process ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  #serial = 0;
  #port = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.ended = new Promise((resolve) => void process.once("exit", (code, signal) => resolve({ code, signal })));
    process.on("message", (answer: Answer) => {
      this.#waiting.get(answer.serial)?.(answer);
      this.#waiting.delete(answer.serial);
    });
    process.on("exit", () => {
      for (const answer of this.#waiting.values()) answer({ serial: 0, error: "the process ended" });
      this.#waiting.clear();
    });
  }

  /** @param script one of the folder `processes`, as the build has it @param port a free one unless given */
  static async start(script: string, { port = 0, nodeOptions = [] }: { readonly port?: number; readonly nodeOptions?: readonly string[] } = {}): Promise<Child> {
    const file = join(built, `${script}.js`);
    if (!existsSync(file)) throw new Error(`${file} does not exist; run "npm run build" first`);
    const child = new Child(fork(file, [], { execArgv: ["--enable-source-maps", ...nodeOptions], stdio: ["ignore", "inherit", "inherit", "ipc"] }));
    const timer = setTimeout(() => child.kill("SIGKILL"), startMsMax);
    child.#port = await child.ask("listen", port).finally(() => clearTimeout(timer));
    return child;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return urlOf(this.#port);
  }

  /** Rejects with what the process threw, or that it ended. */
  ask<Name extends keyof ChildCommands>(name: Name, ...args: Parameters<ChildCommands[Name]>): Promise<Awaited<ReturnType<ChildCommands[Name]>>> {
    const question: Question = { serial: ++this.#serial, name, args };
    return new Promise((resolve, reject) => {
      this.#waiting.set(question.serial, (answer) => {
        if (answer.error === undefined) resolve(answer.value as Awaited<ReturnType<ChildCommands[Name]>>);
        else reject(new Error(answer.error));
      });
      this.#process.send(question, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** From now on the process has nothing to do with this one: only its own work keeps it alive. */
  async release(): Promise<void> {
    if (!this.#process.connected) return;
    const disconnected = once(this.#process, "disconnect");
    this.#process.disconnect();
    await disconnected;
  }

  /** Ends the process, if it has not ended yet. */
  async stop(): Promise<void> {
    this.kill("SIGKILL");
    await this.ended;
  }
}
