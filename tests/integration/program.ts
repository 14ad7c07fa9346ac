import { fork, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Found by the package: these files run as they are and compiled, from two places. */
const built = join(dirname(createRequire(import.meta.url).resolve("@tutti/tests/package.json")), "dist/integration/processes");

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of its own that does one thing, and says what it has to say in messages. */
export class Program<Message> {
  readonly ended: Promise<End>;
  readonly #process: ChildProcess;
  readonly #heard: Message[] = [];
  #wake = (): void => {};

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.ended = new Promise((resolve) => void process.once("exit", (code, signal) => resolve({ code, signal })));
    process.on("message", (message: Message) => {
      this.#heard.push(message);
      this.#wake();
    });
  }

  /** @param script one of the folder `processes`, as the build has it */
  static start<Message>(script: string, args: readonly string[], nodeOptions: readonly string[] = []): Program<Message> {
    const file = join(built, `${script}.js`);
    if (!existsSync(file)) throw new Error(`${file} does not exist; run "npm run build" first`);
    return new Program(fork(file, [...args], { execArgv: [...nodeOptions], stdio: ["ignore", "inherit", "inherit", "ipc"] }));
  }

  /** Everything that it has said and nobody has taken. */
  take(): Message[] {
    return this.#heard.splice(0);
  }

  /** The next message. Rejects where the process ends without one. */
  async next(): Promise<Message> {
    const end = this.ended.then(({ code, signal }) => Promise.reject(new Error(`the process ended with ${code ?? signal}`)));
    for (;;) {
      const message = this.#heard.shift();
      if (message !== undefined) return message;
      const said = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([said, end]);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Ends it at once: it writes and says nothing more. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }
}
